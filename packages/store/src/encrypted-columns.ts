/** Every column that holds something encrypted, for whoever changes the keys. A test compares the list with the database's. */
import {
  credentialContext,
  previousSecretContext,
  webhookSecretContext,
} from "@sluice/domain/secret-context";

import type { Database } from "./client.ts";
import { idempotencyContext } from "./idempotency-keys.ts";

/** A value as it is stored, and what it was encrypted for. */
export interface EncryptedValue {
  readonly rowId: string;
  readonly ciphertext: string;
  /** The context that it decrypts under. */
  readonly context: string;
}

/** A value to write in place of one that was read. */
export interface Reencryption {
  readonly rowId: string;
  readonly was: string;
  readonly becomes: string;
}

/** How many values of a column one key encrypted. */
export interface KeyUse {
  readonly column: EncryptedColumn;
  /** Empty for values that no keyring has made. */
  readonly keyId: string;
  readonly values: number;
}

interface Row {
  readonly id: string;
  readonly ciphertext: string;
  readonly owner: string;
  readonly key: string;
}

interface Place {
  readonly table: string;
  readonly name: string;
  readonly contextOf: (row: Row) => string;
}

const PLACES = {
  "integrations.credential_ciphertext": {
    table: "sluice.integrations",
    name: "credential_ciphertext",
    contextOf: ({ id }) => credentialContext(id),
  },
  "integrations.webhook_secret_ciphertext": {
    table: "sluice.integrations",
    name: "webhook_secret_ciphertext",
    contextOf: ({ id }) => webhookSecretContext(id),
  },
  "integrations.previous_secret_ciphertext": {
    table: "sluice.integrations",
    name: "previous_secret_ciphertext",
    contextOf: ({ id }) => previousSecretContext(id),
  },
  "idempotency_keys.body_ciphertext": {
    table: "sluice.idempotency_keys",
    name: "body_ciphertext",
    contextOf: idempotencyContext,
  },
} as const satisfies Record<string, Place>;

/** `table.column`, of the schema `sluice`. */
export type EncryptedColumn = keyof typeof PLACES;

/** All of them. */
export const ENCRYPTED_COLUMNS = Object.keys(PLACES).filter(isEncryptedColumn);

/** Values of a column that another key than `keyId` encrypted, by row; `after`: the last row of the page before. */
export async function listValuesOfOtherKeys(
  db: Database,
  page: {
    readonly column: EncryptedColumn;
    readonly keyId: string;
    readonly after: string | null;
    readonly limit: number;
  },
): Promise<EncryptedValue[]> {
  const { table, name, contextOf } = PLACES[page.column];
  const ciphertext = db.sql(name);
  const owner =
    page.column === "idempotency_keys.body_ciphertext" ? db.sql`owner, key` : db.sql`'' AS owner, '' AS key`;
  const rows = await db.sql<Row[]>`
    SELECT id, ${ciphertext} AS ciphertext, ${owner} FROM ${db.sql(table)}
    WHERE ${ciphertext} IS NOT NULL AND ${keyIdOf(db, name)} <> ${page.keyId}
      AND ${page.after === null ? db.sql`true` : db.sql`id > ${page.after}::uuid`}
    ORDER BY id LIMIT ${page.limit}`;
  return rows.map((row) => ({ rowId: row.id, ciphertext: row.ciphertext, context: contextOf(row) }));
}

/**
 * Writes values in place of those that were read, where these are still there: what somebody else has written since then
 * stays. To people an integration is unchanged: `updated_at`, which says when they changed it, stays too. @returns how many.
 */
export async function replaceEncryptedValues(
  db: Database,
  column: EncryptedColumn,
  values: readonly Reencryption[],
): Promise<number> {
  const { table, name } = PLACES[column];
  const ciphertext = db.sql(name);
  const rows = await db.sql`
    UPDATE ${db.sql(table)} AS present SET ${ciphertext} = new.becomes
    FROM unnest(
      ${values.map((value) => value.rowId)}::uuid[],
      ${values.map((value) => value.was)}::text[],
      ${values.map((value) => value.becomes)}::text[]
    ) AS new (id, was, becomes)
    WHERE present.id = new.id AND present.${ciphertext} = new.was
    RETURNING present.id`;
  return rows.length;
}

/** Which keys encrypted what is stored now. */
export async function countKeyUses(db: Database): Promise<KeyUse[]> {
  const uses: KeyUse[] = [];
  for (const column of ENCRYPTED_COLUMNS) {
    const { table, name } = PLACES[column];
    const rows = await db.sql<{ keyId: string; values: number }[]>`
      SELECT ${keyIdOf(db, name)} AS key_id, count(*) AS values FROM ${db.sql(table)}
      WHERE ${db.sql(name)} IS NOT NULL GROUP BY 1 ORDER BY 1`;
    uses.push(...rows.map((row) => ({ column, ...row })));
  }
  return uses;
}

/** A keyring writes `v1.<key id>.…`. */
function keyIdOf(db: Database, name: string) {
  return db.sql`split_part(${db.sql(name)}, '.', 2)`;
}

function isEncryptedColumn(name: string): name is EncryptedColumn {
  return name in PLACES;
}
