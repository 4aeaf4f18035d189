/** What people do to triggers, without a lease and with their name: cancel, end. See docs/trigger.md. */
import { z, type OpenAPIHono } from "@hono/zod-openapi";
import { isWithinReach } from "@sluice/domain/access";
import { RUN_RESULTS } from "@sluice/domain/trigger";
import type { Transaction } from "@sluice/store/transaction";
import { cancelTrigger, endTrigger, type InterventionOutcome } from "@sluice/store/trigger-interventions";
import { findTriggerOwner } from "@sluice/store/trigger-spaces";
import type { Context } from "hono";

import { defineRoute, problemResponse } from "./access/define-route.ts";
import type { ApiEnv } from "./api-env.ts";
import { text } from "./body-text.ts";
import { change, idempotencyHeaders, type ChangeContext } from "./change.ts";
import { idParams, parseId } from "./path-id.ts";
import { acceptedOutcome, noSuchTrigger } from "./trigger-answers.ts";
import { outcomeSchema } from "./trigger-schema.ts";

const by = text(200).openapi({ description: "Who says so, for the record.", example: "ada" });

const cancelBody = z.strictObject({ by });

const endBody = z.strictObject({
  by,
  result: z.enum(RUN_RESULTS),
  message: text(4_000).optional(),
  force: z
    .boolean()
    .default(false)
    .openapi({ description: "Also while its lease runs, and its holder may be at work." }),
});

const cancelRoute = defineIntervention("cancel", cancelBody, "Cancel a trigger, or ask its holder to stop");
const endRoute = defineIntervention("end", endBody, "Say how a run ended, in place of its holder");

/** Adds what people do to /v1/triggers. */
export function addTriggerInterventionRoutes(app: OpenAPIHono<ApiEnv>, context: ChangeContext): void {
  app.openapi(cancelRoute, async (c) => {
    const id = parseId(c.req.valid("param").id);
    const body = c.req.valid("json");
    const answer = await intervene(c, context, { id, action: "trigger.canceled", details: body }, (tx) =>
      cancelTrigger(tx, { id, by: body.by }),
    );
    return c.json(answer, 200);
  });

  app.openapi(endRoute, async (c) => {
    const id = parseId(c.req.valid("param").id);
    const { message, ...end } = c.req.valid("json");
    const answer = await intervene(c, context, { id, action: "trigger.ended", details: end }, (tx) =>
      endTrigger(tx, { id, ...end, ...(message === undefined ? {} : { message }) }),
    );
    return c.json(answer, 200);
  });
}

function defineIntervention<const Verb extends string, Body extends z.ZodType>(
  verb: Verb,
  body: Body,
  summary: string,
) {
  return defineRoute("write", {
    method: "post",
    path: `/v1/triggers/{id}/${verb}`,
    tags: ["Triggers"],
    summary,
    request: {
      params: idParams,
      headers: idempotencyHeaders,
      body: { required: true, content: { "application/json": { schema: body } } },
    },
    responses: {
      200: { description: "Done, or asked for.", content: { "application/json": { schema: outcomeSchema } } },
      404: problemResponse("There is no such trigger."),
      409: problemResponse("A holder has it, and its lease runs; or its state does not allow this."),
      422: problemResponse("The `Idempotency-Key` belongs to another request."),
    },
  });
}

/** Does it with its audit row. */
async function intervene(
  c: Context<ApiEnv>,
  context: ChangeContext,
  {
    id,
    action,
    details,
  }: { readonly id: string; readonly action: string; readonly details: { readonly by: string } },
  work: (tx: Transaction) => Promise<InterventionOutcome>,
): Promise<z.infer<typeof outcomeSchema>> {
  const options = { permission: "write", status: 200, schema: outcomeSchema } as const;
  return change(c, context, options, async (tx, access) => {
    const owner = await findTriggerOwner(tx, id);
    if (owner === null || !isWithinReach(access.reach, owner.spaceId)) throw noSuchTrigger();
    const outcome = await work(tx);
    c.set("facts", { triggerId: id, outcome: outcome.kind, ...details });
    const subject = { kind: "trigger", id, name: owner.targetName };
    return {
      body: acceptedOutcome(id, outcome),
      audit: [{ action, subject, spaceId: owner.spaceId, details: { ...details } }],
    };
  });
}
