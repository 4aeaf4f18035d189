import { assertNever } from "./assert-never.ts";
import type { Evidence } from "./decide.ts";
import type { Reason } from "./reason.ts";

/** A decision as it is stored. */
export interface StoredDecision {
  readonly reason: Reason;
  readonly evidence: Evidence;
  readonly runType: "tracked" | "proposed" | null;
}

/** One sentence for people: why a decision is what it is. */
export function explain({ reason, evidence, runType }: StoredDecision): string {
  switch (reason) {
    case "triggered":
      return `A ${runType ?? "proposed"} run was triggered: ${whyAffected(evidence)}.`;
    case "held":
      return `Held for a person: the changed files are not known (${evidence.files?.because ?? "no reason kept"}).`;
    case "no_target":
      return "No stack or module uses this repository.";
    case "outside_project_root":
      return whyOutside(evidence);
    case "tag":
      return `${evidence.ref?.name ?? "The ref"} is a tag; tags run nothing.`;
    case "branch_deleted":
      return `The branch ${evidence.ref?.name ?? ""} was deleted; there is nothing to run.`;
    case "duplicate":
      return whyDuplicate(evidence);
    case "unsupported_event":
      return `Sluice does not act on ${evidence.eventKey ?? `refs of the kind ${evidence.ref?.kind ?? "unknown"}`}.`;
    case "stale":
      return whyStale(evidence);
    case "integration_detached":
      return "The target has no integration: the one it used was deleted. Give it another.";
    case "target_disabled":
      return evidence.disabled === "integration"
        ? "The integration of the target is disabled."
        : "The target is disabled.";
    case "baseline":
      return `A sweep found ${whatASweepSees(evidence)} here when it first looked at it for this target: that is where the target begins, and it runs nothing.`;
    case "run_limit":
      return whyLimited(evidence);
    case "metadata_only":
      return `${aPullRequest(evidence)} was edited; its head and its base are where they were, so there is nothing to run.`;
    case "fork_not_allowed":
      return whyForkRefused(evidence);
    case "closed":
      return `${aPullRequest(evidence)} ${howItEnded(evidence)}; nothing is proposed for it any more.`;
    case "not_a_command":
      return `The comment asks for no run here${because(evidence.command)}.`;
    case "command_refused":
      return `The command ${evidence.command?.text ?? "of the comment"} was refused${because(evidence.command)}.`;
    case "module_version_refused":
      return whyVersionRefused(evidence);
    case "locked":
    case "policy_ignored":
    case "policy_no_match":
    case "default_policy_disabled":
      return `Ignored: ${reason.replaceAll("_", " ")}.`;
    default:
      return assertNever(reason);
  }
}

function whyAffected(evidence: Evidence): string {
  const { files, command } = evidence;
  if (command !== undefined) return `${command.because ?? "a comment asked for it"} (${command.text})`;
  const where = whereItHappened(evidence);
  if (files === undefined) {
    const what = evidence.pullRequest === undefined ? "push" : "commit";
    return `every ${what}${where} concerns this target, which has no project root`;
  }
  const [first] = files.matched;
  if (first === undefined) return files.because ?? `every file counts as changed${where}`;
  const rule =
    first.rule.kind === "project_root" ? `is under ${first.rule.value}` : `matches ${first.rule.value}`;
  const others = files.total > 1 ? ` (and ${String(files.total - 1)} more)` : "";
  return `${first.path}${others} ${rule}${where}`;
}

function whereItHappened({ pullRequest, ref, trackedBranch }: Evidence): string {
  if (pullRequest !== undefined) return ` in pull request ${String(pullRequest.number)}`;
  if (ref === undefined) return "";
  return ref.name === trackedBranch ? ` on the tracked branch ${ref.name}` : ` on ${ref.name}`;
}

function whyOutside({ files, resolvedBy }: Evidence): string {
  if (resolvedBy !== undefined)
    return `The changed files were not known, and ${resolvedBy} chose not to run this target.`;
  if (files?.known === false)
    return `The changed files are not known (${files.because ?? ""}), and the target skips such events.`;
  return "No changed file is under the target's project root or matches one of its globs.";
}

function whyDuplicate({ duplicateOf, mergeSha }: Evidence): string {
  if (mergeSha === undefined) {
    return `This commit already has such a run on the target: trigger ${duplicateOf?.triggerId ?? "unknown"}.`;
  }
  const made = duplicateOf === undefined ? "" : `: trigger ${duplicateOf.triggerId}`;
  return `The push of the merge commit ${mergeSha} has been decided for this target already${made}.`;
}

function whyStale(evidence: Evidence): string {
  const { overtakenBy, pullRequest } = evidence;
  if (overtakenBy !== undefined || pullRequest === undefined) {
    return `A newer commit of the target was handed out before this one was known (trigger ${overtakenBy?.triggerId ?? "unknown"}); to run this one now would roll it back.`;
  }
  if (pullRequest.head !== undefined) {
    return `${aPullRequest(evidence)} has come to another commit since, ${pullRequest.head}; that one counts.`;
  }
  return pullRequest.action === "merged"
    ? `${aPullRequest(evidence)} was merged, and nothing was decided for this target of the push that did it.`
    : `Bitbucket does not have the commit that was the head of ${asWithin(aPullRequest(evidence))} then.`;
}

function whyForkRefused(evidence: Evidence): string {
  const { fork } = evidence;
  const from = `${aPullRequest(evidence)} comes from`;
  if (fork === undefined) return `${from} a fork, and the target does not allow its workspace.`;
  if (fork.fullName === null) return `${from} a fork that is gone, so nobody can say whose it was.`;
  return `${from} the fork ${fork.fullName}, whose workspace is not in the target's allowed_fork_workspaces.`;
}

function whyVersionRefused({ moduleVersion }: Evidence): string {
  if (moduleVersion === undefined) return "The module's version was refused: it is not above its last.";
  const { version, last } = moduleVersion;
  if (version === null) return `The module's version cannot be told${because(moduleVersion)}.`;
  if (moduleVersion.because !== undefined)
    return `The module's version ${version} was refused${because(moduleVersion)}.`;
  return `The module's version ${version} is not above its last, ${last ?? "which is unknown"}: a version is released once. Raise it.`;
}

function aPullRequest({ pullRequest }: Evidence): string {
  return pullRequest === undefined ? "The pull request" : `Pull request ${String(pullRequest.number)}`;
}

function whatASweepSees(evidence: Evidence): string {
  return evidence.pullRequest === undefined
    ? (evidence.ref?.name ?? "the branch")
    : asWithin(aPullRequest(evidence));
}

/** As it is written when the sentence does not begin with it. */
function asWithin(words: string): string {
  return words.charAt(0).toLowerCase() + words.slice(1);
}

function howItEnded({ pullRequest }: Evidence): string {
  switch (pullRequest?.state) {
    case "MERGED":
      return "was merged";
    case "DECLINED":
      return "was declined";
    case "SUPERSEDED":
      return "was superseded";
    default:
      return "is not open";
  }
}

/** `: because`, or nothing. */
function because(from: { readonly because?: string } | undefined): string {
  return from?.because === undefined ? "" : `: ${from.because}`;
}

function whyLimited({ runLimit }: Evidence): string {
  if (runLimit === undefined) return "The event would have triggered more runs than one event may: none was.";
  const { triggers, limit } = runLimit;
  return `The event would have triggered ${String(triggers)} runs, and one event may trigger at most ${String(limit)}: none was. The limit is MAX_TRIGGERS_PER_EVENT.`;
}
