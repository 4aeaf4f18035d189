import type { ChangedFiles } from "./changed-files.ts";
import { decideByFiles, ignore, type Decision, type Evidence, type IgnoreDecision } from "./decide.ts";
import type { PullRequestAction, PullRequestEvent } from "./event.ts";
import { forkOf, refuseFork } from "./fork.ts";
import { isSameSha, type PullRequestState } from "./pull-request.ts";
import { needsChangedFiles, type Target } from "./target.ts";

/** What is decided here. A merge repeats the decisions of its push, and a comment is a command or nothing. */
export type EvaluatedAction = Exclude<PullRequestAction, "merged" | "commented">;

/** A pull request event that `decidePullRequest` decides; its action was refined by what was stored. */
export interface EvaluatedEvent extends PullRequestEvent {
  readonly action: EvaluatedAction;
}

/** One report of a pull request and one target. */
interface Question {
  readonly event: EvaluatedEvent;
  readonly target: Target;
  /** As it is stored now, with this report and any later one. */
  readonly pullRequest: PullRequestState;
}

/** Whether an event is one that `decidePullRequest` decides. */
export function isEvaluated(event: PullRequestEvent): event is EvaluatedEvent {
  return event.action !== "merged" && event.action !== "commented";
}

/**
 * The default policy for a pull request (rules 19 to 22): ignored, or a proposed run, never a tracked one. `files` is what
 * the pull request changes (three-dot) as seen from the target; null for a target that does not need them.
 */
export function decidePullRequest(input: Question & { readonly files: ChangedFiles | null }): Decision {
  const { event, target, files } = input;
  return (
    refusePullRequest(input) ??
    decideByFiles({ target, files, runType: "proposed", evidence: pullRequestEvidence(event) })
  );
}

/** Whether `decidePullRequest` would look at the changed files: if not, Bitbucket need not be asked for them (rule 16). */
export function pullRequestNeedsFiles(
  event: EvaluatedEvent,
  target: Target,
  pullRequest: PullRequestState,
): boolean {
  return needsChangedFiles(target) && refusePullRequest({ event, target, pullRequest }) === null;
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

/** The reasons to run nothing that come before the changed files. */
function refusePullRequest({ event, target, pullRequest }: Question): IgnoreDecision | null {
  if (target.state === "detached") return ignore("integration_detached", {});
  if (target.state === "disabled") return ignore("target_disabled", {});
  const evidence = pullRequestEvidence(event);
  if (event.action === "edited") return ignore("metadata_only", evidence);
  return refuseFork(forkOf(event), target, evidence) ?? decideOldNews(event, pullRequest);
}
