/** Webhooks at Bitbucket: what would be done about them, and doing it. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { workAlone } from "@sluice/store/exclusive-work";

import { accessOf, defineRoute, problemResponse } from "./access/define-route.ts";
import type { ApiEnv } from "./api-env.ts";
import { actorOf } from "./change.ts";
import { idParams } from "./path-id.ts";
import { ProblemError } from "./problem.ts";
import { applyActions, type ApplyOptions } from "./webhooks-apply.ts";
import { digestsOf, readPlanDigest, refuseUnseen, writePlanDigest } from "./webhooks-digest.ts";
import { afterwards, toAppliedItem, toPlanItem, type Handled } from "./webhooks-document.ts";
import { CONCURRENCY, lookAtAll } from "./webhooks-look.ts";
import { keepSeen, recordChanges } from "./webhooks-records.ts";
import { appliedSchema, applyRequestSchema, planRequestSchema, planSchema } from "./webhooks-schema.ts";
import { listThings } from "./webhooks-scope.ts";
import {
  checkStanding,
  prepareWebhooks,
  readWebhookSecret,
  wishOf,
  type WebhookContext,
} from "./webhooks-setting.ts";
import { inTurns } from "./webhooks-turns.ts";

const planRoute = defineRoute("admin", {
  method: "post",
  path: "/v1/integrations/{id}/webhooks/plan",
  tags: ["Webhooks"],
  summary: "Look at webhooks at Bitbucket, and plan what mends them",
  description:
    "Changes nothing at Bitbucket. A webhook is the integration's when its URL ends in the path of the integration's endpoint, on whichever host; those of others are neither touched nor shown. What was found is kept, and shown with the repository. The calls count against the integration's `calls_per_hour`.",
  request: {
    params: idParams,
    body: { required: true, content: { "application/json": { schema: planRequestSchema } } },
  },
  responses: {
    200: { description: "The plan.", content: { "application/json": { schema: planSchema } } },
    404: problemResponse("There is no such integration, or you do not administer it."),
    409: problemResponse("SLUICE_PUBLIC_URL or the credential is missing."),
  },
});

const applyRoute = defineRoute("admin", {
  method: "post",
  path: "/v1/integrations/{id}/webhooks/apply",
  tags: ["Webhooks"],
  summary: "Make, change and delete webhooks at Bitbucket as planned",
  description:
    "Done again, it does what is left, and nothing twice. Each webhook that is changed leaves a row in the audit log. `items` says of each repository how far it got.",
  request: {
    params: idParams,
    body: { required: true, content: { "application/json": { schema: applyRequestSchema } } },
  },
  responses: {
    200: {
      description: "What was done, also where not all of it was.",
      content: { "application/json": { schema: appliedSchema } },
    },
    404: problemResponse("There is no such integration, or you do not administer it."),
    409: problemResponse(
      "Something else than was seen would have to be done: `changed` names where. Or it is being done (`apply_running`), or something is not set up. Nothing was done; but when the key or the secret is replaced meanwhile, what was done before stays.",
    ),
  },
});

/** Adds the routes of /v1/integrations/{id}/webhooks. */
export function addWebhookRoutes(app: OpenAPIHono<ApiEnv>, context: WebhookContext): void {
  const { store } = context;

  app.openapi(planRoute, async (c) => {
    const { scope, cursor: after = null, limit, ...wishes } = c.req.valid("json");
    const integrationId = c.req.valid("param").id;
    const setting = await prepareWebhooks(context, {
      integrationId,
      access: accessOf(c),
      wish: wishOf(wishes),
    });
    const { things, total } = await listThings(store, setting.integration.id, {
      scope,
      after,
      through: null,
      limit,
    });
    const looked = await lookAtAll(things, setting);
    await keepSeen(store, looked);
    const remaining = total - looked.length;
    const through = scope === "targets" ? (looked.at(-1)?.thing.repositoryId ?? null) : null;
    return c.json(
      {
        items: looked.map((each) => toPlanItem(each, setting)),
        remaining,
        next_cursor: remaining > 0 ? through : null,
        plan_digest: writePlanDigest({ through, actions: looked.flatMap(digestsOf) }),
      },
      200,
    );
  });

  app.openapi(applyRoute, async (c) => {
    const { scope, cursor: after = null, plan_digest: digest, ...wishes } = c.req.valid("json");
    const seen = readPlanDigest(digest);
    const access = accessOf(c);
    const integrationId = c.req.valid("param").id;
    const setting = await prepareWebhooks(context, { integrationId, access, wish: wishOf(wishes) });
    const { integration, desired, mayChange } = setting;
    const secret = readWebhookSecret(context, integration);
    const page = { scope, after, through: seen.through, limit: null };
    const { things } = await listThings(store, integration.id, page);
    const actor = actorOf(c, access);
    // Of two that find no webhook at the same time, each would make one.
    const worked = await workAlone(store, `webhooks:${integration.id}`, async (db) => {
      const looked = await lookAtAll(things, setting);
      refuseUnseen(looked, seen);
      return inTurns(
        looked,
        { concurrency: CONCURRENCY, mayStart: mayChange, isStrict: true },
        async (each): Promise<Handled> => {
          if (each.kind !== "read") return { looked: each, applied: null };
          const options: ApplyOptions = {
            ...setting,
            secret,
            checkStanding: () => checkStanding(db, { access, integration }),
            onChanged: recordChanges(store, { actor, integration, thing: each.thing }),
          };
          return { looked: each, applied: await applyActions(each, options) };
        },
      );
    });
    if (worked.kind === "busy") throw applyRunning();
    const handled = worked.result;
    await keepSeen(
      store,
      handled.map((each) => (each.applied === null ? each.looked : afterwards(each, desired))),
    );
    const items = handled.map((each) => toAppliedItem(each, setting));
    const notReached = things.slice(handled.length).map(({ name }) => name);
    const isDone = items.every(({ state }) => state === "applied" || state === "unchanged");
    return c.json({ items, not_reached: notReached, is_complete: isDone && notReached.length === 0 }, 200);
  });
}

function applyRunning(): ProblemError {
  const detail =
    "Webhooks of this integration are being changed by another request. Send this again when it is done.";
  return new ProblemError("apply_running", detail);
}
