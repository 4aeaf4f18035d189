import type { Actor, PullRequestReview } from "@sluice/domain/event";
import { sql } from "drizzle-orm";
import { bigint, boolean, check, index, integer, jsonb, primaryKey, text, uuid } from "drizzle-orm/pg-core";

import { createdAt, sluice, time } from "./columns.ts";
import { repositories } from "./targets.ts";

/** Pull requests as deliveries and Bitbucket reported them; what is stored only moves forward in `updatedOn` (rule 13). */
export const pullRequests = sluice.table(
  "pull_requests",
  {
    /** The repository of the destination. */
    repositoryId: uuid()
      .notNull()
      .references(() => repositories.id),
    number: integer().notNull(),
    title: text().notNull(),
    /** `OPEN`, `MERGED`, `DECLINED`, `SUPERSEDED`, or a word of Bitbucket's future. */
    state: text().notNull(),
    isDraft: boolean(),
    author: jsonb().$type<Actor>(),
    url: text(),
    createdOn: time(),
    /** Bitbucket's, with its microseconds. */
    updatedOn: time().notNull(),
    /** Null: the fork is gone. */
    sourceRepositoryId: uuid().references(() => repositories.id),
    sourceBranch: text().notNull(),
    /** 7 to 40 hex digits; null when the branch or the fork is gone. */
    sourceSha: text(),
    destinationBranch: text().notNull(),
    destinationSha: text(),
    mergeSha: text(),
    reviews: jsonb().$type<PullRequestReview[]>().notNull().default([]),
    /** The sequence of the event that first told the present head. */
    headArrival: bigint({ mode: "number" }).notNull(),
    recordedAt: createdAt(),
  },
  (t) => [
    primaryKey({ name: "pull_requests_pkey", columns: [t.repositoryId, t.number] }),
    index("pull_requests_source_idx").on(t.sourceRepositoryId, t.sourceBranch),
    check("pull_requests_number_check", sql`${t.number} > 0`),
  ],
);

/** Which pull requests a commit is part of. */
export const commitPullRequests = sluice.table(
  "commit_pull_requests",
  {
    /** The repository of the destination. */
    repositoryId: uuid()
      .notNull()
      .references(() => repositories.id),
    /** 40 hex digits. */
    commitSha: text().notNull(),
    number: integer().notNull(),
    /** `event`: a pull request event named it as its head or merge; `bitbucket`: asked for it; `branch`: by its branch. */
    source: text({ enum: ["event", "bitbucket", "branch"] }).notNull(),
    recordedAt: createdAt(),
  },
  (t) => [
    primaryKey({ name: "commit_pull_requests_pkey", columns: [t.repositoryId, t.commitSha, t.number] }),
    index("commit_pull_requests_number_idx").on(t.repositoryId, t.number),
    check("commit_pull_requests_source_check", sql`${t.source} IN ('event', 'bitbucket', 'branch')`),
  ],
);

/** Commits about whose pull requests Bitbucket was asked, or is to be. */
export const commitLinks = sluice.table(
  "commit_links",
  {
    repositoryId: uuid()
      .notNull()
      .references(() => repositories.id),
    /** 40 hex digits. */
    commitSha: text().notNull(),
    attempts: integer().notNull().default(0),
    /** When Bitbucket is to be asked (again); null: it is not. */
    askAt: time(),
    recordedAt: createdAt(),
  },
  (t) => [
    primaryKey({ name: "commit_links_pkey", columns: [t.repositoryId, t.commitSha] }),
    index("commit_links_ask_at_idx")
      .on(t.askAt)
      .where(sql`${t.askAt} IS NOT NULL`),
  ],
);
