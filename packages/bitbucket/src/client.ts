/** Bitbucket Cloud's REST API, as much of it as the pipeline asks. */
import type { CommitFacts, PullRequestFacts } from "@sluice/domain/event";
import type { ExistingHook } from "@sluice/domain/webhook-plan";

import type { RepositoryAddress } from "./api-url.ts";
import { getBranch } from "./branch.ts";
import type { CallBudget } from "./budget.ts";
import { getCommit } from "./commit.ts";
import { type CommitPullRequests, listCommitPullRequests } from "./commit-pull-requests.ts";
import { authorizationHeader, type BitbucketCredential } from "./credential.ts";
import { checkCredential, type CheckPlace, type CredentialCheck } from "./credential-check.ts";
import { type CredentialGuard, noGuard } from "./credential-guard.ts";
import { type DiffstatQuery, getDiffstat, getPullRequestDiffstat, type ListedFiles } from "./diffstat.ts";
import { createHook, deleteHook, type HookContent, type HookOwner, listHooks, updateHook } from "./hook.ts";
import type { HttpAnswer, HttpTimeouts } from "./http-request.ts";
import { getPullRequest, listOpenPullRequests } from "./pull-request.ts";
import { getRepository, type Repository } from "./repository.ts";
import { createSingleFlight, type SingleFlight } from "./single-flight.ts";
import { getFile } from "./source-file.ts";
import { type CallObservation, createTransport } from "./transport.ts";

const DEFAULT_BASE_URL = "https://api.bitbucket.org/2.0";
/** Diffstats of large pushes take Bitbucket tens of seconds before it answers 555. */
const DEFAULT_TIMEOUTS: HttpTimeouts = { headersMs: 60_000, bodyMs: 30_000 };
/** A page of 1,000 files with long paths has about 1 MB. */
const DEFAULT_MAX_RESPONSE_BYTES = 16 * 1024 * 1024;

/** What a client is made of. */
export interface BitbucketClientOptions {
  /** Of the API, version included. Another one than Bitbucket's is for tests and simulators. */
  readonly baseUrl?: string;
  readonly credential: BitbucketCredential;
  /** What the budget counts by: calls of one credential have one limit, whoever makes them. */
  readonly credentialId: string;
  readonly budget: CallBudget;
  /** Default: none, refused or not. */
  readonly guard?: CredentialGuard;
  readonly userAgent: string;
  readonly timeouts?: HttpTimeouts;
  /** Of one answer, decompressed. */
  readonly maxResponseBytes?: number;
  /** Called once per HTTP request, also per page and redirect. Must not throw. */
  readonly onCall?: (observation: CallObservation) => void;
  /** To be shared by all clients of a process; else identical calls are joined within this client only. */
  readonly singleFlight?: SingleFlight<HttpAnswer>;
  readonly fetch?: typeof fetch;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/**
 * Calls with one credential. Identical calls that only read are, at the same time, made once, and nothing is cached.
 *
 * Every method throws `BitbucketError` with any code of `BitbucketErrorCode` that its documentation does not turn into
 * a value, and what the budget and the guard throw.
 */
export interface BitbucketClient {
  /** The commit that a hash of 7 to 40 digits stands for; its `sha` has all 40 (rule 12). */
  getCommit(repository: RepositoryAddress, sha: string): Promise<CommitFacts>;
  /** Every path that differs, both names of a renamed file, all pages (rule 15). */
  getDiffstat(repository: RepositoryAddress, query: DiffstatQuery): Promise<ListedFiles>;
  /** The 40-digit head of a branch; null when the repository is there and the branch is not. */
  getBranch(repository: RepositoryAddress, name: string): Promise<string | null>;
  /**
   * Every path that a pull request changes, against the merge base: a fork's commits too, which the repository that it is
   * to be merged into cannot name. The `spec` is `pull request <number>`.
   */
  getPullRequestDiffstat(repository: RepositoryAddress, number: number): Promise<ListedFiles>;
  /** The open pull requests into a repository; their `reviews` are null, since lists leave participants out. */
  listOpenPullRequests(
    repository: RepositoryAddress,
    filter?: { readonly sourceBranch?: string },
  ): Promise<readonly PullRequestFacts[]>;
  /** One pull request, with the reviews of its participants. */
  getPullRequest(repository: RepositoryAddress, number: number): Promise<PullRequestFacts>;
  /** The pull requests that a commit is part of, or that Bitbucket cannot say (yet). */
  listCommitPullRequests(repository: RepositoryAddress, sha: string): Promise<CommitPullRequests>;
  /** The text of a file at a commit, at most 64 KiB; null when the commit has no such file. */
  getFile(
    repository: RepositoryAddress,
    file: { readonly sha: string; readonly path: string },
  ): Promise<string | null>;
  /** What a repository is called now; also the cheapest proof that a credential can read it. */
  getRepository(repository: RepositoryAddress): Promise<Repository>;
  /** What the credential may do, and what to do about what it may not (rule 3); failures of calls are part of the answer. */
  checkCredential(place: CheckPlace): Promise<CredentialCheck>;
  /** Every webhook of a repository or a workspace, all pages. */
  listHooks(owner: HookOwner): Promise<readonly ExistingHook[]>;
  /** Makes a webhook. Sent once, and never again by itself: see `mayHaveBeenDone`. */
  createHook(owner: HookOwner, content: HookContent): Promise<ExistingHook>;
  /** Sets all of a webhook that `content` names; doing it again changes nothing. */
  updateHook(
    owner: HookOwner,
    hook: { readonly id: string; readonly content: HookContent },
  ): Promise<ExistingHook>;
  /** Deletes a webhook; false when it was not there. */
  deleteHook(owner: HookOwner, id: string): Promise<boolean>;
}

/**
 * A client for one credential; nothing has to be closed.
 * @throws BitbucketError `bitbucket_invalid_credential`. @throws TypeError when `baseUrl` is not a URL.
 */
export function createBitbucketClient(options: BitbucketClientOptions): BitbucketClient {
  const { credential } = options;
  const authorization = authorizationHeader(credential);
  const transport = createTransport({
    baseUrl: new URL(options.baseUrl ?? DEFAULT_BASE_URL),
    authorization,
    secrets: [credential.token, authorization.slice(authorization.indexOf(" ") + 1)],
    credentialId: options.credentialId,
    budget: options.budget,
    guard: options.guard ?? noGuard,
    singleFlight: options.singleFlight ?? createSingleFlight(),
    userAgent: options.userAgent,
    timeouts: options.timeouts ?? DEFAULT_TIMEOUTS,
    maxResponseBytes: options.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES,
    onCall: options.onCall ?? (() => undefined),
    fetch: options.fetch ?? fetch,
    now: options.now ?? Date.now,
  });
  return {
    getCommit: (repository, sha) => getCommit(transport, repository, sha),
    getDiffstat: (repository, query) => getDiffstat(transport, repository, query),
    getPullRequestDiffstat: (repository, number) => getPullRequestDiffstat(transport, repository, number),
    getBranch: (repository, name) => getBranch(transport, repository, name),
    listOpenPullRequests: (repository, filter) => listOpenPullRequests(transport, repository, filter),
    getPullRequest: (repository, number) => getPullRequest(transport, repository, number),
    listCommitPullRequests: (repository, sha) => listCommitPullRequests(transport, repository, sha),
    getFile: (repository, file) => getFile(transport, repository, file),
    getRepository: (repository) => getRepository(transport, repository),
    checkCredential: (place) => checkCredential(transport, { kind: credential.kind, place }),
    listHooks: (owner) => listHooks(transport, owner),
    createHook: (owner, content) => createHook(transport, owner, content),
    updateHook: (owner, hook) => updateHook(transport, owner, hook),
    deleteHook: (owner, id) => deleteHook(transport, owner, id),
  };
}
