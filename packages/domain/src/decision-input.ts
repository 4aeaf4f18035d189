import type { RunType } from "./decide.ts";
import type { EventContext } from "./decision-input-event.ts";
import type { PullRequestEvent, PushEvent, RepositoryFacts } from "./event.ts";
import { toPolicyInput, toProjectRules, toStackOrModule } from "./policy-input.ts";
import type { PolicyInput, ProjectRules, StackOrModule } from "./policy.ts";
import type { Target } from "./target.ts";
import type { RunResult, TriggerState } from "./trigger.ts";

/** The name of the input's shape. Fields are only ever added to it; any other change is a new number. */
const DECISION_INPUT_SCHEMA = "sluice.decision-input/1";

/** A space as a policy sees it. */
export interface SpaceInput {
  readonly id: string;
  readonly name: string;
}

/** A state of a trigger that has not ended. */
export type OpenTriggerState = Exclude<TriggerState, RunResult | "superseded">;

/** What a target's rules do not say, and a policy may want to know of it. Times are RFC 3339. */
export interface TargetContext {
  readonly target: {
    /** The scheduler's own name for the target; null when it has none. */
    readonly externalId: string | null;
    readonly labels: readonly string[];
    readonly space: SpaceInput;
    /** The commit of its latest tracked trigger; null when there is none. */
    readonly trackedSha: string | null;
    /** Of a module: the last version that a tracked trigger was given; null for none, and for a stack. */
    readonly currentVersion: string | null;
  };
  /** Null for a target that is detached. */
  readonly integration: {
    readonly id: string;
    readonly name: string;
    readonly description: string;
    readonly labels: readonly string[];
    /** Null for the default integration. */
    readonly space: SpaceInput | null;
  } | null;
  /** The triggers of the target that have not ended. */
  readonly inProgress: readonly {
    readonly id: string;
    readonly runType: RunType;
    readonly state: OpenTriggerState;
    readonly refName: string;
    readonly commitSha: string;
    readonly createdAt: string;
  }[];
}

/** All that is known beside the event. */
export type DecisionContext = EventContext & TargetContext;

interface ProjectInput extends ProjectRules {
  readonly id: string;
  readonly external_id: string | null;
  readonly name: string;
  readonly labels: readonly string[];
  /** `workspace/slug`. */
  readonly repository: string;
  readonly space: SpaceInput;
  readonly tracked_commit: { readonly hash: string } | null;
  /** Null for a stack, too. */
  readonly current_version: string | null;
}

/**
 * What a policy decides on. As close to the input of Spacelift's push policies as what we know allows; snake case, because
 * policies are not written in JavaScript. What each field means: docs/decision-input.md and
 * docs/schemas/decision-input-1.json.
 */
export type DecisionInput = Pick<PolicyInput, "push" | "pull_request"> &
  StackOrModule<ProjectInput> & {
    readonly schema: typeof DECISION_INPUT_SCHEMA;
    readonly in_progress: readonly {
      readonly id: string;
      readonly type: RunType;
      readonly state: OpenTriggerState;
      readonly branch: string;
      readonly hash: string;
      readonly created_at: string;
    }[];
    readonly vcs_integration: {
      readonly id: string;
      readonly name: string;
      readonly provider: "BITBUCKET_CLOUD";
      readonly description: string;
      readonly is_default: boolean;
      readonly labels: readonly string[];
      readonly space: SpaceInput | null;
    } | null;
  };

/** The input for one event and one target. */
export function toDecisionInput(
  event: PushEvent | PullRequestEvent,
  target: Target,
  context: DecisionContext,
): DecisionInput {
  const { push, pull_request } = toPolicyInput(event, target, context);
  return {
    schema: DECISION_INPUT_SCHEMA,
    push,
    pull_request,
    ...toStackOrModule(target, toProject(event.repository, target, context)),
    in_progress: context.inProgress.map(({ id, runType, state, refName, commitSha, createdAt }) => ({
      id,
      type: runType,
      state,
      branch: refName,
      hash: commitSha,
      created_at: createdAt,
    })),
    vcs_integration: toIntegration(context.integration),
  };
}

function toProject(repository: RepositoryFacts, target: Target, context: TargetContext): ProjectInput {
  const { externalId, labels, space, trackedSha, currentVersion } = context.target;
  return {
    id: target.id,
    external_id: externalId,
    name: target.name,
    labels,
    ...toProjectRules(target),
    repository: repository.fullName,
    space: { id: space.id, name: space.name },
    tracked_commit: trackedSha === null ? null : { hash: trackedSha },
    current_version: currentVersion,
  };
}

function toIntegration(integration: TargetContext["integration"]): DecisionInput["vcs_integration"] {
  if (integration === null) return null;
  const { id, name, description, labels, space } = integration;
  return {
    id,
    name,
    provider: "BITBUCKET_CLOUD",
    description,
    is_default: space === null,
    labels,
    space: space === null ? null : { id: space.id, name: space.name },
  };
}
