import { integer, primaryKey, uuid } from "drizzle-orm/pg-core";

import { sluice, time } from "./columns.ts";
import { integrations } from "./spaces.ts";

/** What each credential may ask of Bitbucket, shared by all workers. */
export const callBudgets = sluice.table("call_budgets", {
  integrationId: uuid()
    .primaryKey()
    .references(() => integrations.id),
  /** What an operator allows. */
  callsPerHour: integer().notNull().default(1000),
  /** What Bitbucket said it allows; null: nothing. */
  learnedCallsPerHour: integer(),
  /** Set by a 429: no call before this time. */
  blockedUntil: time(),
});

/** Calls made, counted by minute: a rolling hour is the sum of the last sixty. */
export const callCounts = sluice.table(
  "call_counts",
  {
    integrationId: uuid()
      .notNull()
      .references(() => integrations.id),
    minute: time().notNull(),
    calls: integer().notNull(),
  },
  (t) => [primaryKey({ name: "call_counts_pkey", columns: [t.integrationId, t.minute] })],
);
