import { randomUUID } from "node:crypto";

import { credentialContext, webhookSecretContext } from "@sluice/domain/secret-context";
import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";

import { openStore, type Store } from "./client.ts";
import {
  countKeyUses,
  ENCRYPTED_COLUMNS,
  listValuesOfOtherKeys,
  replaceEncryptedValues,
} from "./encrypted-columns.ts";
import { idempotencyContext, saveAnswer } from "./idempotency-keys.ts";
import { migrateStore } from "./migrate.ts";
import { insertIntegration } from "./test-fixtures.ts";

const SECRET = "integrations.webhook_secret_ciphertext";
const FROM_THE_FIRST = { keyId: "new", after: null, limit: 100 } as const;

let database: TestDatabase;
let store: Store;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  database = await createTestDatabase({ serverUrl, migrate: migrateStore, key: "store" });
  store = openStore({ url: database.url, maxConnections: 4, applicationName: "test" });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

beforeEach(() => store.sql`TRUNCATE sluice.integrations, sluice.idempotency_keys CASCADE`);

async function anIntegration(secret: string, credential?: string): Promise<string> {
  const id = randomUUID();
  const given = credential === undefined ? {} : { credentialCiphertext: credential };
  await insertIntegration(store, { id, slug: id, webhookSecretCiphertext: secret, ...given });
  return id;
}

async function secretOf(id: string): Promise<string | undefined> {
  const [row] = await store.sql<{ secret: string }[]>`
    SELECT webhook_secret_ciphertext AS secret FROM sluice.integrations WHERE id = ${id}`;
  return row?.secret;
}

test("every column of the database that holds ciphertexts is in the list", async () => {
  const rows = await store.sql<{ name: string }[]>`
    SELECT table_name || '.' || column_name AS name FROM information_schema.columns
    WHERE table_schema = 'sluice' AND column_name LIKE '%ciphertext%'`;
  expect(rows.map(({ name }) => name).toSorted()).toEqual(ENCRYPTED_COLUMNS.toSorted());
});

test("values of other keys are listed in pages, with what they were encrypted for", async () => {
  const ids = [
    await anIntegration("v1.old.a.b", "v1.old.c.d"),
    await anIntegration("v1.older.e.f"),
  ].toSorted();
  await anIntegration("v1.new.g.h", "v1.new.i.j");
  const found: string[] = [];
  for (let after: string | null = null; ;) {
    const [value] = await listValuesOfOtherKeys(store, { column: SECRET, keyId: "new", after, limit: 1 });
    if (value === undefined) break;
    expect(value).toEqual({
      rowId: value.rowId,
      ciphertext: await secretOf(value.rowId),
      context: webhookSecretContext(value.rowId),
    });
    found.push(value.rowId);
    after = value.rowId;
  }
  expect(found).toEqual(ids);
  const column = "integrations.credential_ciphertext";
  const credentials = await listValuesOfOtherKeys(store, { column, ...FROM_THE_FIRST });
  expect(credentials).toMatchObject([{ ciphertext: "v1.old.c.d" }]);
  expect(credentials[0]?.context).toBe(credentialContext(credentials[0]?.rowId ?? ""));
});

test("an answer that was kept is listed with the context of its owner and key", async () => {
  const key = { owner: "bootstrap", key: "a key: of any, text" };
  await saveAnswer(store, key, { requestDigest: "-", status: 201, bodyCiphertext: "v1.old.a.b" });
  const column = "idempotency_keys.body_ciphertext";
  expect(await listValuesOfOtherKeys(store, { column, ...FROM_THE_FIRST })).toMatchObject([
    { ciphertext: "v1.old.a.b", context: idempotencyContext(key) },
  ]);
});

test("a value that somebody has changed since it was read is left as it is, and its neighbours are replaced", async () => {
  const [one, other] = [await anIntegration("v1.old.a.b"), await anIntegration("v1.old.c.d")];
  const replaced = await replaceEncryptedValues(store, SECRET, [
    { rowId: one, was: "v1.old.changed.meanwhile", becomes: "v1.new.x.y" },
    { rowId: other, was: "v1.old.c.d", becomes: "v1.new.x.z" },
    { rowId: randomUUID(), was: "v1.old.gone.b", becomes: "v1.new.x.y" },
  ]);
  expect(replaced).toBe(1);
  expect([await secretOf(one), await secretOf(other)]).toEqual(["v1.old.a.b", "v1.new.x.z"]);
});

test("to people a row that was encrypted anew is unchanged", async () => {
  const id = await anIntegration("v1.old.a.b");
  const read = () => store.sql`
    SELECT to_jsonb(integrations) - 'webhook_secret_ciphertext' AS row FROM sluice.integrations WHERE id = ${id}`;
  const before = await read();
  await replaceEncryptedValues(store, SECRET, [{ rowId: id, was: "v1.old.a.b", becomes: "v1.new.x.y" }]);
  expect(await read()).toEqual(before);
  expect(await secretOf(id)).toBe("v1.new.x.y");
});

test("the uses of each key are counted by column; what no keyring made counts under no key", async () => {
  await anIntegration("v1.old.a.b", "v1.old.c.d");
  await anIntegration("v1.new.a.b");
  await anIntegration("-");
  expect(await countKeyUses(store)).toEqual([
    { column: "integrations.credential_ciphertext", keyId: "old", values: 1 },
    { column: SECRET, keyId: "", values: 1 },
    { column: SECRET, keyId: "new", values: 1 },
    { column: SECRET, keyId: "old", values: 1 },
  ]);
});
