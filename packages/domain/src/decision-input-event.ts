/** What a policy is told of the event itself: see `toDecisionInput`. */
import { NOT_ASKED_FOR } from "./affected.ts";
import { isApproved } from "./approval.ts";
import type { ChangedFiles } from "./changed-files.ts";
import type { PullRequestAction, PullRequestEvent, PullRequestFacts, PushEvent } from "./event.ts";
import { forkOf } from "./fork.ts";
import type { PullRequestState } from "./pull-request.ts";

/** What an event does not say itself. */
export interface EventContext {
  /** Of the push, or of the pull request as a whole; null when they were not asked for. */
  readonly files: ChangedFiles | null;
  /** The pull request of the event as it is stored now; null: there is none, or it is as the event says. */
  readonly pullRequest: PullRequestState | null;
}

/** `unknown` is said, and is neither: Bitbucket does not tell, or was not asked (rule 13). */
export type ThreeValued = boolean | "unknown";

interface HeadInput {
  /** `workspace/slug`; null when the fork is gone. */
  readonly repository: string | null;
  readonly branch: string;
  readonly hash: string | null;
}

/** A pull request, and what happened to it. */
export interface PullRequestInput {
  readonly id: number;
  readonly action: PullRequestAction;
  /** Bitbucket's uuid of who acted: display names are anybody's to choose. */
  readonly action_initiator: string | null;
  readonly approved: boolean;
  /** Bitbucket's uuid. */
  readonly author: string | null;
  readonly base: HeadInput;
  readonly closed: boolean;
  /** The command that was typed, with the action `commented`: empty when the comment is none; else null. */
  readonly comment: string | null;
  readonly diff: readonly string[];
  readonly diff_known: boolean;
  /** Why it is not known, as a clause without a full stop; null when it is. */
  readonly diff_because: string | null;
  /** What Bitbucket was asked to compare; null when the list is not known. */
  readonly diff_compared: string | null;
  readonly draft: boolean | null;
  readonly head: HeadInput;
  readonly head_owner: string | null;
  readonly is_fork: boolean;
  readonly mergeable: ThreeValued;
  readonly state: string;
  readonly title: string;
  readonly undiverged: ThreeValued;
  readonly url: string | null;
}

/** The ref that moved, or the commit that a pull request is about. */
export interface PushInput {
  readonly affected_files: readonly string[];
  readonly affected_files_known: boolean;
  /** Not listed, and every file counts as changed: the tracked branch is new. */
  readonly affected_files_all: boolean;
  /** Why they are not known, as a clause without a full stop; null when they are. */
  readonly affected_files_because: string | null;
  /** What Bitbucket was asked to compare; null when they are not known. */
  readonly affected_files_compared: string | null;
  readonly author: string | null;
  /** Empty for a tag, and for a branch of a fork: no fork's branch is one of ours (rule 11). */
  readonly branch: string;
  readonly change: PushEvent["change"] | null;
  readonly created_at: string | null;
  readonly forced: boolean;
  readonly hash: string | null;
  readonly message: string | null;
  readonly pusher: string | null;
  /** Empty for a branch. */
  readonly tag: string;
}

const NO_FILES: readonly string[] = [];

/** What was pushed; of a pull request its head, or the merge once it is merged. */
export function toPushInput(event: PushEvent | PullRequestEvent, context: EventContext): PushInput {
  return event.kind === "push" ? toPush(event, context) : toPushOfPullRequest(event, context);
}

/** The pull request as it is stored now. */
export function toPullRequestInput(event: PullRequestEvent, context: EventContext): PullRequestInput {
  const facts = context.pullRequest ?? event.pullRequest;
  const { source, destination } = facts;
  return {
    id: facts.number,
    action: event.action,
    action_initiator: event.actor?.uuid ?? null,
    approved: isApproved({ author: facts.author, reviews: facts.reviews ?? [] }),
    author: facts.author?.uuid ?? null,
    base: { repository: event.repository.fullName, branch: destination.branch, hash: destination.sha },
    closed: facts.state !== "OPEN",
    comment: event.comment?.text ?? null,
    diff: pathsOf(context.files),
    diff_known: context.files?.kind === "listed",
    diff_because: becauseOf(context.files),
    diff_compared: comparedOf(context.files),
    draft: facts.isDraft,
    head: { repository: source.repository?.fullName ?? null, branch: source.branch, hash: source.sha },
    head_owner: source.repository?.fullName.split("/")[0] ?? null,
    is_fork: isFork(event, facts),
    // One that was merged had no conflicts. Of others Bitbucket's bodies say nothing.
    mergeable: facts.state === "MERGED" ? true : "unknown",
    state: facts.state,
    title: facts.title,
    undiverged: "unknown",
    url: facts.url,
  };
}

function toPush(event: PushEvent, { files }: EventContext): PushInput {
  const { commit, refKind, refName, change, forced, newSha, actor } = event;
  return {
    affected_files: pathsOf(files),
    affected_files_known: files?.kind === "listed",
    affected_files_all: files?.kind === "all",
    affected_files_because: becauseOf(files),
    affected_files_compared: comparedOf(files),
    author: commit?.author ?? null,
    branch: refKind === "branch" ? refName : "",
    change,
    created_at: commit?.date ?? null,
    forced,
    hash: newSha,
    message: commit?.message ?? null,
    pusher: actor?.uuid ?? null,
    tag: refKind === "tag" ? refName : "",
  };
}

/** What a pull request's files are is in its `diff`: no push told of any here, so none is affected by one. */
function toPushOfPullRequest(event: PullRequestEvent, context: EventContext): PushInput {
  const facts = context.pullRequest ?? event.pullRequest;
  const { source, destination, mergeSha } = facts;
  const isMerge = event.action === "merged";
  return {
    affected_files: NO_FILES,
    affected_files_known: false,
    affected_files_all: false,
    affected_files_because: "those of a pull request are in its diff",
    affected_files_compared: null,
    author: null,
    branch: isMerge ? destination.branch : isFork(event, facts) ? "" : source.branch,
    change: null,
    created_at: null,
    forced: false,
    hash: isMerge ? mergeSha : source.sha,
    message: null,
    pusher: null,
    tag: "",
  };
}

/** Empty also when they are not known: the field beside the list tells. */
function pathsOf(files: ChangedFiles | null): readonly string[] {
  return files?.kind === "listed" ? files.paths : NO_FILES;
}

function becauseOf(files: ChangedFiles | null): string | null {
  if (files === null) return NOT_ASKED_FOR;
  return files.kind === "listed" ? null : files.because;
}

function comparedOf(files: ChangedFiles | null): string | null {
  return files?.kind === "listed" ? files.spec : null;
}

function isFork({ repository }: PullRequestEvent, pullRequest: PullRequestFacts): boolean {
  return forkOf({ repository, pullRequest }) !== null;
}
