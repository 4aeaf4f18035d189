/** Triggers for people: which there are, and what happened to each. */
import { z, type OpenAPIHono } from "@hono/zod-openapi";
import { isWithinReach } from "@sluice/domain/access";
import { TRIGGER_STATES } from "@sluice/domain/trigger";
import { toTriggerDocument } from "@sluice/domain/trigger-document";
import type { Database } from "@sluice/store/client";
import { listTriggerHistory, listTriggerIds } from "@sluice/store/trigger-lists";
import { listTriggerRecords } from "@sluice/store/trigger-records";
import { findTriggerOwner } from "@sluice/store/trigger-spaces";

import { accessOf, defineRoute, problemResponse } from "./access/define-route.ts";
import type { ApiEnv } from "./api-env.ts";
import { text } from "./body-text.ts";
import { commitPrefix, idCursor, severalOf } from "./list-filters.ts";
import { pageOf, pageQuery, readCursor, toPage, writeCursor } from "./pages.ts";
import { idParams, parseId } from "./path-id.ts";
import { noSuchTrigger } from "./trigger-answers.ts";
import { triggerSchema } from "./trigger-schema.ts";

const changeSchema = z
  .object({
    id: z.guid(),
    state: z.string(),
    actor: z.string().openapi({ description: "The holder, a person, or a part of Sluice: `worker`." }),
    note: z.string().nullable(),
    at: z.iso.datetime(),
  })
  .openapi("TriggerChange");

const listRoute = defineRoute("read", {
  method: "get",
  path: "/v1/triggers",
  tags: ["Triggers"],
  summary: "List triggers",
  description: "Those of stacks and modules within your reach.",
  request: {
    query: pageQuery
      .extend({
        state: severalOf(TRIGGER_STATES, "Only those in this state, or in one of these."),
        run_type: z.enum(["tracked", "proposed"]).optional().openapi({ description: "Only this type." }),
        target_id: z.guid().optional().openapi({ description: "Only those of this stack or module." }),
        kind: z
          .enum(["stack", "module"])
          .optional()
          .openapi({ description: "Only of targets of this kind." }),
        space: text(100)
          .optional()
          .openapi({ description: "A name; the target is in it, not in one below." }),
        commit: commitPrefix("Only those that run it."),
        repository_id: z.guid().optional().openapi({ description: "Only those of this repository." }),
      })
      .strict(),
  },
  responses: {
    200: {
      description: "The newest first, without their lease tokens.",
      content: { "application/json": { schema: pageOf(triggerSchema) } },
    },
  },
});

const historyRoute = defineRoute("read", {
  method: "get",
  path: "/v1/triggers/{id}/history",
  tags: ["Triggers"],
  summary: "List what happened to a trigger",
  request: { params: idParams, query: pageQuery.strict() },
  responses: {
    200: {
      description: "The latest change first.",
      content: { "application/json": { schema: pageOf(changeSchema) } },
    },
    404: problemResponse("There is no such trigger."),
  },
});

/** Adds the lists to /v1/triggers. */
export function addTriggerListRoutes(
  app: OpenAPIHono<ApiEnv>,
  { store }: { readonly store: Database },
): void {
  app.openapi(listRoute, async (c) => {
    const { limit, cursor, ...query } = c.req.valid("query");
    const ids = await listTriggerIds(store, {
      reach: accessOf(c).reach,
      filter: {
        states: query.state,
        runType: query.run_type,
        targetId: query.target_id,
        kind: query.kind,
        space: query.space,
        commit: query.commit,
        repositoryId: query.repository_id,
      },
      limit: limit + 1,
      before: readCursor(cursor, idCursor)?.id ?? null,
    });
    const shown = ids.slice(0, limit);
    const records = await listTriggerRecords(store, shown);
    const last = shown.at(-1);
    return c.json(
      {
        items: records.map((record) => toTriggerDocument(record, { showLeaseToken: false })),
        next_cursor: ids.length > limit && last !== undefined ? writeCursor({ id: last }) : null,
      },
      200,
    );
  });

  app.openapi(historyRoute, async (c) => {
    const id = parseId(c.req.valid("param").id);
    const { limit, cursor } = c.req.valid("query");
    const owner = await findTriggerOwner(store, id);
    if (owner === null || !isWithinReach(accessOf(c).reach, owner.spaceId)) throw noSuchTrigger();
    const before = readCursor(cursor, idCursor)?.id ?? null;
    const rows = await listTriggerHistory(store, { triggerId: id, limit: limit + 1, before });
    return c.json(
      toPage(rows, { limit, toItem: (row) => row, positionOf: ({ id: at }) => ({ id: at }) }),
      200,
    );
  });
}
