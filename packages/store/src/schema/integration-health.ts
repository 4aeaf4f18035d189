import { sql } from "drizzle-orm";
import { check, integer, jsonb, text, uuid } from "drizzle-orm/pg-core";

import { createdAt, sluice, time } from "./columns.ts";
import { integrations } from "./spaces.ts";
import { repositories } from "./targets.ts";

/** What was last found out about an integration's credential: one row an integration. */
export const credentialHealth = sluice.table(
  "credential_health",
  {
    integrationId: uuid()
      .primaryKey()
      .references(() => integrations.id, { onDelete: "cascade" }),
    /** `refused`: Bitbucket says no to it, and what needs it waits until a check passes. */
    state: text({ enum: ["ok", "refused"] }).notNull(),
    /** Since when it is so. */
    since: createdAt(),
    /** The status that Bitbucket refused with; null while it is ok. */
    httpStatus: integer(),
    /** What Bitbucket said, without secrets. */
    message: text(),
    checkedAt: time(),
    /** When the next check is due; null while it is ok. */
    nextCheckAt: time(),
    /** What Bitbucket said that the credential may do; null: it did not say. */
    scopes: jsonb().$type<string[]>(),
  },
  (t) => [check("credential_health_state_check", sql`${t.state} IN ('ok', 'refused')`)],
);

/** What was last seen of a repository's webhooks at Bitbucket. */
export const repositoryHooks = sluice.table("repository_hooks", {
  repositoryId: uuid()
    .primaryKey()
    .references(() => repositories.id, { onDelete: "cascade" }),
  checkedAt: createdAt(),
  /** What is not as it should be; empty: all is well. */
  drift: jsonb().$type<{ kind: string; hookId: string | null; detail: string }[]>().notNull(),
  /** Why they could not be read; null: they were. */
  unreadable: text(),
});
