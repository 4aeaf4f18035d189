import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { routePath } from "hono/route";

import { createWebhookRoute, type WebhookRouteOptions } from "./webhook-route.ts";

/** What the public side is answered: webhooks, and whether the process is alive. All else that operators ask is elsewhere. */
export function createIngressApp(options: WebhookRouteOptions): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.post("/webhooks/bitbucket-cloud/:slug", createWebhookRoute(options));
  app.all("/webhooks/bitbucket-cloud/:slug", (c) =>
    c.json({ error: "method_not_allowed", expected: "POST" }, 405, { Allow: "POST" }),
  );
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.notFound((c) => c.json({ error: "not_found" }, 404));
  app.onError((error, c) => {
    options.logger.error({ err: error, route: routePath(c) }, "request.failed");
    // A 5xx, because Bitbucket then sends again: nothing was kept.
    return c.json({ error: "internal_error" }, 500);
  });
  return app;
}
