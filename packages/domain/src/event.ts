/** What a push moved. `other` is a ref kind that this version does not know, such as a Mercurial bookmark. */
export type RefKind = "branch" | "tag" | "other";

/** A commit as a push body describes it. */
export interface CommitFacts {
  readonly sha: string;
  readonly message: string;
  /** `Name <mail>` as git has it: written by whoever made the commit, so never to be trusted. Null when not sent. */
  readonly author: string | null;
  /** RFC 3339, as sent. */
  readonly date: string | null;
  /** The commit's page on bitbucket.org. */
  readonly url: string | null;
}

/** Who acted: a user, a team, or an access token. Deleted accounts have no uuid. */
export interface Actor {
  readonly uuid: string | null;
  readonly displayName: string | null;
  /** Bitbucket's `type`: `user`, `team`, `app_user` or a kind of its future. */
  readonly kind: string | null;
}

/** A repository as a delivery names it. The uuid is its identity; the full name may change (rename, transfer). */
export interface RepositoryFacts {
  /** Bitbucket's uuid, with its braces. */
  readonly uuid: string;
  /** `workspace/slug`. */
  readonly fullName: string;
}

/** One ref that a push moved (rule 10). A push of several refs gives one of these for each. */
export interface PushEvent {
  readonly kind: "push";
  readonly repository: RepositoryFacts;
  readonly actor: Actor | null;
  readonly refKind: RefKind;
  /** The bare name: `main`, `feature/x`, `v1.2.3`. */
  readonly refName: string;
  readonly change: "created" | "updated" | "deleted";
  /** The commit that the ref left, 7 to 40 hex digits; null for a new ref, or when Bitbucket sent no usable hash. */
  readonly oldSha: string | null;
  /** The commit that the ref came to, 7 to 40 hex digits; null for a deleted ref. */
  readonly newSha: string | null;
  readonly forced: boolean;
  /** The new head; null for a deleted ref. */
  readonly commit: CommitFacts | null;
}

/**
 * What happened to a pull request (rule 11). `updated` is whatever Bitbucket calls an update: which part changed is not in
 * its body, so it becomes `synchronize` (its head or its base moved) or `edited` when it is compared with what is stored
 * (`movePullRequest`), and stays what it is while nothing was.
 */
export type PullRequestAction =
  | "opened"
  | "updated"
  | "synchronize"
  | "edited"
  | "approved"
  | "unapproved"
  | "changes_requested"
  | "changes_request_removed"
  | "merged"
  | "closed"
  | "commented";

/** What one participant thinks of a pull request now. */
export interface PullRequestReview {
  /** Null for an account that Bitbucket names without one: such a review cannot be shown to be somebody else's. */
  readonly userUuid: string | null;
  /** `none` also for a verdict that this version does not know. */
  readonly state: "approved" | "changes_requested" | "none";
  /** RFC 3339, as sent: when this participant last did something; null when not sent. */
  readonly participatedOn: string | null;
}

/** Where the commits of a pull request come from: a branch of its repository, or of a fork. */
export interface PullRequestSource {
  /** Null when the fork is gone. */
  readonly repository: RepositoryFacts | null;
  readonly branch: string;
  /** The head, 7 to 40 hex digits (12 as a rule); null when the branch or the fork is gone. */
  readonly sha: string | null;
}

/** The branch that a pull request is to be merged into. Its repository is the pull request's own. */
export interface PullRequestDestination {
  readonly branch: string;
  /** The head, 7 to 40 hex digits (12 as a rule), before the merge if there was one; null when the branch is gone. */
  readonly sha: string | null;
}

/** A pull request as Bitbucket had it at `updatedOn`. */
export interface PullRequestFacts {
  /** Its identity within the destination's repository: 1 and up. */
  readonly number: number;
  /** The first 512 characters. */
  readonly title: string;
  /** `OPEN`, `MERGED`, `DECLINED`, `SUPERSEDED`, or a word of Bitbucket's future. */
  readonly state: string;
  /** Null when not sent: older bodies do not say. */
  readonly isDraft: boolean | null;
  /** Null when not sent. */
  readonly author: Actor | null;
  /** The pull request's page on bitbucket.org. */
  readonly url: string | null;
  /** RFC 3339, as sent. */
  readonly createdOn: string | null;
  /** RFC 3339 with microseconds, as sent. What is stored only moves forward in it (rule 13). */
  readonly updatedOn: string;
  readonly source: PullRequestSource;
  readonly destination: PullRequestDestination;
  /** The destination's head after the merge, 7 to 40 hex digits (12 as a rule); null when it is not merged or not said. */
  readonly mergeSha: string | null;
  /** One of each participant; null when not sent, which is not the same as none. */
  readonly reviews: readonly PullRequestReview[] | null;
}

/** A comment on a pull request, as it was when Bitbucket told of it. */
export interface CommentFacts {
  /** Unique within Bitbucket; up to 2^53 - 1, so it does not fit 32 bits. */
  readonly id: number;
  /** What was typed, its first 32,768 characters; empty once deleted. */
  readonly text: string;
  /** Null when not sent. */
  readonly author: Actor | null;
  /** RFC 3339, as sent. */
  readonly createdOn: string | null;
  readonly isDeleted: boolean;
  /** The comment that this one answers; null when it begins a thread. */
  readonly parentId: number | null;
  /** It stands at a file or a line, not at the pull request as a whole. */
  readonly isInline: boolean;
}

/**
 * Something that happened to a pull request (rules 10 and 11). The event key, which is not signed, says only `action`: the
 * present state and the present approvals are those of `pullRequest`.
 */
export interface PullRequestEvent {
  readonly kind: "pull_request";
  readonly action: PullRequestAction;
  /** The repository of the destination, where the pull request lives. */
  readonly repository: RepositoryFacts;
  readonly actor: Actor | null;
  readonly pullRequest: PullRequestFacts;
  /** The new comment when `action` is `commented`, else null. */
  readonly comment: CommentFacts | null;
}

/** A delivery whose event key this version does not act on (rule 10). Its body is kept, and not read. */
export interface UnsupportedEvent {
  readonly kind: "unsupported";
  readonly eventKey: string;
}

/** One normalised fact. A delivery gives zero or more. */
export type Event = PushEvent | PullRequestEvent | UnsupportedEvent;
