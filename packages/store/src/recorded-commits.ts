/** What recorded events say of a commit. */
import type { Decision, Evidence } from "@sluice/domain/decide";
import type { Reason } from "@sluice/domain/reason";

import type { BranchName } from "./branches.ts";
import type { Database } from "./client.ts";
import type { PullRequestName } from "./pull-requests.ts";
import { newShaBeginsWith } from "./sha-prefix.ts";

/**
 * The 40-digit hashes that begin with `shortSha`, of the commits that recorded pushes to a repository came to, or only those
 * to one of its branches (`name` null: to any ref): at most two, which is one too many to know which is meant (rule 12).
 */
export async function findCommitsByPrefix(
  db: Database,
  { repositoryId, name }: { readonly repositoryId: string; readonly name: string | null },
  shortSha: string,
): Promise<readonly string[]> {
  const ofRef = name === null ? db.sql`` : db.sql`AND ref_kind = 'branch' AND ref_name = ${name}`;
  const rows = await db.sql<{ newSha: string }[]>`
    SELECT DISTINCT new_sha FROM sluice.events
    WHERE ${newShaBeginsWith(db, shortSha)} AND length(new_sha) = 40
      AND repository_id = ${repositoryId} AND kind = 'push' ${ofRef}
    LIMIT 2`;
  return rows.map(({ newSha }) => newSha);
}

/** A push to a branch, as somebody needs it who asks by its commit. */
export interface PushOfCommit {
  readonly eventId: string;
  /** 40 digits, unless the push itself told fewer. */
  readonly newSha: string;
  readonly isDecided: boolean;
  /** The account that pushed; null when it was not told. */
  readonly pusherUuid: string | null;
}

/** The latest recorded push of a branch to a commit, of which `sha` has 7 to 40 digits; null when none is recorded. */
export async function findPushOfCommit(
  db: Database,
  branch: BranchName,
  sha: string,
): Promise<PushOfCommit | null> {
  const [row] = await db.sql<PushOfCommit[]>`
    SELECT id AS event_id, new_sha, decided_at IS NOT NULL AS is_decided, facts -> 'actor' ->> 'uuid' AS pusher_uuid
    FROM sluice.events
    WHERE ${newShaBeginsWith(db, sha)} AND repository_id = ${branch.repositoryId}
      AND ref_kind = 'branch' AND ref_name = ${branch.name} AND NOT told_again
    ORDER BY sequence DESC LIMIT 1`;
  return row ?? null;
}

/** What an event meant for a target. */
export interface DecisionOfEvent {
  readonly targetId: string | null;
  readonly outcome: Decision["outcome"];
  readonly reason: Reason;
  readonly evidence: Evidence;
  readonly triggerId: string | null;
}

/** The decisions of an event. */
export async function listDecisionsOfEvent(
  db: Database,
  eventId: string,
): Promise<readonly DecisionOfEvent[]> {
  return db.sql<DecisionOfEvent[]>`
    SELECT target_id, outcome, reason, evidence, trigger_id FROM sluice.decisions WHERE event_id = ${eventId}`;
}

/** A pull request's head, as the question who may deploy it needs it (rule 24). Times are RFC 3339, by Bitbucket's clock. */
export interface RecordedHead {
  /** When it was first told; null: that event is gone, or Bitbucket was asked for it. */
  readonly seenAt: string | null;
  /** Approvals that were told while the pull request was at it, since it came there, the earliest first. */
  readonly approvals: readonly {
    /** Null for an account that Bitbucket named without one. */
    readonly userUuid: string | null;
    /** When that account last took part, as the approval's own event has it; null when not sent. */
    readonly at: string | null;
  }[];
}

/**
 * What recorded events say of a pull request's head, of which `sha` has 7 to 40 digits. An approval is what an event told of
 * at that head: a participant who has approved an earlier one and comments on this one has not approved this one.
 */
export async function findHeadOfPullRequest(
  db: Database,
  head: PullRequestName & { readonly sha: string; readonly headArrival: number },
): Promise<RecordedHead> {
  const { repositoryId, number, sha, headArrival } = head;
  const [row] = await db.sql<RecordedHead[]>`
    WITH told AS (
      SELECT action, sequence, new_sha, facts FROM sluice.events
      WHERE repository_id = ${repositoryId} AND pull_request_number = ${number} AND sequence >= ${headArrival}
    ), approval AS (
      SELECT sequence, facts -> 'actor' ->> 'uuid' AS user_uuid,
             jsonb_path_query_first(
               facts, '$.pullRequest.reviews[*] ? (@.userUuid == $uuid && @.state == "approved").participatedOn',
               jsonb_build_object('uuid', facts -> 'actor' -> 'uuid')
             ) #>> '{}' AS at
      FROM told
      WHERE action = 'approved' AND (starts_with(${sha}, new_sha) OR starts_with(new_sha, ${sha}))
    )
    SELECT (SELECT facts -> 'pullRequest' ->> 'updatedOn' FROM told WHERE sequence = ${headArrival} LIMIT 1) AS seen_at,
           (SELECT coalesce(json_agg(json_build_object('userUuid', user_uuid, 'at', at) ORDER BY sequence), '[]')
            FROM approval) AS approvals`;
  return row ?? { seenAt: null, approvals: [] };
}

/** Whether an event recorded before this one told of the same comment: a command is carried out once (rule 24). */
export async function wasCommentTold(
  db: Database,
  {
    repositoryId,
    number,
    commentId,
    before,
  }: PullRequestName & { readonly commentId: number; readonly before: number },
): Promise<boolean> {
  const [row] = await db.sql<{ wasTold: boolean }[]>`
    SELECT EXISTS (
      SELECT FROM sluice.events
      WHERE repository_id = ${repositoryId} AND pull_request_number = ${number} AND action = 'commented'
        AND sequence < ${before} AND facts #>> '{comment,id}' = ${String(commentId)}
    ) AS was_told`;
  return row?.wasTold ?? false;
}
