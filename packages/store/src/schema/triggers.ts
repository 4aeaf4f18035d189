import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
  text,
  unique,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";

import { createdAt, id, sluice, time } from "./columns.ts";
import { events } from "./deliveries.ts";
import { repositories, targets } from "./targets.ts";

/** The request to run, which a scheduler claims and reports on (rules 26 to 29). */
export const triggers = sluice.table(
  "triggers",
  {
    id: id(),
    targetId: uuid()
      .notNull()
      .references(() => targets.id),
    repositoryId: uuid()
      .notNull()
      .references(() => repositories.id),
    eventId: uuid()
      .notNull()
      .references(() => events.id),
    runType: text({ enum: ["tracked", "proposed"] }).notNull(),
    /** 40 hex digits. */
    commitSha: text().notNull(),
    /** The repository that `refName` is a branch of: a fork's, or the same. */
    sourceRepositoryId: uuid()
      .notNull()
      .references(() => repositories.id),
    refName: text().notNull(),
    /** The commit that the ref left, when known. */
    baseSha: text(),
    /** The arrival of the branch at this commit: a commit that comes back is a new trigger (rule 26). */
    branchArrival: bigint({ mode: "number" }).notNull(),
    /** A pull request told of the commit before its push did: the push takes the trigger over when it comes. */
    awaitsPush: boolean().notNull().default(false),
    /** Order of claiming within a target (rule 29): the sequence of the event. */
    position: bigint({ mode: "number" }).notNull(),
    state: text({
      enum: [
        "blocked",
        "queued",
        "claimed",
        "running",
        "waiting",
        "lost",
        "succeeded",
        "failed",
        "canceled",
        "superseded",
      ],
    })
      .notNull()
      .default("queued"),
    changes: jsonb().$type<Record<string, unknown>>().notNull(),
    moduleVersion: text(),
    cancelRequested: boolean().notNull().default(false),
    /** How often it was claimed. */
    attempt: integer().notNull().default(0),
    /** Proves to the api that a report comes from the present holder; a new one for each claim. */
    leaseToken: uuid(),
    leaseHolder: text(),
    leaseExpiresAt: time(),
    runId: text(),
    runUrl: text(),
    message: text(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
  },
  (t) => [
    unique("triggers_identity_key").on(t.targetId, t.runType, t.commitSha, t.branchArrival),
    index("triggers_proposed_claim_idx")
      .on(t.position, t.id)
      .where(sql`${t.runType} = 'proposed' AND ${t.state} IN ('queued', 'claimed')`),
    index("triggers_tracked_open_idx")
      .on(t.targetId, t.position, t.id)
      .where(
        sql`${t.runType} = 'tracked' AND ${t.state} IN ('blocked', 'queued', 'claimed', 'running', 'waiting', 'lost')`,
      ),
    // A target's slot: no two of its tracked triggers are ever in flight, whatever a statement believed (rule 28).
    uniqueIndex("triggers_slot_key")
      .on(t.targetId)
      .where(sql`${t.runType} = 'tracked' AND ${t.state} IN ('claimed', 'running', 'waiting', 'lost')`),
    index("triggers_branch_open_idx")
      .on(t.sourceRepositoryId, t.refName)
      .where(
        sql`${t.runType} = 'proposed' AND ${t.state} IN ('blocked', 'queued', 'claimed', 'running', 'waiting')`,
      ),
    index("triggers_awaiting_push_idx")
      .on(t.sourceRepositoryId, t.refName)
      .where(sql`${t.awaitsPush}`),
    // A version of a module is given once (rule 31).
    uniqueIndex("triggers_module_version_key")
      .on(t.targetId, t.moduleVersion)
      .where(sql`${t.moduleVersion} IS NOT NULL`),
    index("triggers_target_idx").on(t.targetId, t.runType, t.position),
    index("triggers_lease_idx")
      .on(t.leaseExpiresAt)
      .where(sql`${t.state} IN ('claimed', 'running')`),
    index("triggers_event_idx").on(t.eventId),
    // For a question about a commit by its first digits, which does not name the repository.
    index("triggers_commit_idx").on(t.commitSha.op("text_pattern_ops")),
    // A repository's from the newest on: ids sort by time.
    index("triggers_repository_idx").on(t.repositoryId, t.id),
    check("triggers_run_type_check", sql`${t.runType} IN ('tracked', 'proposed')`),
    check(
      "triggers_state_check",
      sql`${t.state} IN ('blocked', 'queued', 'claimed', 'running', 'waiting', 'lost', 'succeeded', 'failed', 'canceled', 'superseded')`,
    ),
    check("triggers_commit_sha_check", sql`${t.commitSha} ~ '^[0-9a-f]{40}$'`),
  ],
);

/** Every change of a trigger's state, with who and when (rule 28). */
export const triggerHistory = sluice.table(
  "trigger_history",
  {
    id: id(),
    triggerId: uuid()
      .notNull()
      .references(() => triggers.id),
    state: text().notNull(),
    /** Who made the change: a stage of ours, a holder, or a person. */
    actor: text().notNull(),
    note: text(),
    at: createdAt(),
  },
  (t) => [index("trigger_history_trigger_idx").on(t.triggerId, t.at)],
);

/** What an event meant for a target, and why. An event that concerns no target has one row without a target. */
export const decisions = sluice.table(
  "decisions",
  {
    id: id(),
    eventId: uuid()
      .notNull()
      .references(() => events.id),
    targetId: uuid().references(() => targets.id),
    outcome: text({ enum: ["trigger", "hold", "ignore"] }).notNull(),
    runType: text({ enum: ["tracked", "proposed"] }),
    reason: text().notNull(),
    evidence: jsonb().$type<Record<string, unknown>>().notNull(),
    triggerId: uuid().references(() => triggers.id),
    decidedAt: createdAt(),
  },
  (t) => [
    unique("decisions_identity_key").on(t.eventId, t.targetId).nullsNotDistinct(),
    // A target's from the newest on: unlike `decidedAt`, which a settled one moves, ids stay where they are.
    index("decisions_target_idx").on(t.targetId, t.id),
    // What waits for a person.
    index("decisions_held_idx")
      .on(t.id)
      .where(sql`${t.outcome} = 'hold'`),
    // Its condition follows from `trigger_id = …`, so that the foreign key's check of a deleted trigger finds it too.
    uniqueIndex("decisions_trigger_key")
      .on(t.triggerId)
      .where(sql`${t.triggerId} IS NOT NULL`),
    check("decisions_outcome_check", sql`${t.outcome} IN ('trigger', 'hold', 'ignore')`),
  ],
);
