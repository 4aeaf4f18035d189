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
      return `This commit already has such a run on the target: trigger ${evidence.duplicateOf?.triggerId ?? "unknown"}.`;
    case "unsupported_event":
      return `Sluice does not act on ${evidence.eventKey ?? `refs of the kind ${evidence.ref?.kind ?? "unknown"}`}.`;
    case "stale":
      return `A newer commit of the target was handed out before this one was known (trigger ${evidence.overtakenBy?.triggerId ?? "unknown"}); to run this one now would roll it back.`;
    case "integration_detached":
      return "The target has no integration: the one it used was deleted. Give it another.";
    case "target_disabled":
      return "The target is disabled.";
    case "baseline":
      return `A sweep found ${evidence.ref?.name ?? "the branch"} here when it first looked at it for this target: that is where the target begins, and it runs nothing.`;
    case "run_limit":
      return whyLimited(evidence);
    case "metadata_only":
    case "fork_not_allowed":
    case "not_a_command":
    case "command_refused":
    case "locked":
    case "policy_ignored":
    case "policy_no_match":
    case "default_policy_disabled":
    case "closed":
      return `Ignored: ${reason.replaceAll("_", " ")}.`;
    default:
      return assertNever(reason);
  }
}

function whyAffected({ files, trackedBranch, ref }: Evidence): string {
  const where =
    ref === undefined
      ? ""
      : ref.name === trackedBranch
        ? ` on the tracked branch ${ref.name}`
        : ` on ${ref.name}`;
  if (files === undefined) return `every push${where} concerns this target, which has no project root`;
  const [first] = files.matched;
  if (first === undefined) return `${files.because ?? "every file counts as changed"}${where}`;
  const rule =
    first.rule.kind === "project_root" ? `is under ${first.rule.value}` : `matches ${first.rule.value}`;
  const others = files.total > 1 ? ` (and ${String(files.total - 1)} more)` : "";
  return `${first.path}${others} ${rule}${where}`;
}

function whyOutside({ files, resolvedBy }: Evidence): string {
  if (resolvedBy !== undefined)
    return `The changed files were not known, and ${resolvedBy} chose not to run this target.`;
  if (files?.known === false)
    return `The changed files are not known (${files.because ?? ""}), and the target skips such events.`;
  return "No changed file is under the target's project root or matches one of its globs.";
}

function whyLimited({ runLimit }: Evidence): string {
  if (runLimit === undefined) return "The event would have triggered more runs than one event may: none was.";
  const { triggers, limit } = runLimit;
  return `The event would have triggered ${String(triggers)} runs, and one event may trigger at most ${String(limit)}: none was. The limit is MAX_TRIGGERS_PER_EVENT.`;
}
