import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";

import { bytes, id, sluice, time } from "./columns.ts";
import { integrations } from "./spaces.ts";
import { repositories } from "./targets.ts";

/** One signed HTTP request from Bitbucket. Its identity is (integration, X-Request-UUID) (rule 9). */
export const deliveries = sluice.table(
  "deliveries",
  {
    /** Made from the identity, so that every sender of the same request is told the same id. */
    id: uuid().primaryKey(),
    integrationId: uuid()
      .notNull()
      .references(() => integrations.id),
    requestId: text().notNull(),
    /** `sweep`: what it says was found by a sweep and told by nobody (rule 34). */
    source: text({ enum: ["webhook", "sweep"] })
      .notNull()
      .default("webhook"),
    /** X-Hook-UUID; null when not sent. */
    hookId: text(),
    eventKey: text().notNull(),
    /** X-Attempt-Number. */
    attempt: integer().notNull(),
    secretVersion: text({ enum: ["current", "previous"] }).notNull(),
    /** When the ingress had verified it, by the ingress's clock. */
    receivedAt: time().notNull(),
    recordedAt: time().notNull().defaultNow(),
    outcome: text({ enum: ["events", "no_events", "unsupported", "failed"] }).notNull(),
    /** Why it failed: code, JSON path, message; null unless `outcome` is `failed`. */
    failure: jsonb().$type<{ code: string; path: string; message: string }>(),
    bodyBytes: integer().notNull(),
  },
  (t) => [
    uniqueIndex("deliveries_identity_key").on(t.integrationId, t.requestId),
    // With the id, so that retention goes on exactly where it stopped.
    index("deliveries_recorded_at_idx").on(t.recordedAt, t.id),
    index("deliveries_integration_idx").on(t.integrationId, t.recordedAt, t.id),
    index("deliveries_failed_idx")
      .on(t.recordedAt, t.id)
      .where(sql`${t.outcome} = 'failed'`),
    check("deliveries_outcome_check", sql`${t.outcome} IN ('events', 'no_events', 'unsupported', 'failed')`),
    check("deliveries_source_check", sql`${t.source} IN ('webhook', 'sweep')`),
    check("deliveries_failure_check", sql`(${t.outcome} = 'failed') = (${t.failure} IS NOT NULL)`),
  ],
);

/** The bytes as they came, compressed. Apart from `deliveries`, so that raw data can go sooner than the record of what it meant. */
export const deliveryBodies = sluice.table(
  "delivery_bodies",
  {
    deliveryId: uuid()
      .primaryKey()
      .references(() => deliveries.id, { onDelete: "cascade" }),
    headers: jsonb().$type<Record<string, string>>().notNull(),
    /** How `body` holds the bytes; see delivery-bodies.ts. */
    encoding: text({ enum: ["identity", "brotli"] }).notNull(),
    body: bytes().notNull(),
    /** That of the delivery. Here too, so that retention finds the old ones among those that are left. */
    recordedAt: time().notNull().defaultNow(),
  },
  (t) => [index("delivery_bodies_recorded_at_idx").on(t.recordedAt, t.deliveryId)],
);

/** Numbers events in the order in which they were recorded; drawn while the repository is locked. */
export const eventSequence = sluice.sequence("event_sequence");

/** One normalised fact of a delivery. */
export const events = sluice.table(
  "events",
  {
    id: id(),
    deliveryId: uuid()
      .notNull()
      .references(() => deliveries.id),
    /** Place within the delivery, from 0. */
    index: integer().notNull(),
    /** Order within the repository: pushes of a branch change places when one comes late (rule 14). */
    sequence: bigint({ mode: "number" }).notNull(),
    kind: text({ enum: ["push", "pull_request", "unsupported"] }).notNull(),
    eventKey: text().notNull(),
    /** Null for an event of an unsupported key, whose body is not read. */
    repositoryId: uuid().references(() => repositories.id),
    refKind: text({ enum: ["branch", "tag", "other"] }),
    refName: text(),
    change: text({ enum: ["created", "updated", "deleted"] }),
    oldSha: text(),
    newSha: text(),
    forced: boolean().notNull().default(false),
    /** Tells the arrival by which the branch came to `newSha` from others at the same commit; null for anything but a branch. */
    branchArrival: bigint({ mode: "number" }),
    /** The same hook told the same push before; see `RecordedPush` of the domain. */
    toldAgain: boolean().notNull().default(false),
    /** What happened to a pull request, as it was told or refined by what was stored (rule 11); null for anything else. */
    action: text(),
    pullRequestNumber: integer(),
    /** The repository of a pull request's source branch; null when it is gone. */
    sourceRepositoryId: uuid().references(() => repositories.id),
    /** The commit and the actor of a push; the actor, the pull request and the comment of a pull request event. */
    facts: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    receivedAt: time().notNull(),
    recordedAt: time().notNull().defaultNow(),
    /** When decisions for all its targets were committed. */
    decidedAt: time(),
  },
  (t) => [
    uniqueIndex("events_identity_key").on(t.deliveryId, t.index),
    index("events_branch_idx")
      .on(t.repositoryId, t.refName, t.sequence)
      .where(sql`${t.refKind} = 'branch'`),
    index("events_undecided_idx")
      .on(t.repositoryId, t.refName, t.sequence)
      .where(sql`${t.decidedAt} IS NULL`),
    // For a question about a commit, which does not name the repository.
    index("events_new_sha_idx")
      .on(t.newSha.op("text_pattern_ops"))
      .where(sql`${t.newSha} IS NOT NULL`),
    index("events_pull_request_idx")
      .on(t.repositoryId, t.pullRequestNumber, t.sequence)
      .where(sql`${t.pullRequestNumber} IS NOT NULL`),
    // The last one of each key, and a repository's events from the newest on: their ids sort by time.
    index("events_repository_idx").on(t.repositoryId, t.eventKey, t.id),
    check("events_kind_check", sql`${t.kind} IN ('push', 'pull_request', 'unsupported')`),
    check(
      "events_pull_request_check",
      sql`${t.kind} <> 'pull_request' OR (${t.repositoryId} IS NOT NULL AND ${t.action} IS NOT NULL AND ${t.pullRequestNumber} IS NOT NULL)`,
    ),
    check(
      "events_push_check",
      sql`${t.kind} <> 'push' OR (${t.repositoryId} IS NOT NULL AND ${t.refKind} IS NOT NULL AND ${t.refName} IS NOT NULL AND ${t.change} IS NOT NULL)`,
    ),
  ],
);

/** Heads as deliveries reported them, per branch of a repository. */
export const branches = sluice.table(
  "branches",
  {
    repositoryId: uuid()
      .notNull()
      .references(() => repositories.id),
    name: text().notNull(),
    /** Null: deleted. */
    headSha: text(),
    arrivalSequence: bigint({ mode: "number" }).notNull(),
    /** What the first recorded push left: a hash, or `absent` when it made the branch; null when it did not say. */
    origin: text(),
    /** Whether the recorded pushes tell what the head is; see `BranchState`. */
    chain: text({ enum: ["whole", "broken", "unsure"] })
      .notNull()
      .default("whole"),
    updatedAt: time().notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ name: "branches_pkey", columns: [t.repositoryId, t.name] }),
    check("branches_chain_check", sql`${t.chain} IN ('whole', 'broken', 'unsure')`),
  ],
);
