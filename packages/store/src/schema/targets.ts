import { sql } from "drizzle-orm";
import { boolean, check, index, jsonb, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";

import { createdAt, id, sluice, time } from "./columns.ts";
import { integrations, spaces } from "./spaces.ts";

/**
 * A repository as one integration sees it: identified by Bitbucket's uuid, while `workspace/slug` may change. One that
 * a target names before any delivery came has no uuid yet.
 */
export const repositories = sluice.table(
  "repositories",
  {
    id: id(),
    integrationId: uuid()
      .notNull()
      .references(() => integrations.id),
    /** With braces, as Bitbucket writes it; null until the first delivery. */
    uuid: text(),
    /** `workspace/slug`. */
    fullName: text().notNull(),
    /**
     * Whether Bitbucket can tell the pull requests of a commit: it needs the app "Pull Request Commit Links". Null: not
     * asked yet.
     */
    commitLinks: text({ enum: ["available", "not_installed"] }),
    commitLinksCheckedAt: time(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
  },
  (t) => [
    uniqueIndex("repositories_uuid_key").on(t.integrationId, t.uuid),
    uniqueIndex("repositories_unseen_name_key")
      .on(t.integrationId, sql`lower(${t.fullName})`)
      .where(sql`${t.uuid} IS NULL`),
    check("repositories_commit_links_check", sql`${t.commitLinks} IN ('available', 'not_installed')`),
    index("repositories_name_idx").on(t.integrationId, sql`lower(${t.fullName})`),
  ],
);

/** A stack or a module. Removed ones stay, because triggers refer to them. */
export const targets = sluice.table(
  "targets",
  {
    id: id(),
    spaceId: uuid()
      .notNull()
      .references(() => spaces.id),
    kind: text({ enum: ["stack", "module"] }).notNull(),
    name: text().notNull(),
    /** The scheduler's own name for it; null when it has none. */
    externalId: text(),
    /** Null: detached, because its integration was deleted (rule 5). */
    integrationId: uuid().references(() => integrations.id),
    repositoryId: uuid()
      .notNull()
      .references(() => repositories.id),
    trackedBranch: text().notNull(),
    projectRoot: text().notNull().default(""),
    projectGlobs: jsonb().$type<string[]>().notNull().default([]),
    labels: jsonb().$type<string[]>().notNull().default([]),
    /** Opaque to us, handed to the scheduler with each trigger; at most 16 KiB. */
    metadata: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    /** Null: a proposed run counts as affected, a tracked one is held (rule 17). */
    onUnknownFiles: text({ enum: ["run", "hold", "skip"] }),
    /** Workspaces whose forks may run (rule 21). */
    allowedForkWorkspaces: jsonb().$type<string[]>().notNull().default([]),
    /** Bitbucket account uuids that may deploy by comment (rule 24). */
    deployers: jsonb().$type<string[]>().notNull().default([]),
    /** Whether a newer tracked trigger replaces older ones that nobody has claimed (rule 27). */
    coalesce: boolean().notNull().default(false),
    /** Where a module's version comes from: a tag, or a file at the commit (rule 31). A stack has none. */
    moduleVersionSource: text({ enum: ["tag", "file"] }),
    enabled: boolean().notNull().default(true),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    removedAt: time(),
  },
  (t) => [
    uniqueIndex("targets_name_key")
      .on(t.spaceId, t.kind, t.name)
      .where(sql`${t.removedAt} IS NULL`),
    index("targets_repository_idx")
      .on(t.repositoryId)
      .where(sql`${t.removedAt} IS NULL`),
    check("targets_kind_check", sql`${t.kind} IN ('stack', 'module')`),
    check("targets_on_unknown_files_check", sql`${t.onUnknownFiles} IN ('run', 'hold', 'skip')`),
    check("targets_module_version_source_check", sql`${t.moduleVersionSource} IN ('tag', 'file')`),
    check("targets_metadata_check", sql`octet_length(${t.metadata}::text) <= 16384`),
  ],
);
