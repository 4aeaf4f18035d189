/** Decisions as the API shows them: each in words too. */
import { z } from "@hono/zod-openapi";
import { explain } from "@sluice/domain/explain";
import { REASONS } from "@sluice/domain/reason";
import { decisionUrl } from "@sluice/domain/trigger-document";
import type { DecisionReport } from "@sluice/store/decision-reports";

import { toSnakeCase } from "./snake-case.ts";

/** What a decision can come to. */
export const OUTCOMES = ["trigger", "hold", "ignore"] as const;

export const decisionSchema = z
  .object({
    id: z.guid(),
    event_id: z.guid(),
    delivery_id: z.guid(),
    outcome: z.enum(OUTCOMES).openapi({ description: "`hold`: a person has to say." }),
    run_type: z.enum(["tracked", "proposed"]).nullable(),
    reason: z.enum(REASONS),
    evidence: z
      .record(z.string(), z.unknown())
      .openapi({ description: "What the reason rests on; only what played a part is there." }),
    sentence: z.string().openapi({ description: "The same for people." }),
    target: z
      .object({ id: z.guid(), kind: z.enum(["stack", "module"]), name: z.string(), space: z.string() })
      .nullable()
      .openapi({ description: "Null: the event concerns no target." }),
    decided_at: z.iso.datetime(),
    url: z.string(),
    trigger_id: z.guid().nullable().openapi({ description: "The trigger that it made." }),
    trigger_url: z.string().nullable(),
  })
  .openapi("Decision");

/** A decision as it is answered. */
export type DecisionDocument = z.infer<typeof decisionSchema>;

/** A decision with its sentence, and with where it and its trigger are found. */
export function toDecisionDocument(decision: DecisionReport): DecisionDocument {
  const { id, outcome, reason, evidence, target, triggerId } = decision;
  return {
    id,
    event_id: decision.eventId,
    delivery_id: decision.deliveryId,
    outcome,
    run_type: decision.runType,
    reason,
    evidence: toSnakeCase(evidence),
    sentence: explain(decision),
    target,
    decided_at: decision.decidedAt,
    url: decisionUrl(id),
    trigger_id: triggerId,
    trigger_url: triggerId === null ? null : `/v1/triggers/${triggerId}`,
  };
}
