/** Triggers in the description of the API: docs/trigger.md has every field, docs/schemas/trigger-1.json checks them. */
import { z } from "@hono/zod-openapi";
import { TRIGGER_STATES } from "@sluice/domain/trigger";
import type { TriggerDocument } from "@sluice/domain/trigger-document";

/** A trigger as schedulers and people see it. */
export const triggerSchema = z.custom<TriggerDocument>().openapi("Trigger", {
  type: "object",
  description:
    "`sluice.trigger/1`. Fields may be added to it; docs/schemas/trigger-1.json is its JSON Schema.",
  required: ["schema", "id", "run_type", "state", "target", "repository", "checkout"],
  properties: {
    schema: { type: "string", const: "sluice.trigger/1" },
    id: { type: "string", format: "uuid" },
    run_type: { type: "string", enum: ["tracked", "proposed"] },
    state: { type: "string", enum: [...TRIGGER_STATES] },
    target: { type: "object" },
    repository: { type: "object" },
    checkout: { type: "object" },
  },
});

/** What every report and intervention is answered. */
export const outcomeSchema = z
  .object({
    id: z.guid(),
    state: z.enum(TRIGGER_STATES),
    cancel_requested: z.boolean().openapi({ description: "You are asked to stop as soon as it is safe." }),
    lease_expires_at: z.iso
      .datetime()
      .nullable()
      .openapi({ description: "Null: nothing is held, or a waiting run is held without an end." }),
  })
  .openapi("TriggerOutcome");
