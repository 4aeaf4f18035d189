/** Events: what the deliveries said, and what became of each, or why it waits. */
import { z, type OpenAPIHono } from "@hono/zod-openapi";
import type { Reach } from "@sluice/domain/access";
import type { Database } from "@sluice/store/client";
import { explainEvents } from "@sluice/store/event-explanations";
import { findEventDelivery, listEventRecords } from "@sluice/store/event-records";
import { findEventWaits } from "@sluice/store/event-waits";

import { accessOf, defineRoute, problemResponse } from "./access/define-route.ts";
import type { ApiEnv } from "./api-env.ts";
import { text } from "./body-text.ts";
import {
  EVENT_KINDS,
  eventSchema,
  explainedEventSchema,
  toEventDocument,
  toExplainedEvent,
} from "./event-document.ts";
import { commitPrefix, flag, idCursor } from "./list-filters.ts";
import { pageOf, pageQuery, readCursor, toPage } from "./pages.ts";
import { idParams, parseId } from "./path-id.ts";
import { pullRequestNumber } from "./pull-request-document.ts";
import { ProblemError } from "./problem.ts";

const listRoute = defineRoute("read", {
  method: "get",
  path: "/v1/events",
  tags: ["Events"],
  summary: "List events",
  description:
    "Those of integrations within your reach, and of repositories with a stack or module within it.",
  request: {
    query: pageQuery
      .extend({
        repository_id: z.guid().optional().openapi({ description: "Only those of this repository." }),
        kind: z.enum(EVENT_KINDS).optional().openapi({ description: "Only this kind." }),
        event_key: text(100).optional().openapi({ description: "Only this key.", example: "repo:push" }),
        commit: commitPrefix("Only pushes that came to it, and pull requests with it as their head."),
        pull_request: pullRequestNumber()
          .optional()
          .openapi({ description: "Only those of this number; `repository_id` has to be given too." }),
        undecided: flag("Only those that wait for their decisions."),
      })
      .strict()
      .refine((query) => query.pull_request === undefined || query.repository_id !== undefined, {
        path: ["pull_request"],
        error: "needs `repository_id`: each repository has its own numbers",
      }),
  },
  responses: {
    200: {
      description: "The newest first.",
      content: { "application/json": { schema: pageOf(eventSchema) } },
    },
  },
});

const getRoute = defineRoute("read", {
  method: "get",
  path: "/v1/events/{id}",
  tags: ["Events"],
  summary: "Look at an event, with what it meant or what it waits for",
  request: { params: idParams },
  responses: {
    200: { description: "The event.", content: { "application/json": { schema: explainedEventSchema } } },
    404: problemResponse("There is no such event within your reach."),
  },
});

/** Adds the routes of /v1/events. */
export function addEventRoutes(app: OpenAPIHono<ApiEnv>, { store }: { readonly store: Database }): void {
  app.openapi(listRoute, async (c) => {
    const { limit, cursor, ...query } = c.req.valid("query");
    const rows = await listEventRecords(store, {
      reach: accessOf(c).reach,
      filter: {
        repositoryId: query.repository_id,
        kind: query.kind,
        eventKey: query.event_key,
        commit: query.commit,
        pullRequest: query.pull_request,
        isUndecided: query.undecided,
      },
      limit: limit + 1,
      before: readCursor(cursor, idCursor)?.id ?? null,
    });
    return c.json(toPage(rows, { limit, toItem: toEventDocument, positionOf: ({ id }) => ({ id }) }), 200);
  });

  app.openapi(getRoute, async (c) => {
    const id = parseId(c.req.valid("param").id);
    const document = await explainEvent(store, { id, reach: accessOf(c).reach });
    if (document === null) throw new ProblemError("not_found", "There is no event with this id.");
    return c.json(document, 200);
  });
}

async function explainEvent(db: Database, { id, reach }: { readonly id: string; readonly reach: Reach }) {
  const deliveryId = await findEventDelivery(db, { id, reach });
  if (deliveryId === null) return null;
  const referred = { deliveryId, eventId: id, triggerId: null };
  const [explanation] = await explainEvents(db, [referred], { kind: "reached", reach });
  if (explanation === undefined || explanation.event === null) return null;
  const { event } = explanation;
  const waits = event.decidedAt === null ? await findEventWaits(db, id) : null;
  return toExplainedEvent(explanation, event, waits);
}
