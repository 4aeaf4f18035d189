/** Deliveries: what became of each webhook, and the bytes as they came. */
import { z, type OpenAPIHono } from "@hono/zod-openapi";
import { isWithinReach, type Access } from "@sluice/domain/access";
import { findDeliveryBody } from "@sluice/store/delivery-bodies";
import { findDeliveryReport, findSpaceOfDelivery, listDeliveryRecords } from "@sluice/store/delivery-reports";

import { accessOf, defineRoute, problemResponse } from "./access/define-route.ts";
import type { ApiEnv } from "./api-env.ts";
import { text } from "./body-text.ts";
import { change, type ChangeContext } from "./change.ts";
import {
  DELIVERY_OUTCOMES,
  deliveryReportSchema,
  deliverySchema,
  toDeliveryDocument,
  toDeliveryReport,
} from "./delivery-document.ts";
import { idCursor, instant } from "./list-filters.ts";
import { pageOf, pageQuery, readCursor, toPage } from "./pages.ts";
import { idParams, parseId } from "./path-id.ts";
import { ProblemError } from "./problem.ts";

/** Of the headers that are kept, the ones that nobody is shown. */
const HIDDEN_HEADER = /signature|authorization|cookie/i;

const bodySchema = z
  .object({
    id: z.guid(),
    request_id: z.string(),
    headers: z.record(z.string(), z.string()).openapi({ description: "Without the signature." }),
    body_bytes: z.int(),
    body_base64: z.string().openapi({ description: "The bytes as they came, which the signature is of." }),
  })
  .openapi("DeliveryBody");

const listRoute = defineRoute("read", {
  method: "get",
  path: "/v1/deliveries",
  tags: ["Deliveries"],
  summary: "List deliveries",
  description:
    "Those to integrations within your reach, and those from repositories with a stack or module within it.",
  request: {
    query: pageQuery
      .extend({
        integration_id: z.guid().optional().openapi({ description: "Only those to this integration." }),
        outcome: z.enum(DELIVERY_OUTCOMES).optional().openapi({ description: "Only what became this." }),
        event_key: text(100).optional().openapi({ description: "Only this key.", example: "repo:push" }),
        since: instant("Recorded at this time or later."),
        until: instant("Recorded before this time."),
      })
      .strict(),
  },
  responses: {
    200: {
      description: "The last to be recorded first.",
      content: { "application/json": { schema: pageOf(deliverySchema) } },
    },
  },
});

const getRoute = defineRoute("read", {
  method: "get",
  path: "/v1/deliveries/{id}",
  tags: ["Deliveries"],
  summary: "Look at a delivery, with its events and what each meant",
  description: "By our id, or by Bitbucket's `X-Request-UUID`.",
  request: { params: idParams },
  responses: {
    200: { description: "The delivery.", content: { "application/json": { schema: deliveryReportSchema } } },
    404: problemResponse("There is no such delivery within your reach, or it is not recorded yet."),
  },
});

const bodyRoute = defineRoute("admin", {
  method: "get",
  path: "/v1/deliveries/{id}/body",
  tags: ["Deliveries"],
  summary: "Look at what came, byte for byte",
  description:
    "For admins of the integration's space; of the default integration, for admins of the root. The look is in the audit log before the body is answered.",
  request: { params: idParams },
  responses: {
    200: { description: "What came.", content: { "application/json": { schema: bodySchema } } },
    404: problemResponse("There is no such delivery within your reach, or its body is not kept any more."),
  },
});

/** Adds the routes of /v1/deliveries. */
export function addDeliveryRoutes(app: OpenAPIHono<ApiEnv>, context: ChangeContext): void {
  const { store } = context;

  app.openapi(listRoute, async (c) => {
    const { limit, cursor, integration_id, outcome, event_key, since, until } = c.req.valid("query");
    const rows = await listDeliveryRecords(store, {
      reach: accessOf(c).reach,
      filter: { integrationId: integration_id, outcome, eventKey: event_key, since, until },
      limit: limit + 1,
      before: readCursor(cursor, idCursor)?.id ?? null,
    });
    return c.json(toPage(rows, { limit, toItem: toDeliveryDocument, positionOf: ({ id }) => ({ id }) }), 200);
  });

  app.openapi(getRoute, async (c) => {
    const id = parseId(c.req.valid("param").id);
    const report = await findDeliveryReport(store, id, accessOf(c).reach);
    if (report === null) throw noSuchDelivery();
    return c.json(toDeliveryReport(report), 200);
  });

  app.openapi(bodyRoute, async (c) => {
    const id = parseId(c.req.valid("param").id);
    const options = { permission: "admin", status: 200, schema: bodySchema } as const;
    const answer = await change(c, context, options, async (tx, access) => {
      const delivery = await findDeliveryReport(tx, id, access.reach);
      if (delivery === null) throw noSuchDelivery();
      const spaceId = await findSpaceOfDelivery(tx, delivery.id);
      requireAdminOf(spaceId, access);
      const kept = await findDeliveryBody(tx, delivery.id);
      if (kept === null) throw new ProblemError("not_found", "Its body is not kept any more.");
      const subject = { kind: "delivery", id: delivery.id, name: delivery.requestId };
      const details = { integration: delivery.integration.name, event_key: delivery.eventKey };
      return {
        body: {
          id: delivery.id,
          request_id: delivery.requestId,
          headers: withoutSecrets(kept.headers),
          body_bytes: kept.body.byteLength,
          body_base64: Buffer.from(kept.body).toString("base64"),
        },
        audit: [{ action: "delivery_body.seen", subject, spaceId, details }],
      };
    });
    c.header("cache-control", "no-store");
    return c.json(answer, 200);
  });
}

/** Who sees a delivery because a target of his has its repository is not shown what else it says. */
function requireAdminOf(spaceId: string | null, { reach }: Access): void {
  if (isWithinReach(reach, spaceId)) return;
  const detail =
    "What came is shown to admins of the integration's space, and of the default one to admins of the root.";
  throw new ProblemError("forbidden", detail);
}

function withoutSecrets(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HIDDEN_HEADER.test(name)));
}

function noSuchDelivery(): ProblemError {
  const detail = "No delivery has this id. One that was only just accepted may not be recorded yet.";
  return new ProblemError("not_found", detail);
}
