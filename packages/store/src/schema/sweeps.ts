import { sql } from "drizzle-orm";
import { bigint, check, integer, primaryKey, text, uuid } from "drizzle-orm/pg-core";

import { sluice, time } from "./columns.ts";
import { repositories, targets } from "./targets.ts";

/** When the tracked branches of a repository were compared with Bitbucket's, and what came of it (rule 34). */
export const repositorySweeps = sluice.table(
  "repository_sweeps",
  {
    repositoryId: uuid()
      .primaryKey()
      .references(() => repositories.id, { onDelete: "cascade" }),
    /** Null: never. */
    sweptAt: time(),
    /** When to look again, where that is not to wait for the schedule. */
    dueAt: time(),
    /** A worker is looking, and may have died if it is not done by then. */
    takenUntil: time(),
    /** Pushes and pull request events that the last sweep recovered. */
    found: integer().notNull().default(0),
    /** Why the last sweep could not look; null: it could. */
    failureCode: text(),
    failureMessage: text(),
    failingSince: time(),
  },
  (t) => [
    check(
      "repository_sweeps_failure_check",
      sql`(${t.failureCode} IS NULL) = (${t.failingSince} IS NULL) AND (${t.failureCode} IS NULL) = (${t.failureMessage} IS NULL)`,
    ),
  ],
);

/** Branches that Bitbucket has elsewhere than we do: the push to there may still be on its way. */
export const sweepSuspicions = sluice.table(
  "sweep_suspicions",
  {
    repositoryId: uuid()
      .notNull()
      .references(() => repositories.id, { onDelete: "cascade" }),
    branch: text().notNull(),
    /** Where Bitbucket has it; null: it is gone. */
    headSha: text(),
    /** Of the branch as we had it: when it has moved since, the suspicion begins anew. */
    arrivalSequence: bigint({ mode: "number" }).notNull(),
    since: time().notNull().defaultNow(),
  },
  (t) => [primaryKey({ name: "sweep_suspicions_pkey", columns: [t.repositoryId, t.branch] })],
);

/** The first head of a branch that a sweep saw for a target. It runs nothing for it. */
export const sweepBaselines = sluice.table(
  "sweep_baselines",
  {
    targetId: uuid()
      .notNull()
      .references(() => targets.id, { onDelete: "cascade" }),
    /** Empty: the open pull requests of the repository; then `seenAt` is in Bitbucket's time. */
    branch: text().notNull(),
    /** Null: there was no such branch. */
    headSha: text(),
    /** Where we had the branch then; the same as `headSha` once we have it there too. */
    knownSha: text(),
    seenAt: time().notNull().defaultNow(),
  },
  (t) => [primaryKey({ name: "sweep_baselines_pkey", columns: [t.targetId, t.branch] })],
);
