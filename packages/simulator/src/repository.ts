/** A repository to act on: every verb changes it and sends what Bitbucket would send. */
import type { Account } from "./account.ts";
import { putStatus, type BuildStatus, type BuildStatusInput } from "./build-status.ts";
import { createHook, MAX_HOOKS, type Hook, type HookInput } from "./hook.ts";
import { markReviewed, setReviewers, type PullRequestState } from "./pull-request-state.ts";
import { createPullRequest, type PullRequest } from "./pull-request.ts";
import { publishPush } from "./publish-push.ts";
import { applyRefUpdate, type BranchUpdate, type RefChange, type RefUpdate, type TagUpdate } from "./push.ts";
import {
  collectGarbage,
  fullName,
  ownerOf,
  requireCommit,
  type CommitLinks,
  type RepositoryState,
} from "./repository-state.ts";
import type { ActedBy, ActionResult, Simulation } from "./simulation.ts";
import { SimulatorError } from "./simulator-error.ts";
import { pullRequestBody, statusBody } from "./webhook-body.ts";

/** `by` null = a push that Bitbucket ascribes to nobody (a deploy key). */
interface PushedBy {
  readonly by?: Account | null;
}

export interface PushResult extends ActionResult {
  readonly changes: readonly RefChange[];
}

export interface PullRequestInput {
  readonly title: string;
  /** The source branch. */
  readonly source: string;
  /** The fork that holds it; default: this repository. */
  readonly from?: Repository;
  /** Default: the main branch. */
  readonly destination?: string;
  /** Default: the owner of the source. */
  readonly author?: Account;
  readonly description?: string;
  readonly isDraft?: boolean;
  readonly closeSourceBranch?: boolean;
  readonly reviewers?: readonly Account[];
}

export interface Repository {
  /** With braces: the identity that survives renames. */
  readonly uuid: string;
  /** `workspace/slug`, as it is now. */
  readonly fullName: string;
  readonly state: Readonly<RepositoryState>;
  /** Moves one branch, with one commit or several. @returns also the 40 digits of its new head */
  push(update: BranchUpdate & PushedBy): PushResult & { readonly hash: string };
  /** Moves several refs in one push. No refs at all gives the empty `changes` that Bitbucket sends now and then. */
  pushMany(updates: readonly RefUpdate[], options?: PushedBy): PushResult;
  createTag(update: TagUpdate & PushedBy): PushResult;
  deleteTag(name: string, options?: PushedBy): PushResult;
  deleteBranch(name: string, options?: PushedBy): PushResult;
  /** The head of a branch, 40 digits. @throws SimulatorError unknown_revision */
  head(branch?: string): string;
  openPullRequest(input: PullRequestInput): PullRequest & ActionResult;
  /** @throws SimulatorError unknown_ref */
  pullRequest(id: number): PullRequest;
  /** @throws SimulatorError too_many_hooks beyond 50 */
  createHook(input: HookInput): Hook;
  deleteHook(uuid: string): void;
  /** Reports a build. Bitbucket sends a webhook of every report, and so of our own: what answers them with one would loop. */
  reportStatus(
    revision: string,
    input: BuildStatusInput & ActedBy,
  ): ActionResult & { readonly status: BuildStatus };
  /** Present statuses of a commit (branch, tag or hash). */
  statuses(revision: string): readonly BuildStatus[];
  /** Gives it another slug, name or workspace: its uuid and everything else stay. */
  rename(to: {
    readonly slug?: string;
    readonly name?: string;
    readonly workspace?: RepositoryState["workspace"];
  }): void;
  setCommitLinks(commitLinks: CommitLinks): void;
  /** Forgets commits that nothing reaches, as happens some time after a force push. */
  collectGarbage(): void;
}

/** The verbs for a repository. */
export function createRepository(simulation: Simulation, state: RepositoryState): Repository {
  const pushMany = (updates: readonly RefUpdate[], options: PushedBy = {}): PushResult => {
    const by = options.by === undefined ? ownerOf(state) : options.by;
    const changes = updates.map((update) => applyRefUpdate(state, update, { source: simulation.source, by }));
    return { changes, webhooks: publishPush(simulation, state, { changes, by }) };
  };
  const head = (branch = state.mainBranch): string => requireCommit(state, branch).hash;

  return {
    uuid: state.uuid,
    get fullName() {
      return fullName(state);
    },
    state,
    push: (update) => {
      const result = pushMany([update], update);
      return { ...result, hash: head(update.branch) };
    },
    pushMany,
    createTag: (update) => pushMany([update], update),
    deleteTag: (name, options) => pushMany([{ deleteTag: name }], options),
    deleteBranch: (name, options) => pushMany([{ deleteBranch: name }], options),
    head,
    openPullRequest: (input) => openPullRequest(simulation, state, input),
    pullRequest: (id) => createPullRequest(simulation, requirePullRequest(state, id)),
    createHook: (input) => {
      if (state.hooks.size >= MAX_HOOKS) {
        throw new SimulatorError("too_many_hooks", `${fullName(state)} has ${MAX_HOOKS} hooks already`);
      }
      const hook = createHook(simulation.source, input);
      state.hooks.set(hook.uuid, hook);
      return hook;
    },
    deleteHook: (uuid) => void state.hooks.delete(uuid),
    reportStatus: (revision, input) => {
      const { by, ...fields } = input;
      const commit = requireCommit(state, revision);
      const { status, isNew } = putStatus(state, commit, { ...fields, now: simulation.source.now() });
      const eventKey = isNew ? "repo:commit_status_created" : "repo:commit_status_updated";
      const body = statusBody(state, status, by ?? ownerOf(state));
      return { status, webhooks: [simulation.publish(state, eventKey, body)] };
    },
    statuses: (revision) => {
      const commit = requireCommit(state, revision);
      return state.statuses.filter((status) => status.commit === commit);
    },
    rename: (to) => {
      state.slug = to.slug ?? state.slug;
      state.name = to.name ?? state.name;
      state.workspace = to.workspace ?? state.workspace;
    },
    setCommitLinks: (commitLinks) => void (state.commitLinks = commitLinks),
    collectGarbage: () => collectGarbage(state),
  };
}

function openPullRequest(
  simulation: Simulation,
  destination: RepositoryState,
  input: PullRequestInput,
): PullRequest & ActionResult {
  const source: RepositoryState = input.from?.state ?? destination;
  const sourceCommit = source.branches.get(input.source);
  const destinationBranch = input.destination ?? destination.mainBranch;
  if (sourceCommit === undefined || !destination.branches.has(destinationBranch)) {
    throw new SimulatorError("unknown_ref", `no branch ${input.source} or no branch ${destinationBranch}`);
  }
  const now = simulation.source.now();
  const pull: PullRequestState = {
    id: destination.pullRequests.length + 1,
    author: input.author ?? ownerOf(source),
    createdOn: now,
    destination,
    source,
    sourceBranch: input.source,
    sourceCommit,
    destinationBranch,
    destinationCommitAtClose: null,
    state: "OPEN",
    title: input.title,
    description: input.description ?? "",
    isDraft: input.isDraft ?? false,
    closeSourceBranch: input.closeSourceBranch ?? false,
    updatedOn: now,
    mergeCommit: null,
    closedBy: null,
    reason: "",
    participants: [],
    comments: [],
    reviewed: new Set(),
  };
  setReviewers(pull, input.reviewers ?? []);
  markReviewed(pull);
  destination.pullRequests.push(pull);
  source.outgoing.add(pull);
  const body = pullRequestBody(pull, pull.author);
  const webhooks = [simulation.publish(destination, "pullrequest:created", body)];
  return { ...createPullRequest(simulation, pull), webhooks };
}

function requirePullRequest(repository: RepositoryState, id: number): PullRequestState {
  const pull = repository.pullRequests[id - 1];
  if (pull === undefined) throw new SimulatorError("unknown_ref", `${fullName(repository)} has no #${id}`);
  return pull;
}
