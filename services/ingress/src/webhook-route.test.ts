import { PassThrough } from "node:stream";

import { createLogger } from "@sluice/runtime/logger";
import { countDeliveries, createMetrics } from "@sluice/runtime/metrics";
import { expect, test } from "vitest";

import { createIngressApp } from "./app.ts";
import { createBodyBudget } from "./body-budget.ts";

test("a mistake of ours is answered 500 and counted as an answer", async () => {
  const metrics = createMetrics({ service: "ingress" });
  const app = createIngressApp({
    integrations: {
      find: () => {
        throw new TypeError("a mistake");
      },
    },
    enqueue: () => Promise.resolve(),
    maxBodyBytes: 100,
    bodyBudget: createBodyBudget(100),
    logger: createLogger({ service: "test", level: "silent", format: "json" }),
    countAnswer: countDeliveries(metrics),
  });
  const incoming = Object.assign(new PassThrough(), { headers: {} });
  incoming.end("{}");
  const answer = await app.request("/webhooks/bitbucket-cloud/acme", { method: "POST" }, { incoming });
  expect(answer.status).toBe(500);
  expect(await metrics.render()).toContain('sluice_deliveries_total{answer="500",service="ingress"} 1');
});
