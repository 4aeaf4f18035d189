import { RUN_RESULTS } from "@sluice/domain/trigger";
import { toTriggerDocument } from "@sluice/domain/trigger-document";
import { claimTriggers, type Claim, type ClaimRequest } from "@sluice/store/claims";
import type { Database } from "@sluice/store/client";
import { listTriggerRecords } from "@sluice/store/trigger-records";
import { finishTrigger, heartbeat, startTrigger, waitTrigger } from "@sluice/store/trigger-reports";
import { Hono } from "hono";
import { z } from "zod";

import type { ApiEnv } from "./app.ts";
import { storable, text } from "./body-text.ts";
import { parseId } from "./path-id.ts";
import { ProblemError } from "./problem.ts";
import { readJsonBody } from "./request-body.ts";
import { acceptedOutcome } from "./trigger-answers.ts";

const DEFAULT_LEASE_MS = 60_000;
const MAX_LEASE_MS = 3_600_000;

const leaseMs = z.int().min(1_000).max(MAX_LEASE_MS).default(DEFAULT_LEASE_MS);
const names = z.array(text(100)).max(100);
const leaseToken = z.guid();

const claimBody = z.strictObject({
  holder: text(200),
  limit: z.int().min(1).max(100).default(1),
  lease_ms: leaseMs,
  kinds: z.array(z.enum(["stack", "module"])).optional(),
  run_types: z.array(z.enum(["tracked", "proposed"])).optional(),
  labels: names.optional(),
  spaces: names.optional(),
});

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

/** What a scheduler does with triggers: claim, start, wait, heartbeat, finish, look at one. See docs/trigger.md. */
export function createTriggersRoutes(db: Database): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();

  routes.post("/claim", async (c) => {
    const body = await readJsonBody(c, claimBody);
    const claims = await claimTriggers(db, toClaimRequest(body));
    const triggers = await describeClaims(db, claims);
    c.set("facts", { holder: body.holder, triggerIds: triggers.map(({ id }) => id) });
    // Schedulers ask all the time; that there was nothing is no news.
    c.set("isNews", triggers.length > 0);
    return c.json({ triggers });
  });

  routes.post("/:id/start", async (c) => {
    const id = parseId(c.req.param("id"));
    const body = await readJsonBody(c, startBody);
    const { lease_token, lease_ms, run_id, run_url } = body;
    const outcome = await startTrigger(db, {
      id,
      leaseToken: lease_token,
      leaseMs: lease_ms,
      ...(run_id === undefined ? {} : { runId: run_id }),
      ...(run_url === undefined ? {} : { runUrl: run_url }),
    });
    c.set("facts", { triggerId: id, outcome: outcome.kind });
    return c.json(acceptedOutcome(id, outcome));
  });

  routes.post("/:id/wait", async (c) => {
    const id = parseId(c.req.param("id"));
    const { lease_token } = await readJsonBody(c, waitBody);
    const outcome = await waitTrigger(db, { id, leaseToken: lease_token });
    c.set("facts", { triggerId: id, outcome: outcome.kind });
    return c.json(acceptedOutcome(id, outcome));
  });

  routes.post("/:id/heartbeat", async (c) => {
    const id = parseId(c.req.param("id"));
    const { lease_token, lease_ms } = await readJsonBody(c, heartbeatBody);
    const outcome = await heartbeat(db, { id, leaseToken: lease_token, leaseMs: lease_ms });
    c.set("facts", { triggerId: id, outcome: outcome.kind });
    c.set("isNews", false);
    return c.json(acceptedOutcome(id, outcome));
  });

  routes.post("/:id/finish", async (c) => {
    const id = parseId(c.req.param("id"));
    const { lease_token, result, message } = await readJsonBody(c, finishBody);
    const outcome = await finishTrigger(db, {
      id,
      leaseToken: lease_token,
      result,
      ...(message === undefined ? {} : { message }),
    });
    c.set("facts", { triggerId: id, outcome: outcome.kind, result });
    return c.json(acceptedOutcome(id, outcome));
  });

  routes.get("/:id", async (c) => {
    const [record] = await listTriggerRecords(db, [parseId(c.req.param("id"))]);
    if (record === undefined) throw new ProblemError("not_found", "There is no trigger with this id.");
    return c.json(toTriggerDocument(record, { showLeaseToken: false }));
  });

  return routes;
}

function toClaimRequest(body: z.infer<typeof claimBody>): ClaimRequest {
  const { holder, limit, lease_ms, kinds, run_types, labels, spaces } = body;
  return {
    holder,
    limit,
    leaseMs: lease_ms,
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
