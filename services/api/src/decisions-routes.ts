/** Decisions: what each event meant for each target, and why. */
import { z, type OpenAPIHono } from "@hono/zod-openapi";
import { REASONS } from "@sluice/domain/reason";
import type { Database } from "@sluice/store/client";
import { findDecisionReport, listDecisionReports } from "@sluice/store/decision-reports";

import { accessOf, defineRoute, problemResponse } from "./access/define-route.ts";
import type { ApiEnv } from "./api-env.ts";
import { decisionSchema, OUTCOMES, toDecisionDocument } from "./decision-document.ts";
import { idCursor, instant } from "./list-filters.ts";
import { pageOf, pageQuery, readCursor, toPage } from "./pages.ts";
import { idParams, parseId } from "./path-id.ts";
import { ProblemError } from "./problem.ts";

const listRoute = defineRoute("read", {
  method: "get",
  path: "/v1/decisions",
  tags: ["Decisions"],
  summary: "List decisions",
  description:
    "Those about stacks and modules within your reach, and those about no target of events within it.",
  request: {
    query: pageQuery
      .extend({
        event_id: z.guid().optional().openapi({ description: "Only those of this event." }),
        target_id: z.guid().optional().openapi({ description: "Only those about this stack or module." }),
        reason: z.enum(REASONS).optional().openapi({ description: "Only those with this reason." }),
        outcome: z.enum(OUTCOMES).optional().openapi({ description: "Only those that came to this." }),
        since: instant(
          "Made at this time or later. One that was held and is settled was made when it was held.",
        ),
      })
      .strict(),
  },
  responses: {
    200: {
      description: "The newest first.",
      content: { "application/json": { schema: pageOf(decisionSchema) } },
    },
  },
});

const getRoute = defineRoute("read", {
  method: "get",
  path: "/v1/decisions/{id}",
  tags: ["Decisions"],
  summary: "Look at a decision",
  request: { params: idParams },
  responses: {
    200: { description: "The decision.", content: { "application/json": { schema: decisionSchema } } },
    404: problemResponse("There is no such decision within your reach."),
  },
});

/** Adds the routes of /v1/decisions. */
export function addDecisionRoutes(app: OpenAPIHono<ApiEnv>, { store }: { readonly store: Database }): void {
  app.openapi(listRoute, async (c) => {
    const { limit, cursor, event_id, target_id, reason, outcome, since } = c.req.valid("query");
    const rows = await listDecisionReports(store, {
      reach: accessOf(c).reach,
      filter: { eventId: event_id, targetId: target_id, reason, outcome, since },
      limit: limit + 1,
      before: readCursor(cursor, idCursor)?.id ?? null,
    });
    return c.json(toPage(rows, { limit, toItem: toDecisionDocument, positionOf: ({ id }) => ({ id }) }), 200);
  });

  app.openapi(getRoute, async (c) => {
    const id = parseId(c.req.valid("param").id);
    const report = await findDecisionReport(store, { id, reach: accessOf(c).reach });
    if (report === null) throw new ProblemError("not_found", "There is no decision with this id.");
    return c.json(toDecisionDocument(report), 200);
  });
}
