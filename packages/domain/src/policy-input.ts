import { toPullRequestInput, toPushInput, type EventContext } from "./decision-input-event.ts";
import type { PullRequestEvent, PushEvent } from "./event.ts";
import type { PolicyInput, ProjectRules, StackOrModule } from "./policy.ts";
import { trimSlashes, type Target } from "./target.ts";

/** What the default policy is asked about one event and one target. The lists of files are those of `context`, not copies. */
export function toPolicyInput(
  event: PushEvent | PullRequestEvent,
  target: Target,
  context: EventContext,
): PolicyInput {
  return {
    push: toPushInput(event, context),
    pull_request: event.kind === "push" ? null : toPullRequestInput(event, context),
    ...toStackOrModule(target, toProjectRules(target)),
  };
}

/** Puts what is said of a target where it belongs. */
export function toStackOrModule<Project>(
  { kind }: Pick<Target, "kind">,
  project: Project,
): StackOrModule<Project> {
  return kind === "stack" ? { stack: project, module: null } : { stack: null, module: project };
}

/** What a target says of itself. */
export function toProjectRules(target: Target): ProjectRules {
  return {
    branch: target.trackedBranch,
    project_root: trimSlashes(target.projectRoot),
    additional_project_globs: target.projectGlobs.map(trimSlashes),
    on_unknown_files: target.onUnknownFiles,
    version_source: target.moduleVersionSource,
  };
}
