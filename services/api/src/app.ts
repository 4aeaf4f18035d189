import { OpenAPIHono } from "@hono/zod-openapi";
import type { BitbucketClients } from "@sluice/bitbucket/clients";
import type { Keyring } from "@sluice/runtime/keyring";
import type { Logger } from "@sluice/runtime/logger";
import type { Store } from "@sluice/store/client";
import type { Hono, MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { csrf } from "hono/csrf";

import { createAuthentication, type RequestLimits } from "./access/authenticate.ts";
import type { Identify } from "./access/identify.ts";
import type { ApiEnv } from "./api-env.ts";
import { addApiKeyRoutes } from "./api-keys-routes.ts";
import { addAuditRoutes } from "./audit-routes.ts";
import { DASHBOARD_PATH, type Dashboard } from "./dashboard.ts";
import { addDecisionRoutes } from "./decisions-routes.ts";
import { addDeliveryRoutes } from "./deliveries-routes.ts";
import { addEventRoutes } from "./events-routes.ts";
import { securityHeaders } from "./headers.ts";
import { addIntegrationRoutes } from "./integrations-routes.ts";
import { loggablePath } from "./loggable-path.ts";
import { addReference, openApiDocument } from "./openapi.ts";
import { answerError, ProblemError } from "./problem.ts";
import { addPullRequestRoutes } from "./pull-requests-routes.ts";
import { addRepositoryRoutes } from "./repositories-routes.ts";
import { answerInTime } from "./request-deadline.ts";
import { addSpaceRoutes } from "./spaces-routes.ts";
import { TARGET_RESOURCES } from "./target-document.ts";
import { addBulkTargetRoutes, BULK_PATHS, MAX_BULK_BODY_BYTES } from "./targets-bulk-routes.ts";
import { addTargetRoutes } from "./targets-routes.ts";
import { addTriggerInterventionRoutes } from "./trigger-interventions-routes.ts";
import { addTriggerListRoutes } from "./trigger-lists-routes.ts";
import { addTriggerRoutes } from "./triggers-routes.ts";
import { addWebhookRoutes } from "./webhooks-routes.ts";

/** What the API reads of one body, unless that holds thousands of things. */
const MAX_BODY_BYTES = 64 * 1024;

export interface ApiAppOptions {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly identify: Identify;
  readonly limits: RequestLimits;
  readonly dashboard: Pick<Dashboard, "fetch">;
  readonly bitbucket: BitbucketClients;
  /** Of the ingress as Bitbucket sees it; null: not known. */
  readonly publicUrl: string | null;
  /** `/healthz`, `/readyz`, `/metrics`. */
  readonly operations: Hono;
  readonly logger: Logger;
}

/** The API's routes: what people and schedulers do under /v1, its description, and the queues' dashboard. */
export function createApiApp(options: ApiAppOptions): OpenAPIHono<ApiEnv> {
  const { store, keyring, identify, limits, dashboard, bitbucket, publicUrl, operations, logger } = options;
  const app = new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw result.error;
    },
  });
  app.use(securityHeaders());
  app.route("/", operations);
  app.use(logRequest(logger));
  app.onError((error, c) => answerError(error, c, logger));
  app.notFound((c) => answerError(new ProblemError("not_found", "There is no such path."), c, logger));

  const limitBody = limitBodyTo(MAX_BODY_BYTES);
  const limitBulkBody = limitBodyTo(MAX_BULK_BODY_BYTES);
  const limitApiBody: MiddlewareHandler = (c, next) =>
    (BULK_PATHS.has(c.req.path) ? limitBulkBody : limitBody)(c, next);
  const authentication = createAuthentication(identify, limits);
  app.use("/v1/*", authentication.bearer, limitApiBody, answerInTime());
  app.openAPIRegistry.registerComponent("securitySchemes", "apiKey", { type: "http", scheme: "bearer" });
  const context = { store, keyring };
  addTriggerRoutes(app, store);
  addTriggerInterventionRoutes(app, context);
  addTriggerListRoutes(app, context);
  addDeliveryRoutes(app, context);
  addEventRoutes(app, context);
  addDecisionRoutes(app, context);
  addPullRequestRoutes(app, context);
  addApiKeyRoutes(app, context);
  addAuditRoutes(app, context);
  addSpaceRoutes(app, context);
  addIntegrationRoutes(app, { ...context, bitbucket, publicUrl });
  addWebhookRoutes(app, { ...context, bitbucket, publicUrl });
  addRepositoryRoutes(app, context);
  for (const resource of TARGET_RESOURCES) {
    addBulkTargetRoutes(app, context, resource);
    addTargetRoutes(app, context, resource);
  }
  addReference(app, openApiDocument(app));

  // A browser sends the password along with any request to us, also with one that another site made.
  const guards = [authentication.browser, csrf(), limitBody] as const;
  app.use(DASHBOARD_PATH, ...guards);
  app.use(`${DASHBOARD_PATH}/*`, ...guards);
  app.all(DASHBOARD_PATH, (c) => dashboard.fetch(c.req.raw));
  app.all(`${DASHBOARD_PATH}/*`, (c) => dashboard.fetch(c.req.raw));
  return app;
}

function limitBodyTo(maxBytes: number): MiddlewareHandler {
  return bodyLimit({
    maxSize: maxBytes,
    onError: () => {
      throw new ProblemError("body_too_large", `At most ${String(maxBytes)} bytes are read.`);
    },
  });
}

/** One line a request. */
function logRequest(logger: Logger): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const startedAt = performance.now();
    await next();
    const { method } = c.req;
    const path = loggablePath(c.req.path);
    const { status } = c.res;
    const durationMs = Math.round((performance.now() - startedAt) * 10) / 10;
    const isNews = status >= 400 || (method !== "GET" && (c.get("isNews") ?? true));
    logger[isNews ? "info" : "debug"](
      { method, path, status, ...c.get("facts"), durationMs },
      "request.answered",
    );
  };
}
