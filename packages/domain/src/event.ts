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

/** A delivery whose event key this version does not act on (rule 10). Its body is kept, and not read. */
export interface UnsupportedEvent {
  readonly kind: "unsupported";
  readonly eventKey: string;
}

/** One normalised fact. A delivery gives zero or more. */
export type Event = PushEvent | UnsupportedEvent;
