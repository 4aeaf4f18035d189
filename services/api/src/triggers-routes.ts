/** What a scheduler does with triggers: claim, start, wait, heartbeat, finish, look at one. See docs/trigger.md. */
import { z, type OpenAPIHono } from "@hono/zod-openapi";
import { isWithinReach, type Access } from "@sluice/domain/access";
import { RUN_RESULTS } from "@sluice/domain/trigger";
import { toTriggerDocument } from "@sluice/domain/trigger-document";
import { claimTriggers, type Claim, type ClaimRequest } from "@sluice/store/claims";
import type { Database } from "@sluice/store/client";
import { listTriggerRecords } from "@sluice/store/trigger-records";
import { finishTrigger, heartbeat, startTrigger, waitTrigger } from "@sluice/store/trigger-reports";
import { findTriggerOwner } from "@sluice/store/trigger-spaces";

import { accessOf, defineRoute, problemResponse } from "./access/define-route.ts";
import type { ApiEnv } from "./api-env.ts";
import { storable, text } from "./body-text.ts";
import { idParams, parseId } from "./path-id.ts";
import { acceptedOutcome, noSuchTrigger } from "./trigger-answers.ts";
import { outcomeSchema, triggerSchema } from "./trigger-schema.ts";

const DEFAULT_LEASE_MS = 60_000;
const MAX_LEASE_MS = 3_600_000;

const leaseMs = z.int().min(1_000).max(MAX_LEASE_MS).default(DEFAULT_LEASE_MS);
const names = z.array(text(100)).max(100);
const leaseToken = z.guid().openapi({ description: "`lease.token` of your claim." });

const claimBody = z
  .strictObject({
    holder: text(200).openapi({
      description: "A name for you, shown to people. It proves nothing.",
      example: "runner-7",
    }),
    limit: z.int().min(1).max(100).default(1),
    lease_ms: leaseMs,
    kinds: z.array(z.enum(["stack", "module"])).optional(),
    run_types: z.array(z.enum(["tracked", "proposed"])).optional(),
    labels: names.optional().openapi({ description: "The target has all of them." }),
    spaces: names
      .optional()
      .openapi({ description: "Names; the target is in one of them, not in one below." }),
  })
  .openapi("ClaimRequest");

const startBody = z.strictObject({
  lease_token: leaseToken,
  lease_ms: leaseMs,
  run_id: text(200).optional(),
  run_url: storable(z.url({ protocol: /^https?$/ }).max(2_000)).optional(),
});

const waitBody = z.strictObject({ lease_token: leaseToken });

const heartbeatBody = z.strictObject({ lease_token: leaseToken, lease_ms: leaseMs });

const finishBody = z.strictObject({
  lease_token: leaseToken,
  result: z.enum(RUN_RESULTS),
  message: text(4_000).optional(),
});

const claimRoute = defineRoute("claim", {
  method: "post",
  path: "/v1/triggers/claim",
  tags: ["Triggers"],
  summary: "Claim what can be run now",
  description:
    "Tracked before proposed, then the oldest first, out of the spaces of your key. None: ask again in a second or so.",
  request: { body: { required: true, content: { "application/json": { schema: claimBody } } } },
  responses: {
    200: {
      description: "Yours alone until their leases expire.",
      content: { "application/json": { schema: z.object({ triggers: z.array(triggerSchema) }) } },
    },
  },
});

const startRoute = defineReport("start", startBody, "The run has begun, or goes on after it waited");
const waitRoute = defineReport("wait", waitBody, "The run waits for a person");
const heartbeatRoute = defineReport("heartbeat", heartbeatBody, "Renew the lease");
const finishRoute = defineReport("finish", finishBody, "The run has ended");

const getRoute = defineRoute("read", {
  method: "get",
  path: "/v1/triggers/{id}",
  tags: ["Triggers"],
  summary: "Look at a trigger",
  request: { params: idParams },
  responses: {
    200: {
      description: "Without its lease token.",
      content: { "application/json": { schema: triggerSchema } },
    },
    404: problemResponse("There is no such trigger."),
  },
});

/** Adds the routes of a scheduler to /v1/triggers. */
export function addTriggerRoutes(app: OpenAPIHono<ApiEnv>, db: Database): void {
  app.openapi(claimRoute, async (c) => {
    const body = c.req.valid("json");
    const claims = await claimTriggers(db, toClaimRequest(body, accessOf(c)));
    const triggers = await describeClaims(db, claims);
    c.set("facts", { holder: body.holder, triggerIds: triggers.map(({ id }) => id) });
    // Schedulers ask all the time; that there was nothing is no news.
    c.set("isNews", triggers.length > 0);
    return c.json({ triggers }, 200);
  });

  app.openapi(startRoute, async (c) => {
    const id = await findTriggerId(db, c.req.valid("param").id, accessOf(c));
    const { lease_token, lease_ms, run_id, run_url } = c.req.valid("json");
    const outcome = await startTrigger(db, {
      id,
      leaseToken: lease_token,
      leaseMs: lease_ms,
      ...(run_id === undefined ? {} : { runId: run_id }),
      ...(run_url === undefined ? {} : { runUrl: run_url }),
    });
    c.set("facts", { triggerId: id, outcome: outcome.kind });
    return c.json(acceptedOutcome(id, outcome), 200);
  });

  app.openapi(waitRoute, async (c) => {
    const id = await findTriggerId(db, c.req.valid("param").id, accessOf(c));
    const { lease_token } = c.req.valid("json");
    const outcome = await waitTrigger(db, { id, leaseToken: lease_token });
    c.set("facts", { triggerId: id, outcome: outcome.kind });
    return c.json(acceptedOutcome(id, outcome), 200);
  });

  app.openapi(heartbeatRoute, async (c) => {
    const id = await findTriggerId(db, c.req.valid("param").id, accessOf(c));
    const { lease_token, lease_ms } = c.req.valid("json");
    const outcome = await heartbeat(db, { id, leaseToken: lease_token, leaseMs: lease_ms });
    c.set("facts", { triggerId: id, outcome: outcome.kind });
    c.set("isNews", false);
    return c.json(acceptedOutcome(id, outcome), 200);
  });

  app.openapi(finishRoute, async (c) => {
    const id = await findTriggerId(db, c.req.valid("param").id, accessOf(c));
    const { lease_token, result, message } = c.req.valid("json");
    const outcome = await finishTrigger(db, {
      id,
      leaseToken: lease_token,
      result,
      ...(message === undefined ? {} : { message }),
    });
    c.set("facts", { triggerId: id, outcome: outcome.kind, result });
    return c.json(acceptedOutcome(id, outcome), 200);
  });

  app.openapi(getRoute, async (c) => {
    const id = await findTriggerId(db, c.req.valid("param").id, accessOf(c));
    const [record] = await listTriggerRecords(db, [id]);
    if (record === undefined) throw noSuchTrigger();
    return c.json(toTriggerDocument(record, { showLeaseToken: false }), 200);
  });
}

/** A report of whoever holds a trigger. */
function defineReport<const Verb extends string, Body extends z.ZodType>(
  verb: Verb,
  body: Body,
  summary: string,
) {
  return defineRoute("claim", {
    method: "post",
    path: `/v1/triggers/{id}/${verb}`,
    tags: ["Triggers"],
    summary,
    request: {
      params: idParams,
      body: { required: true, content: { "application/json": { schema: body } } },
    },
    responses: {
      200: { description: "Accepted.", content: { "application/json": { schema: outcomeSchema } } },
      404: problemResponse("There is no such trigger."),
      409: problemResponse("Another holder has it, or nobody; or its state does not allow this."),
    },
  });
}

/** The id of a trigger within reach. @throws ProblemError `not_found`. */
async function findTriggerId(db: Database, pathId: string, { reach }: Access): Promise<string> {
  const id = parseId(pathId);
  // The statement that follows sees for itself whether there is such a trigger.
  if (reach.kind === "everywhere") return id;
  const owner = await findTriggerOwner(db, id);
  if (owner === null || !isWithinReach(reach, owner.spaceId)) throw noSuchTrigger();
  return id;
}

function toClaimRequest(body: z.infer<typeof claimBody>, { reach }: Access): ClaimRequest {
  const { holder, limit, lease_ms, kinds, run_types, labels, spaces } = body;
  return {
    holder,
    limit,
    leaseMs: lease_ms,
    reach,
    ...(kinds === undefined ? {} : { kinds }),
    ...(run_types === undefined ? {} : { runTypes: run_types }),
    ...(labels === undefined ? {} : { labels }),
    ...(spaces === undefined ? {} : { spaces }),
  };
}

/** One that was lost again between the two statements is left out: its token would be another holder's. */
async function describeClaims(db: Database, claims: readonly Claim[]) {
  const tokens = new Map(claims.map(({ id, leaseToken: token }) => [id, token]));
  const records = await listTriggerRecords(db, [...tokens.keys()]);
  return records
    .filter(({ id, lease }) => lease !== null && lease.token === tokens.get(id))
    .map((record) => toTriggerDocument(record, { showLeaseToken: true }));
}
