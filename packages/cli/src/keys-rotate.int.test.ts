import { randomUUID } from "node:crypto";

import {
  credentialContext,
  previousSecretContext,
  webhookSecretContext,
} from "@sluice/domain/secret-context";
import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { generateKey, parseKeyring } from "@sluice/runtime/keyring";
import { openStore, type Store } from "@sluice/store/client";
import { lockDeclaredState } from "@sluice/store/declared-state";
import { idempotencyContext, saveAnswer } from "@sluice/store/idempotency-keys";
import { migrateStore } from "@sluice/store/migrate";
import { insertIntegration } from "@sluice/store/test-fixtures";
import { withTransaction } from "@sluice/store/transaction";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";

import { runCli } from "./cli.ts";
import { applyDeclaration } from "./declaration/apply-declaration.ts";
import { parseDeclaration } from "./declaration/parse-declaration.ts";
import { rotateKeys } from "./keys-rotate.ts";

const OLD_KEY = generateKey();
const NEW_KEY = generateKey();
const OLD = idOf(OLD_KEY);
const NEW = idOf(NEW_KEY);
const BOTH = parseKeyring(`${NEW_KEY},${OLD_KEY}`);
const UNDER_OLD = parseKeyring(OLD_KEY);
const UNDER_NEW = parseKeyring(NEW_KEY);
const ANSWER_KEY = { owner: "bootstrap", key: "the first request" };

let database: TestDatabase;
let store: Store;
/** Integrations whose three secrets are under the old key. */
let ids: string[];

beforeEach(async () => {
  const serverUrl = inject("postgresUrl");
  database = await createTestDatabase({ serverUrl, key: "store", migrate: migrateStore });
  store = openStore({ url: database.url, maxConnections: 6, applicationName: "test" });
  ids = [];
  for (let index = 0; index < 3; index += 1) ids.push(await anIntegration());
  const bodyCiphertext = UNDER_OLD.encrypt("an answer", idempotencyContext(ANSWER_KEY));
  await saveAnswer(store, ANSWER_KEY, { requestDigest: "-", status: 201, bodyCiphertext });
});

afterEach(async () => {
  await store.close();
  await database.drop();
});

function idOf(key: string): string {
  return key.split(":", 1)[0] ?? "";
}

async function anIntegration(): Promise<string> {
  const id = randomUUID();
  await insertIntegration(store, {
    id,
    slug: id,
    webhookSecretCiphertext: UNDER_OLD.encrypt(`secret of ${id}`, webhookSecretContext(id)),
    credentialCiphertext: UNDER_OLD.encrypt(`token of ${id}`, credentialContext(id)),
  });
  const previous = UNDER_OLD.encrypt(`previous of ${id}`, previousSecretContext(id));
  await store.sql`UPDATE sluice.integrations SET previous_secret_ciphertext = ${previous} WHERE id = ${id}`;
  return id;
}

function aContext(keys: string) {
  const said = { out: "", err: "" };
  const context = {
    environment: { DATABASE_URL: database.url, SLUICE_ENCRYPTION_KEYS: keys },
    print: (text: string) => void (said.out += text),
    report: (text: string) => void (said.err += text),
    isInteractive: false,
    confirm: () => Promise.resolve(false),
    readLines: async function* readLines() {
      yield* [];
    },
    workingDirectory: "/",
  };
  return { context, said };
}

async function rotate(args: readonly string[] = [], keys = `${NEW_KEY},${OLD_KEY}`) {
  const { context, said } = aContext(keys);
  return { code: await runCli(["keys", "rotate", ...args], context), ...said };
}

/** One value a transaction. @returns the exit code. */
function rotateOneByOne(): Promise<number> {
  const { context } = aContext(`${NEW_KEY},${OLD_KEY}`);
  return rotateKeys({ dryRun: false, by: "a test", json: false }, context, 1);
}

interface SecretRow {
  readonly id: string;
  readonly credential: string;
  readonly secret: string;
  readonly previous: string;
}

const readSecrets = () => store.sql<SecretRow[]>`
  SELECT id, credential_ciphertext AS credential, webhook_secret_ciphertext AS secret,
         previous_secret_ciphertext AS previous
  FROM sluice.integrations ORDER BY id`;

/** Every secret, as a keyring reads it: each has to be the one that was stored. */
async function expectAllReadable(keyring = BOTH): Promise<void> {
  for (const { id, credential, secret, previous } of await readSecrets()) {
    expect(keyring.decrypt(credential, credentialContext(id))).toBe(`token of ${id}`);
    expect(keyring.decrypt(secret, webhookSecretContext(id))).toBe(`secret of ${id}`);
    expect(keyring.decrypt(previous, previousSecretContext(id))).toBe(`previous of ${id}`);
  }
  const [answer] = await store.sql<{ body: string }[]>`
    SELECT body_ciphertext AS body FROM sluice.idempotency_keys`;
  expect(keyring.decrypt(answer?.body ?? "", idempotencyContext(ANSWER_KEY))).toBe("an answer");
}

/** How many values the audit log says were encrypted anew. */
async function auditedValues(): Promise<number> {
  const [row] = await store.sql<{ values: number }[]>`
    SELECT coalesce(sum((details->>'values')::int), 0)::int AS values FROM sluice.audit_log
    WHERE action = 'encryption_keys.rotated' AND actor_kind = 'command_line'`;
  return row?.values ?? 0;
}

test("everything that is stored is encrypted under the first key, and the others can be dropped", async () => {
  const { code, out, err } = await rotate(["--by", "Ada"]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out.split("\n")).toEqual([
    `Encrypted under ${NEW}: 3 tokens, 3 webhook secrets, 3 previous webhook secrets, 1 kept answer.`,
    `In use: ${NEW} (10).`,
    `Can be dropped from SLUICE_ENCRYPTION_KEYS, once every process has been started with ${NEW} in front: ${OLD}.`,
    "",
  ]);
  await expectAllReadable(UNDER_NEW);
  const rows = await store.sql`SELECT actor_name, subject_name, details FROM sluice.audit_log ORDER BY id`;
  expect(rows[0]).toEqual({
    actorName: "Ada",
    subjectName: NEW,
    details: { column: "integrations.credential_ciphertext", values: 3 },
  });
  expect(await auditedValues()).toBe(10);
});

test("a second run finds nothing to do, changes nothing and leaves no trace in the audit log", async () => {
  await rotate();
  const before = await readSecrets();
  const { code, out } = await rotate(["--json"]);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual({
    dry_run: false,
    newest: NEW,
    complete: true,
    encrypted: {
      "integrations.credential_ciphertext": 0,
      "integrations.webhook_secret_ciphertext": 0,
      "integrations.previous_secret_ciphertext": 0,
      "idempotency_keys.body_ciphertext": 0,
    },
    unreadable: [],
    in_use: { [NEW]: 10 },
    droppable: [OLD],
  });
  expect(await readSecrets()).toEqual(before);
  expect(await auditedValues()).toBe(10);
});

test("a dry run counts and changes nothing", async () => {
  const before = await readSecrets();
  const { code, out } = await rotate(["--dry-run"]);
  expect(code).toBe(3);
  expect(out).toContain(`To be encrypted under ${NEW}: 3 tokens, 3 webhook secrets`);
  expect(out).toContain(`In use: ${OLD} (10).`);
  expect(await readSecrets()).toEqual(before);
  expect(await auditedValues()).toBe(0);
});

test("a value that no present key decrypts is named and left alone, and the others are encrypted", async () => {
  const lost = generateKey();
  const [id = ""] = ids;
  const ciphertext = parseKeyring(lost).encrypt("lost", credentialContext(id));
  await store.sql`UPDATE sluice.integrations SET credential_ciphertext = ${ciphertext} WHERE id = ${id}`;
  const { code, out } = await rotate();
  expect(code).toBe(1);
  expect(out).toContain(
    `Not readable: the token of ${id}: a stored value was encrypted with key "${idOf(lost)}"`,
  );
  expect(out).toContain("2 tokens, 3 webhook secrets");
  expect((await readSecrets()).find((row) => row.id === id)?.credential).toBe(ciphertext);
  expect(out).not.toContain("Can be dropped");
});

test("a value that was moved from another row is refused, not encrypted for its new place", async () => {
  const [from = "", to = ""] = ids;
  await store.sql`
    UPDATE sluice.integrations SET credential_ciphertext =
      (SELECT credential_ciphertext FROM sluice.integrations WHERE id = ${from}) WHERE id = ${to}`;
  const { code, out } = await rotate(["--json"]);
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({
    complete: false,
    unreadable: [{ column: "integrations.credential_ciphertext", id: to, code: "ciphertext_rejected" }],
  });
});

describe("ended anywhere", () => {
  const VALUES = 10;

  test.each(Array.from({ length: VALUES }, (_, done) => done))(
    "after %i values: all are readable, and the next run goes on from there",
    async (done) => {
      // From the given value on the database refuses, as it would a process that is no longer there.
      await store.sql.unsafe(`
        CREATE SEQUENCE public.rotated;
        CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          IF nextval('public.rotated') > ${String(done)} THEN RAISE 'the process has ended'; END IF; RETURN NEW; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON sluice.integrations FOR EACH ROW EXECUTE FUNCTION public.refuse();
        CREATE TRIGGER refuse BEFORE UPDATE ON sluice.idempotency_keys FOR EACH ROW EXECUTE FUNCTION public.refuse();`);
      await expect(rotateOneByOne()).rejects.toThrow("the process has ended");
      await expectAllReadable();
      expect(await auditedValues()).toBe(done);
      await store.sql.unsafe("DROP FUNCTION public.refuse CASCADE");
      expect(await rotateOneByOne()).toBe(0);
      await expectAllReadable(UNDER_NEW);
      expect(await auditedValues()).toBe(VALUES);
    },
  );
});

describe("beside others", () => {
  test("three at once encrypt each value once", async () => {
    expect(await Promise.all([rotateOneByOne(), rotateOneByOne(), rotateOneByOne()])).toEqual([0, 0, 0]);
    await expectAllReadable(UNDER_NEW);
    expect(await auditedValues()).toBe(10);
  });

  test("whoever changes an integration puts nothing back that was encrypted anew", async () => {
    const rotating: Promise<number>[] = [];
    await withTransaction(store, async (tx) => {
      await lockDeclaredState(tx);
      const rows = await tx.sql<{ id: string; credential: string }[]>`
        SELECT id, credential_ciphertext AS credential FROM sluice.integrations`;
      rotating.push(rotateOneByOne());
      // Until it waits for us.
      for (let waiting = 0; waiting === 0;) {
        const [row] = await tx.sql<{ waiting: number }[]>`
          SELECT count(*)::int AS waiting FROM pg_locks
          WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
        waiting = row?.waiting ?? 0;
      }
      for (const { id, credential } of rows) {
        await tx.sql`UPDATE sluice.integrations SET credential_ciphertext = ${credential} WHERE id = ${id}`;
      }
    });
    expect(await Promise.all(rotating)).toEqual([0]);
    await expectAllReadable(UNDER_NEW);
  });

  test("files that are applied meanwhile keep what they set, whoever comes first", async () => {
    const values = { TOKEN: "token-of-the-file-", SECRET: "secret-of-the-file-" };
    const text = `version: 1
integrations:
  - name: Acme
    default: true
    credential: { kind: access_token, token: "\${TOKEN}" }
    webhook_secret: "\${SECRET}"`;
    const apply = (suffix: string) => {
      const environment = { TOKEN: values.TOKEN + suffix, SECRET: values.SECRET + suffix };
      const declaration = parseDeclaration([{ file: "sluice.yaml", text }], environment);
      return applyDeclaration(store, {
        declaration,
        keyring: UNDER_OLD,
        prune: false,
        agreed: null,
        by: "a test",
      });
    };
    await apply("0");
    for (const suffix of ["1", "2", "3", "4"]) {
      await Promise.all([rotateOneByOne(), apply(suffix)]);
      const [row] = await store.sql<{ id: string; token: string; secret: string }[]>`
        SELECT id, credential_ciphertext AS token, webhook_secret_ciphertext AS secret
        FROM sluice.integrations WHERE name = 'Acme'`;
      const { id = "", token = "", secret = "" } = row ?? {};
      expect(BOTH.decrypt(token, credentialContext(id))).toBe(values.TOKEN + suffix);
      expect(BOTH.decrypt(secret, webhookSecretContext(id))).toBe(values.SECRET + suffix);
    }
    expect(await rotateOneByOne()).toBe(0);
  });

  test("what a process without the new key in front has stored meanwhile is told, and the next run has it", async () => {
    await store.sql.unsafe(`
      CREATE FUNCTION public.write_under_old() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO sluice.idempotency_keys (owner, key, request_digest, status, body_ciphertext)
        VALUES ('bootstrap', 'late', '-', 201, '${UNDER_OLD.encrypt("late", idempotencyContext({ owner: "bootstrap", key: "late" }))}')
        ON CONFLICT DO NOTHING;
        RETURN NULL; END $$;
      CREATE TRIGGER write_under_old AFTER UPDATE ON sluice.idempotency_keys
        FOR EACH STATEMENT EXECUTE FUNCTION public.write_under_old();`);
    const first = await rotate();
    expect(first.code).toBe(3);
    expect(first.out).toContain("restart it, and run this again");
    expect((await rotate()).code).toBe(0);
  });
});

test("a wrong keyring is refused before anything is read, without a word of its keys", async () => {
  const secret = OLD_KEY.split(":")[1] ?? "";
  const { code, err } = await rotate([], `${OLD}:${secret},${OLD}:${secret}`);
  expect(code).toBe(78);
  expect(err).toContain("SLUICE_ENCRYPTION_KEYS");
  expect(err).not.toContain(secret);
  expect((await rotate(["--by", ""])).code).toBe(2);
});
