import type { Decision, Evidence } from "./decide.ts";
import type { PullRequestEvent } from "./event.ts";
import { ignore } from "./ignore.ts";
import type { Reason } from "./reason.ts";

/** What the push of a merge commit meant for a target. */
export interface MergePush {
  readonly outcome: Decision["outcome"];
  readonly reason: Reason;
  readonly evidence: Evidence;
  /** The trigger that it made; null when it made none. */
  readonly triggerId: string | null;
}

/**
 * What a merge means: the decision of its push again, but for the run, which that has made (rule 22, decision 8).
 * `push` null: none was told, or the target was not there when it was decided.
 */
export function repeatPush(event: PullRequestEvent, push: MergePush | null): Decision {
  const { number, mergeSha } = event.pullRequest;
  const merge: Evidence = {
    pullRequest: { number, action: event.action },
    ...(mergeSha === null ? {} : { mergeSha }),
  };
  if (push === null) return ignore("stale", merge);
  const { outcome, reason, triggerId } = push;
  const evidence = { ...push.evidence, ...merge };
  if (triggerId !== null) return ignore("duplicate", { ...evidence, duplicateOf: { triggerId } });
  if (outcome !== "ignore" || reason === "triggered" || reason === "held") {
    return ignore("duplicate", evidence);
  }
  return ignore(reason, evidence);
}
