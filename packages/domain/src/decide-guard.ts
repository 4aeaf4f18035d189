/** What is Sluice's own to say about an event and a target: no policy is asked about it, and none can overrule it. */
import { assertNever } from "./assert-never.ts";
import { guardCommand } from "./comment-command-decision.ts";
import { repeatPush } from "./decide-merge.ts";
import { guardPullRequest } from "./decide-pull-request.ts";
import { guardPush } from "./decide-push.ts";
import type { Decision, DecideContext, Evidence, RunType } from "./decide.ts";
import type { Event, PullRequestEvent, PushEvent } from "./event.ts";
import { ignore } from "./ignore.ts";
import type { Target } from "./target.ts";

/** What is left to be asked about an event and a target. */
export type Guarded =
  /** Nothing. */
  | { readonly kind: "decided"; readonly decision: Decision }
  /** Nothing but which files to show: a person asked for this run, whatever was changed (rule 24). */
  | { readonly kind: "asked_for"; readonly runType: RunType; readonly evidence: Evidence }
  /** What the policy says. */
  | OpenQuestion;

/** What a policy is asked. */
export interface OpenQuestion {
  readonly kind: "open";
  readonly event: PushEvent | PullRequestEvent;
  /** What is known so far. */
  readonly evidence: Evidence;
  /** A comment asked for proposed runs, which anybody may: what the policy says to track is proposed. Default: false. */
  readonly isProposal?: boolean;
}

/** What guards look at: not the changed files, so that they can tell whether those have to be asked for (rule 16). */
export type GuardContext = Omit<DecideContext, "files">;

/** Looks for a reason that comes before the policy. */
export function guard(event: Event, target: Target, context: GuardContext): Guarded {
  switch (event.kind) {
    case "unsupported":
      return {
        kind: "decided",
        decision: ignore("unsupported_event", { eventKey: event.eventKey }),
      };
    case "push":
      return guardPush(event, target, context);
    case "pull_request":
      return guardReport(event, target, context);
    default:
      return assertNever(event);
  }
}

function guardReport(event: PullRequestEvent, target: Target, context: GuardContext): Guarded {
  switch (event.action) {
    case "merged":
      return { kind: "decided", decision: repeatPush(event, context.mergePush ?? null) };
    case "commented":
      return guardCommand(event, target, context);
    default:
      return guardPullRequest(event, target, context);
  }
}
