/** Deliveries as the API shows them. */
import { z } from "@hono/zod-openapi";
import type { DeliveryRecord, DeliveryReport, EventReport } from "@sluice/store/delivery-reports";

import { decisionSchema, toDecisionDocument } from "./decision-document.ts";
import { eventFields, toEventFields } from "./event-document.ts";

/** What can become of a delivery. */
export const DELIVERY_OUTCOMES = ["events", "no_events", "unsupported", "failed"] as const;

export const deliverySchema = z
  .object({
    id: z.guid(),
    request_id: z.string().openapi({ description: "Bitbucket's `X-Request-UUID`." }),
    source: z
      .enum(["webhook", "sweep"])
      .openapi({ description: "`sweep`: nobody told of it; a sweep found it." }),
    event_key: z.string().openapi({ example: "repo:push" }),
    attempt: z.int().openapi({ description: "Bitbucket's `X-Attempt-Number`." }),
    secret_version: z
      .enum(["current", "previous"])
      .nullable()
      .openapi({ description: "The secret that verified it; null: a sweep found it, and nobody signed it." }),
    integration: z.object({ id: z.guid(), name: z.string() }),
    received_at: z.iso.datetime(),
    recorded_at: z.iso.datetime(),
    outcome: z.enum(DELIVERY_OUTCOMES),
    failure: z
      .object({ code: z.string(), path: z.string(), message: z.string() })
      .nullable()
      .openapi({ description: "Why it could not be read; `path` is a place in its JSON." }),
    body_bytes: z.int(),
    url: z.string(),
  })
  .openapi("Delivery");

export const deliveryReportSchema = deliverySchema
  .extend({
    events: z
      .array(z.object({ ...eventFields, decisions: z.array(decisionSchema) }))
      .openapi({ description: "With the decisions about stacks and modules within your reach." }),
  })
  .openapi("DeliveryReport");

/** A delivery without its events. */
export function toDeliveryDocument(delivery: DeliveryRecord): z.infer<typeof deliverySchema> {
  const { id, source, attempt, integration, outcome, failure } = delivery;
  return {
    id,
    request_id: delivery.requestId,
    source,
    event_key: delivery.eventKey,
    attempt,
    secret_version: delivery.secretVersion,
    integration,
    received_at: delivery.receivedAt,
    recorded_at: delivery.recordedAt,
    outcome,
    failure,
    body_bytes: delivery.bodyBytes,
    url: `/v1/deliveries/${id}`,
  };
}

/** A delivery with its events, and what each meant. */
export function toDeliveryReport(report: DeliveryReport): z.infer<typeof deliveryReportSchema> {
  return { ...toDeliveryDocument(report), events: report.events.map(toEventOfDelivery) };
}

function toEventOfDelivery({ decisions, ...event }: EventReport) {
  return { ...toEventFields(event), decisions: decisions.map(toDecisionDocument) };
}
