import type { InterventionOutcome } from "@sluice/store/trigger-interventions";
import type { ReportOutcome } from "@sluice/store/trigger-reports";

import { ProblemError } from "./problem.ts";

/**
 * The answer to a report or an intervention that was accepted.
 * @throws ProblemError that says who has the trigger now, or which state forbids it.
 */
export function acceptedOutcome(id: string, outcome: ReportOutcome | InterventionOutcome) {
  switch (outcome.kind) {
    case "ok":
      return {
        id,
        state: outcome.state,
        cancel_requested: outcome.cancelRequested,
        lease_expires_at: outcome.leaseExpiresAt,
      };
    case "not_found":
      throw noSuchTrigger();
    case "not_holder": {
      const who = outcome.holder === null ? "Nobody holds it" : `${outcome.holder} holds it`;
      throw new ProblemError(
        "lease_not_held",
        `The lease token is not the present one. ${who}.`,
        hold(outcome),
      );
    }
    case "still_held": {
      const detail = `${outcome.holder ?? "Its holder"} holds it until ${outcome.leaseExpiresAt}. Ask for its cancellation, or use force.`;
      throw new ProblemError("still_held", detail, hold(outcome));
    }
    case "conflict":
      throw new ProblemError("state_conflict", `The trigger is ${outcome.state}.`, { state: outcome.state });
  }
}

/** The same for one that is out of reach. */
export function noSuchTrigger(): ProblemError {
  return new ProblemError("not_found", "There is no trigger with this id.");
}

function hold(outcome: Extract<ReportOutcome | InterventionOutcome, { readonly holder: string | null }>) {
  const { state, holder, leaseExpiresAt } = outcome;
  return { state, holder, lease_expires_at: leaseExpiresAt };
}
