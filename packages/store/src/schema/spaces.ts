import { sql } from "drizzle-orm";
import {
  type AnyPgColumn,
  boolean,
  check,
  jsonb,
  text,
  unique,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";

import { ciphertext, createdAt, id, sluice, time } from "./columns.ts";

/** A tree whose root is named `root`. */
export const spaces = sluice.table(
  "spaces",
  {
    id: id(),
    name: text().notNull(),
    parentId: uuid().references((): AnyPgColumn => spaces.id),
    /** Whether what the ancestors hold can be used here, through an unbroken chain. */
    inheritEntities: boolean().notNull().default(false),
    createdAt: createdAt(),
  },
  (t) => [
    unique("spaces_name_key").on(t.name),
    check("spaces_root_check", sql`(${t.name} = 'root') = (${t.parentId} IS NULL)`),
  ],
);

/** A Bitbucket Cloud connection (rules 1 to 6). Deleted ones stay, without their secrets, because deliveries refer to them. */
export const integrations = sluice.table(
  "integrations",
  {
    id: id(),
    name: text().notNull(),
    /** Part of the webhook endpoint; made from the name. */
    slug: text().notNull(),
    /** The space that owns it; null for the default integration, which every target may use. */
    spaceId: uuid().references(() => spaces.id),
    credentialKind: text({ enum: ["api_token", "access_token"] }).notNull(),
    /** The Atlassian account's mail address; only with an API token. */
    credentialEmail: text(),
    credentialCiphertext: ciphertext(),
    /** When the token ends, as whoever made it said; null: not known. Bitbucket does not tell. */
    credentialExpiresAt: time(),
    webhookSecretCiphertext: ciphertext(),
    /** The secret before the last rotation, which still verifies until `previousSecretExpiresAt` (rule 4). */
    previousSecretCiphertext: ciphertext(),
    previousSecretExpiresAt: time(),
    checksMode: text({ enum: ["individual", "aggregated", "all"] })
      .notNull()
      .default("individual"),
    labels: jsonb().$type<string[]>().notNull().default([]),
    description: text().notNull().default(""),
    enabled: boolean().notNull().default(true),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    deletedAt: time(),
  },
  (t) => [
    uniqueIndex("integrations_name_key")
      .on(t.name)
      .where(sql`${t.deletedAt} IS NULL`),
    uniqueIndex("integrations_slug_key")
      .on(t.slug)
      .where(sql`${t.deletedAt} IS NULL`),
    uniqueIndex("integrations_default_key")
      .on(sql`(${t.spaceId} IS NULL)`)
      .where(sql`${t.spaceId} IS NULL AND ${t.deletedAt} IS NULL`),
    check("integrations_credential_kind_check", sql`${t.credentialKind} IN ('api_token', 'access_token')`),
    check("integrations_checks_mode_check", sql`${t.checksMode} IN ('individual', 'aggregated', 'all')`),
  ],
);
