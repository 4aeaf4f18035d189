import type { Guarded, GuardContext } from "./decide-guard.ts";
import type { Decision, Evidence } from "./decide.ts";
import type { PushEvent } from "./event.ts";
import { ignore } from "./ignore.ts";
import { versionOfTag } from "./module-version.ts";
import { refuseTarget, type Target } from "./target.ts";

/** What comes before the policy for a push (rules 5, 20, 23, 31, 34): it is asked about branches that are there. */
export function guardPush(event: PushEvent, target: Target, { isBaseline = false }: GuardContext): Guarded {
  const ref = { kind: event.refKind, name: event.refName };
  const evidence: Evidence = { ref, trackedBranch: target.trackedBranch };
  const decision = refuseTarget(target) ?? decideRef(event, target, { ref });
  if (decision !== null) return { kind: "decided", decision };
  return isBaseline
    ? { kind: "decided", decision: ignore("baseline", evidence) }
    : { kind: "open", event, evidence };
}

/** What a ref means that is not a branch, or is no more; null for one that is. */
function decideRef(event: PushEvent, target: Target, evidence: Evidence): Decision | null {
  if (event.refKind === "tag") return decideTag(event, target, evidence);
  if (event.refKind === "other") return ignore("unsupported_event", evidence);
  return event.change === "deleted" ? ignore("branch_deleted", evidence) : null;
}

/** Tags run nothing (rule 20), but for a module that is released by them: each version is a tracked run (rule 31). */
function decideTag({ refName, change }: PushEvent, target: Target, evidence: Evidence): Decision {
  const isRelease = target.moduleVersionSource === "tag" && change !== "deleted";
  const moduleVersion = isRelease ? versionOfTag(refName) : null;
  if (moduleVersion === null) return ignore("tag", evidence);
  return { outcome: "trigger", runType: "tracked", reason: "triggered", evidence, moduleVersion };
}
