import type { Evidence, RunType } from "./decide.ts";
import type { Actor, CommitFacts, PullRequestAction, RefKind } from "./event.ts";
import { explain, type StoredDecision } from "./explain.ts";
import type { Target } from "./target.ts";
import type { TriggerState } from "./trigger.ts";

/** The name of the document's shape. Fields are only ever added to it; any other change is a new number. */
export const TRIGGER_SCHEMA = "sluice.trigger/1";

/** Everything that a trigger's document is made from. Times are RFC 3339. */
export interface TriggerRecord {
  readonly id: string;
  readonly runType: RunType;
  readonly state: TriggerState;
  readonly createdAt: string;
  /** How often it was claimed. */
  readonly attempt: number;
  readonly cancelRequested: boolean;
  /** Null: nobody holds it. */
  readonly lease: {
    readonly token: string;
    readonly holder: string;
    /** Null: held without an end. */
    readonly expiresAt: string | null;
  } | null;
  /** The scheduler's own name and page of the run; null until it tells. */
  readonly run: { readonly id: string | null; readonly url: string | null };
  /** What was said when it ended. */
  readonly message: string | null;
  readonly commitSha: string;
  readonly refName: string;
  readonly baseSha: string | null;
  readonly moduleVersion: string | null;
  readonly changes: NonNullable<Evidence["files"]>;
  /** The commit of the nearest earlier tracked trigger of the target; null when there is none. */
  readonly previouslyTrackedSha: string | null;
  readonly event: {
    readonly kind: string;
    readonly refKind: RefKind | null;
    readonly change: string | null;
    readonly forced: boolean;
    /** Null when no push told of the commit. */
    readonly commit: CommitFacts | null;
    readonly actor: Actor | null;
    /** Null for an event that is not about a pull request. */
    readonly pullRequest: { readonly number: number; readonly action: PullRequestAction } | null;
  };
  readonly delivery: {
    readonly id: string;
    readonly requestId: string;
    readonly receivedAt: string;
    readonly source: "webhook" | "sweep";
  };
  readonly integration: { readonly id: string; readonly name: string };
  readonly repository: { readonly uuid: string | null; readonly fullName: string };
  /** The repository that `refName` is a branch of: a fork's, or the same. */
  readonly sourceRepository: TriggerRecord["repository"];
  /** What is known of those that the commit is part of, by number. */
  readonly pullRequests: readonly {
    readonly number: number;
    readonly title: string;
    /** `OPEN`, `MERGED`, `DECLINED`, `SUPERSEDED`, or a word of Bitbucket's future. */
    readonly state: string;
    readonly author: Actor | null;
    /** Null when not sent. */
    readonly url: string | null;
    readonly sourceBranch: string;
    readonly destinationBranch: string;
  }[];
  readonly target: {
    readonly id: string;
    readonly externalId: string | null;
    readonly kind: Target["kind"];
    readonly name: string;
    readonly space: string;
    readonly labels: readonly string[];
    readonly projectRoot: string;
    readonly metadata: Readonly<Record<string, unknown>>;
  };
  /** Null for a trigger that no decision made, such as one by hand. */
  readonly decision: (StoredDecision & { readonly id: string }) | null;
}

/**
 * What a scheduler is given: everything that it needs to run, without asking anybody. Snake case, because most
 * schedulers are not written in JavaScript. What each field means: docs/trigger.md and docs/schemas/trigger-1.json.
 */
export interface TriggerDocument {
  readonly schema: typeof TRIGGER_SCHEMA;
  readonly id: string;
  readonly run_type: RunType;
  readonly state: TriggerState;
  readonly created_at: string;
  readonly attempt: number;
  readonly lease: {
    readonly token: string | null;
    readonly holder: string;
    readonly expires_at: string | null;
  } | null;
  readonly cancel_requested: boolean;
  readonly run: { readonly id: string | null; readonly url: string | null };
  readonly message: string | null;
  readonly target: {
    readonly id: string;
    readonly external_id: string | null;
    readonly kind: Target["kind"];
    readonly name: string;
    readonly space: string;
    readonly labels: readonly string[];
    readonly project_root: string;
    readonly metadata: Readonly<Record<string, unknown>>;
  };
  readonly repository: {
    readonly uuid: string | null;
    readonly full_name: string;
    readonly clone_urls: { readonly https: string; readonly ssh: string };
  };
  readonly checkout: {
    readonly ref: string;
    readonly ref_name: string;
    readonly sha: string;
    readonly base_sha: string | null;
    /** Where the ref is: a fork, or `repository` again. */
    readonly repository: TriggerDocument["repository"];
  };
  readonly commit: Omit<CommitFacts, "sha"> | null;
  readonly previously_tracked_sha: string | null;
  readonly pull_requests: readonly PullRequestDocument[];
  readonly changes: {
    readonly known: boolean;
    readonly matched: NonNullable<Evidence["files"]>["matched"];
    readonly total: number;
    readonly truncated: boolean;
    readonly because: string | null;
  };
  readonly module_version: string | null;
  readonly cause: {
    readonly event: string;
    readonly ref_change: string | null;
    readonly forced: boolean;
    readonly pull_request: { readonly number: number; readonly action: PullRequestAction } | null;
    readonly actor: {
      readonly uuid: string | null;
      readonly display_name: string | null;
      readonly kind: string | null;
    } | null;
    readonly integration: { readonly id: string; readonly name: string };
    readonly delivery_id: string;
    readonly request_id: string;
    readonly received_at: string;
    readonly recovered_by: "sweep" | null;
  };
  readonly decision: {
    readonly id: string;
    readonly reason: StoredDecision["reason"];
    readonly sentence: string;
    readonly url: string;
  } | null;
}

/** A pull request that the commit is part of. */
export interface PullRequestDocument {
  readonly number: number;
  readonly title: string;
  /** The display name. */
  readonly author: string | null;
  readonly url: string;
  /** In Bitbucket's words. */
  readonly state: string;
  readonly source_branch: string;
  readonly destination_branch: string;
}

/** The document of a trigger. The lease's token is for the one who claimed it: nobody else needs to see it. */
export function toTriggerDocument(
  record: TriggerRecord,
  { showLeaseToken }: { readonly showLeaseToken: boolean },
): TriggerDocument {
  return {
    schema: TRIGGER_SCHEMA,
    id: record.id,
    run_type: record.runType,
    state: record.state,
    created_at: record.createdAt,
    attempt: record.attempt,
    lease: toLease(record.lease, showLeaseToken),
    cancel_requested: record.cancelRequested,
    run: record.run,
    message: record.message,
    target: toTarget(record.target),
    repository: toRepository(record.repository),
    checkout: {
      ref: fullRef(record),
      ref_name: record.refName,
      sha: record.commitSha,
      base_sha: record.baseSha,
      repository: toRepository(record.sourceRepository),
    },
    commit: toCommit(record.event.commit),
    previously_tracked_sha: record.previouslyTrackedSha,
    pull_requests: toPullRequests(record),
    changes: toChanges(record.changes),
    module_version: record.moduleVersion,
    cause: toCause(record),
    decision: toDecision(record.decision),
  };
}

/** Where one reads why a decision is what it is, seen from the address of the API. */
export function decisionUrl(id: string): string {
  return `/v1/decisions/${id}`;
}

function toLease(lease: TriggerRecord["lease"], showToken: boolean): TriggerDocument["lease"] {
  if (lease === null) return null;
  return { token: showToken ? lease.token : null, holder: lease.holder, expires_at: lease.expiresAt };
}

function toTarget(target: TriggerRecord["target"]): TriggerDocument["target"] {
  return {
    id: target.id,
    external_id: target.externalId,
    kind: target.kind,
    name: target.name,
    space: target.space,
    labels: target.labels,
    project_root: target.projectRoot,
    metadata: target.metadata,
  };
}

/** https://support.atlassian.com/bitbucket-cloud/docs/clone-a-git-repository/ */
function toRepository({ uuid, fullName }: TriggerRecord["repository"]): TriggerDocument["repository"] {
  return {
    uuid,
    full_name: fullName,
    clone_urls: {
      https: `https://bitbucket.org/${fullName}.git`,
      ssh: `git@bitbucket.org:${fullName}.git`,
    },
  };
}

function toPullRequests({ pullRequests, repository }: TriggerRecord): readonly PullRequestDocument[] {
  return pullRequests.map(({ number, title, author, url, state, sourceBranch, destinationBranch }) => ({
    number,
    title,
    author: author?.displayName ?? null,
    url: url ?? `https://bitbucket.org/${repository.fullName}/pull-requests/${number}`,
    state,
    source_branch: sourceBranch,
    destination_branch: destinationBranch,
  }));
}

function fullRef({ refName, event }: TriggerRecord): string {
  return event.refKind === "tag" ? `refs/tags/${refName}` : `refs/heads/${refName}`;
}

function toCommit(commit: CommitFacts | null): TriggerDocument["commit"] {
  if (commit === null) return null;
  return { author: commit.author, message: commit.message, url: commit.url, date: commit.date };
}

function toChanges(changes: TriggerRecord["changes"]): TriggerDocument["changes"] {
  return {
    known: changes.known,
    matched: changes.matched,
    total: changes.total,
    truncated: changes.total > changes.matched.length,
    because: changes.because ?? null,
  };
}

function toCause({ event, delivery, integration }: TriggerRecord): TriggerDocument["cause"] {
  const { actor } = event;
  return {
    event: event.kind,
    ref_change: event.change,
    forced: event.forced,
    pull_request: event.pullRequest,
    actor: actor === null ? null : { uuid: actor.uuid, display_name: actor.displayName, kind: actor.kind },
    integration,
    delivery_id: delivery.id,
    request_id: delivery.requestId,
    received_at: delivery.receivedAt,
    recovered_by: delivery.source === "sweep" ? "sweep" : null,
  };
}

function toDecision(decision: TriggerRecord["decision"]): TriggerDocument["decision"] {
  if (decision === null) return null;
  const { id, reason } = decision;
  return { id, reason, sentence: explain(decision), url: decisionUrl(id) };
}
