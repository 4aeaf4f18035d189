import { isAffected, NOT_ASKED_FOR } from "./affected.ts";
import { assertNever } from "./assert-never.ts";
import type { ChangedFiles } from "./changed-files.ts";
import type { RunType } from "./decide.ts";
import type { PolicyAnswer, PolicyInput, ProjectRules } from "./policy.ts";

/**
 * The default policy (rules 16 to 20), which reads its input alone: what was changed concerns the target or not; a push to
 * the tracked branch is tracked, anything else proposed; and where the changed files are not known, the target says what
 * to do.
 */
export function defaultPolicy(input: PolicyInput): PolicyAnswer {
  if (input.pull_request === null && input.push.branch === "") {
    return { kind: "ignore", reason: "tag", evidence: {} };
  }
  const project = input.stack === null ? input.module : input.stack;
  const runType: RunType = isTracked(input, project) ? "tracked" : "proposed";
  const { project_root: projectRoot, additional_project_globs: projectGlobs } = project;
  const affected = isAffected({ projectRoot, projectGlobs }, filesOf(input));
  switch (affected.kind) {
    case "yes":
      return run(runType, affected.files === undefined ? {} : { files: affected.files });
    case "no":
      return { kind: "ignore", reason: "outside_project_root", evidence: { files: affected.files } };
    case "unknown":
      return answerUnknown(project, runType, affected.because);
    default:
      return assertNever(affected);
  }
}

/** What is released by tags has no version before it has one (rule 31); a pull request is never tracked (rule 20). */
function isTracked({ push, pull_request }: PolicyInput, project: ProjectRules): boolean {
  return pull_request === null && push.branch === project.branch && project.version_source !== "tag";
}

function filesOf({ push, pull_request }: PolicyInput): ChangedFiles {
  if (pull_request !== null) {
    const { diff, diff_known, diff_compared, diff_because } = pull_request;
    return diff_known
      ? { kind: "listed", paths: diff, spec: diff_compared ?? "" }
      : { kind: "unknown", because: diff_because ?? NOT_ASKED_FOR };
  }
  if (push.affected_files_known) {
    return { kind: "listed", paths: push.affected_files, spec: push.affected_files_compared ?? "" };
  }
  const because = push.affected_files_because ?? NOT_ASKED_FOR;
  return { kind: push.affected_files_all ? "all" : "unknown", because };
}

/** "Everything is affected" would apply a whole monorepo, so a tracked run waits for a person (rule 17). */
function answerUnknown(project: ProjectRules, runType: RunType, because: string): PolicyAnswer {
  const onUnknownFiles = project.on_unknown_files ?? (runType === "tracked" ? "hold" : "run");
  const evidence = { files: { known: false, matched: [], total: 0, because }, onUnknownFiles };
  switch (onUnknownFiles) {
    case "run":
      return run(runType, evidence);
    case "hold":
      return { kind: "hold", runType, evidence };
    case "skip":
      return { kind: "ignore", reason: "outside_project_root", evidence };
    default:
      return assertNever(onUnknownFiles);
  }
}

function run(runType: RunType, evidence: PolicyAnswer["evidence"]): PolicyAnswer {
  return { kind: runType === "tracked" ? "track" : "propose", evidence };
}
