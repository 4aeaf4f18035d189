/** What a policy is: the default one (policy-default.ts), and those of others that are to come. */
import type { PullRequestInput, PushInput } from "./decision-input-event.ts";
import type { Evidence, RunType } from "./decide.ts";
import type { Reason } from "./reason.ts";
import type { Target } from "./target.ts";

/** What a target says of itself to a policy. */
export interface ProjectRules {
  /** The tracked branch. */
  readonly branch: string;
  /** Without leading and trailing slashes; empty: the whole repository. */
  readonly project_root: string;
  readonly additional_project_globs: readonly string[];
  /** What to do when the changed files are not known; null: a proposed run is made, a tracked one held (rule 17). */
  readonly on_unknown_files: Target["onUnknownFiles"];
  /** Of a module (rule 31); null for a stack. */
  readonly version_source: Target["moduleVersionSource"];
}

/** The target: a stack or a module. */
export type StackOrModule<Project> =
  { readonly stack: Project; readonly module: null } | { readonly stack: null; readonly module: Project };

/**
 * What the default policy reads: the part of `sluice.decision-input/1` that needs no look into the store. Every
 * `DecisionInput` is one.
 */
export type PolicyInput = StackOrModule<ProjectRules> & {
  readonly push: PushInput;
  readonly pull_request: PullRequestInput | null;
};

/** What a policy says about one event and one target. */
export type PolicyAnswer =
  | { readonly kind: "track" | "propose"; readonly evidence: PolicyEvidence }
  /** A person is to say (rule 17). */
  | { readonly kind: "hold"; readonly runType: RunType; readonly evidence: PolicyEvidence }
  | {
      readonly kind: "ignore";
      readonly reason: Extract<Reason, "outside_project_root" | "tag" | "policy_ignored" | "policy_no_match">;
      readonly evidence: PolicyEvidence;
    };

/** What a policy can show for its answer. */
export type PolicyEvidence = Pick<Evidence, "files" | "onUnknownFiles">;

/**
 * A pure function. One that reads no more than a `PolicyInput` can be asked without a look into the store; any other is
 * a `Policy<DecisionInput>`, and the default policy is one of those too.
 */
export type Policy<Input extends PolicyInput = PolicyInput> = (input: Input) => PolicyAnswer;
