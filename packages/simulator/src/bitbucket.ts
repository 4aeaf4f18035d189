/** A Bitbucket Cloud in memory: workspaces, users, repositories, and the webhooks that they send. */
import { createAccessTokenUser, createUser, type Account, type AppUser, type User } from "./account.ts";
import { createHook, type Hook, type HookInput } from "./hook.ts";
import { createRepository, type Repository } from "./repository.ts";
import { createRepositoryState, type RepositoryState } from "./repository-state.ts";
import { createSeededSource } from "./seeded-source.ts";
import type { Simulation } from "./simulation.ts";
import { SimulatorError } from "./simulator-error.ts";
import { createWebhookSender, type WebhookSender, type WebhookSenderOptions } from "./webhook-sender.ts";
import { createWorkspace, type Workspace } from "./workspace.ts";

export interface BitbucketOptions {
  /** Everything that is generated or timed follows from it: ids, hashes, dates, request uuids. Default: "sluice". */
  readonly seed?: string | number;
  /** How webhooks are sent. */
  readonly webhooks?: Omit<WebhookSenderOptions, "source">;
}

export interface RepositoryInput {
  readonly workspace: string;
  readonly slug: string;
  /** With braces; default: one that follows from the seed. */
  readonly uuid?: string;
  /** Default: the slug in title case, so that nobody mistakes one for the other. */
  readonly name?: string;
  /** Default: true. */
  readonly isPrivate?: boolean;
  /** Default: `main`. */
  readonly mainBranch?: string;
}

export interface Bitbucket {
  /** A workspace, made on first mention. `owner` counts on that occasion only; default: a team. */
  workspace(slug: string, options?: { readonly name?: string; readonly owner?: Account }): Workspace;
  /** A hook that fires for all repositories of the workspace, besides their own. */
  createWorkspaceHook(slug: string, input: HookInput): Hook;
  /** A person. A deleted one is, to everybody else, named "Former user". */
  createUser(displayName: string): User;
  /** The account that a repository access token acts as. */
  createAccessTokenUser(displayName: string): AppUser;
  /** An empty repository. @throws SimulatorError already_exists */
  createRepository(input: RepositoryInput): Repository;
  /** A copy with a uuid of its own, in another workspace. */
  fork(parent: Repository, input: { readonly workspace: string; readonly slug?: string }): Repository;
  /** Gone from the API; pull requests that come from it stay, with a source that is null. */
  deleteRepository(repository: Repository): void;
  /** By `workspace/slug` as it is now (any case), or by uuid with braces; null when there is none. */
  findRepository(nameOrUuid: string): Repository | null;
  readonly repositories: readonly Repository[];
  readonly webhooks: WebhookSender;
  /** Resolves when every webhook was answered or given up. Held ones are not waited for. */
  settled(): Promise<void>;
}

/** An empty Bitbucket. Nothing listens and nothing is open: to reach it by HTTP, see rest-server.ts. */
export function createBitbucket(options: BitbucketOptions = {}): Bitbucket {
  const source = createSeededSource(options.seed ?? "sluice");
  const webhooks = createWebhookSender({ ...options.webhooks, source });
  const workspaces = new Map<string, Workspace>();
  const repositories = new Map<string, Repository>();

  const simulation: Simulation = {
    source,
    publish: (repository, eventKey, body) => {
      const event = { eventKey, repositoryUuid: repository.uuid, body };
      webhooks.send(event, [...repository.hooks.values(), ...repository.workspace.hooks.values()]);
      return event;
    },
  };

  const workspace: Bitbucket["workspace"] = (slug, input = {}) => {
    const known = workspaces.get(slug);
    if (known !== undefined) return known;
    const made = createWorkspace(source, { name: toTitle(slug), ...input, slug });
    workspaces.set(slug, made);
    return made;
  };
  const findRepository = (nameOrUuid: string): Repository | null => {
    const byUuid = repositories.get(nameOrUuid);
    if (byUuid !== undefined) return byUuid;
    const wanted = nameOrUuid.toLowerCase();
    return [...repositories.values()].find((one) => one.fullName.toLowerCase() === wanted) ?? null;
  };
  const addRepository = (input: RepositoryInput, parent: RepositoryState | null): Repository => {
    if (findRepository(`${input.workspace}/${input.slug}`) !== null) {
      throw new SimulatorError("already_exists", `${input.workspace}/${input.slug} is there already`);
    }
    if (input.uuid !== undefined && repositories.has(input.uuid)) {
      throw new SimulatorError("already_exists", `a repository with the uuid ${input.uuid} is there already`);
    }
    const state = createRepositoryState(source, {
      workspace: workspace(input.workspace),
      uuid: input.uuid ?? source.bracedUuid(),
      slug: input.slug,
      name: input.name ?? toTitle(input.slug),
      isPrivate: input.isPrivate ?? true,
      mainBranch: input.mainBranch ?? parent?.mainBranch ?? "main",
      parent,
    });
    const repository = createRepository(simulation, state);
    repositories.set(state.uuid, repository);
    return repository;
  };

  return {
    workspace,
    createWorkspaceHook: (slug, input) => {
      const hook = createHook(source, input);
      workspace(slug).hooks.set(hook.uuid, hook);
      return hook;
    },
    createUser: (displayName) => createUser(source, displayName),
    createAccessTokenUser: (displayName) => createAccessTokenUser(source, displayName),
    createRepository: (input) => addRepository(input, null),
    fork: (parent, input) =>
      addRepository({ slug: parent.state.slug, name: parent.state.name, ...input }, parent.state),
    deleteRepository: (repository) => {
      markDeleted(repository.state);
      repositories.delete(repository.uuid);
    },
    findRepository,
    get repositories() {
      return [...repositories.values()];
    },
    webhooks,
    settled: () => webhooks.settled(),
  };
}

function markDeleted(state: RepositoryState): void {
  state.isDeleted = true;
}

/** `infra-live` → `Infra Live`. */
function toTitle(slug: string): string {
  return slug
    .split("-")
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join(" ");
}
