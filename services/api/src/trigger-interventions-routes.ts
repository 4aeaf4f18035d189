import { RUN_RESULTS } from "@sluice/domain/trigger";
import type { Database } from "@sluice/store/client";
import { cancelTrigger, endTrigger } from "@sluice/store/trigger-interventions";
import { Hono } from "hono";
import { z } from "zod";

import type { ApiEnv } from "./app.ts";
import { text } from "./body-text.ts";
import { parseId } from "./path-id.ts";
import { readJsonBody } from "./request-body.ts";
import { acceptedOutcome } from "./trigger-answers.ts";

const by = text(200);

const cancelBody = z.strictObject({ by });

const endBody = z.strictObject({
  by,
  result: z.enum(RUN_RESULTS),
  message: text(4_000).optional(),
  force: z.boolean().default(false),
});

/** What people do to triggers, without a lease and with their name: cancel, end. See docs/trigger.md. */
export function createTriggerInterventionsRoutes(db: Database): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();

  routes.post("/:id/cancel", async (c) => {
    const id = parseId(c.req.param("id"));
    const body = await readJsonBody(c, cancelBody);
    const outcome = await cancelTrigger(db, { id, by: body.by });
    c.set("facts", { triggerId: id, outcome: outcome.kind, by: body.by });
    return c.json(acceptedOutcome(id, outcome));
  });

  routes.post("/:id/end", async (c) => {
    const id = parseId(c.req.param("id"));
    const { message, ...end } = await readJsonBody(c, endBody);
    const outcome = await endTrigger(db, { id, ...end, ...(message === undefined ? {} : { message }) });
    c.set("facts", { triggerId: id, outcome: outcome.kind, ...end });
    return c.json(acceptedOutcome(id, outcome));
  });

  return routes;
}
