/** Every state of a trigger (rule 28). */
export const TRIGGER_STATES = [
  "blocked",
  "queued",
  "claimed",
  "running",
  "waiting",
  "lost",
  "succeeded",
  "failed",
  "canceled",
  "superseded",
] as const;

export type TriggerState = (typeof TRIGGER_STATES)[number];

/** States in which a tracked trigger keeps its target's slot: a second apply is worse than a late one (rule 28). */
export const SLOT_STATES = ["claimed", "running", "waiting", "lost"] as const;

/** How a holder may end a run. */
export const RUN_RESULTS = ["succeeded", "failed", "canceled"] as const;

export type RunResult = (typeof RUN_RESULTS)[number];
