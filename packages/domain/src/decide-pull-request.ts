import type { Guarded, GuardContext } from "./decide-guard.ts";
import type { Evidence, IgnoreDecision } from "./decide.ts";
import type { PullRequestEvent } from "./event.ts";
import { forkOf, refuseFork } from "./fork.ts";
import { ignore } from "./ignore.ts";
import { isSameSha, type PullRequestState } from "./pull-request.ts";
import { refuseTarget, type Target } from "./target.ts";

/**
 * What comes before the policy for a report of a pull request (rules 5, 21, 22, 34), whose action was refined by what was
 * stored; neither a merge nor a comment.
 */
export function guardPullRequest(event: PullRequestEvent, target: Target, context: GuardContext): Guarded {
  const evidence = pullRequestEvidence(event);
  const decision = refuseTarget(target) ?? refuseReport(event, target, evidence, context);
  return decision === null ? { kind: "open", event, evidence } : { kind: "decided", decision };
}

function refuseReport(
  event: PullRequestEvent,
  target: Target,
  evidence: Evidence,
  { isBaseline = false, pullRequest }: GuardContext,
): IgnoreDecision | null {
  if (isBaseline) return ignore("baseline", evidence);
  if (event.action === "edited") return ignore("metadata_only", evidence);
  return (
    refuseFork(forkOf(event), target, evidence) ?? decideOldNews(event, pullRequest ?? event.pullRequest)
  );
}

const RUNNING_STATES: ReadonlySet<string> = new Set(["OPEN", "MERGED"]);

/**
 * Why a report has nothing to run any more, by what is stored now: the pull request was declined, its branch is gone, or its
 * head is another (decision 8). Null: it tells what is so. A merge ends nothing: what was proposed before it and is told
 * after it runs as it would have.
 */
export function decideOldNews(
  event: PullRequestEvent,
  pullRequest: Pick<PullRequestState, "state" | "source">,
): IgnoreDecision | null {
  const evidence = pullRequestEvidence(event);
  const about = { number: event.pullRequest.number, action: event.action };
  if (event.action === "closed" || !RUNNING_STATES.has(pullRequest.state)) {
    return ignore("closed", { ...evidence, pullRequest: { ...about, state: pullRequest.state } });
  }
  const head = pullRequest.source.sha;
  if (head === null) return ignore("branch_deleted", evidence);
  return isSameSha(event.pullRequest.source.sha, head)
    ? null
    : ignore("stale", { ...evidence, pullRequest: { ...about, head } });
}

/** What every decision about a pull request says: which it is, where it comes from, and what was told of it. */
export function pullRequestEvidence(event: PullRequestEvent): Evidence {
  const fork = forkOf(event);
  return {
    ref: { kind: "branch", name: event.pullRequest.source.branch },
    pullRequest: { number: event.pullRequest.number, action: event.action },
    ...(fork === null ? {} : { fork }),
  };
}
