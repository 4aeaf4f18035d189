import type { Evidence, IgnoreDecision } from "./decide.ts";

/** A decision that nothing is to run, and why. */
export function ignore(reason: IgnoreDecision["reason"], evidence: Evidence): IgnoreDecision {
  return { outcome: "ignore", reason, evidence };
}
