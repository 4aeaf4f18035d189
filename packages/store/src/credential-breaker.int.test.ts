import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { openStore, type Store } from "./client.ts";
import { closeBreaker, findCredentialRefused, keepBreakerOpen, openBreaker } from "./credential-breaker.ts";
import {
  claimDueChecks,
  doubtCredential,
  finishCheck,
  listCredentialStandings,
  listProbedRepositories,
  postponeCheck,
} from "./credential-checks.ts";
import { findCredentialHealth, forgetCredentialHealth, saveCredentialCheck } from "./credential-health.ts";
import { migrateStore } from "./migrate.ts";
import { insertIntegration, insertStack } from "./test-fixtures.ts";

let database: TestDatabase;
let store: Store;
let integrationId: string;

const HOUR_MS = 3_600_000;

beforeAll(async () => {
  database = await createTestDatabase({
    serverUrl: inject("postgresUrl"),
    migrate: migrateStore,
    key: "store",
  });
  store = openStore({ url: database.url, maxConnections: 20, applicationName: "test" });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

beforeEach(async () => {
  await store.sql`UPDATE sluice.integrations SET deleted_at = now()`;
  integrationId = randomUUID();
  await insertIntegration(store, {
    id: integrationId,
    slug: `it-${integrationId}`,
    webhookSecretCiphertext: "-",
    credentialCiphertext: "first",
  });
  await insertStack(store, { integrationId, repository: "acme/infra", name: integrationId });
});

const of = (credentialCiphertext = "first") => ({ integrationId, credentialCiphertext });
const open = (credentialCiphertext?: string) =>
  openBreaker(store, {
    ...of(credentialCiphertext),
    httpStatus: 401,
    message: "no",
    nextCheckInMs: HOUR_MS,
  });
const claim = async () =>
  (await claimDueChecks(store, { takeForMs: HOUR_MS, limit: 10 })).map(({ because }) => because);
const refused = () => findCredentialRefused(store, integrationId);
const makeDue = () => store.sql`UPDATE sluice.credential_health SET next_check_at = now()`;
/** As much time passes. */
const pass = (interval: string) => store.sql`
  WITH health AS (
    UPDATE sluice.credential_health
    SET since = since - ${interval}::interval, checked_at = checked_at - ${interval}::interval,
        next_check_at = next_check_at - ${interval}::interval
  )
  UPDATE sluice.integrations SET updated_at = updated_at - ${interval}::interval`;
const change = () => store.sql`UPDATE sluice.integrations SET updated_at = now() WHERE id = ${integrationId}`;

describe("a credential that is refused", () => {
  test("is refused once, whoever hears of it, until a check passes", async () => {
    expect(await refused()).toBeNull();
    const opened = await Promise.all(Array.from({ length: 8 }, () => open()));
    expect(opened.filter(Boolean)).toHaveLength(1);
    const now = await refused();
    expect(now).toMatchObject({ httpStatus: 401, message: "no" });
    expect(now!.nextCheckInMs).toBeGreaterThan(HOUR_MS / 2);
    expect(await closeBreaker(store, of())).toBe(true);
    expect(await refused()).toBeNull();
    expect(await closeBreaker(store, of())).toBe(false);
    expect(await open()).toBe(`it-${integrationId}`);
  });

  test("stays so since the first refusal, with what the last check showed", async () => {
    await open();
    const { since } = (await refused())!;
    await keepBreakerOpen(store, { ...of(), httpStatus: 403, message: "never", nextCheckInMs: 2 * HOUR_MS });
    expect(await refused()).toMatchObject({ since, httpStatus: 403, message: "never" });
    await keepBreakerOpen(store, { ...of("old"), httpStatus: 401, message: "late", nextCheckInMs: 1 });
    expect(await refused()).toMatchObject({ httpStatus: 403 });
  });

  test("says nothing of the one that took its place", async () => {
    expect(await open("old")).toBeNull();
    expect(await refused()).toBeNull();
    await open();
    expect(await closeBreaker(store, of("old"))).toBe(false);
    expect(await refused()).not.toBeNull();
  });

  test("keeps the scopes that Bitbucket once told", async () => {
    const known = { state: "ok", httpStatus: null, message: null, nextCheckInMs: null } as const;
    await saveCredentialCheck(store, { ...of(), ...known, scopes: ["repository"] });
    await open();
    await closeBreaker(store, of());
    expect(await findCredentialHealth(store, integrationId)).toMatchObject({ scopes: ["repository"] });
  });
});

describe("a check", () => {
  test("is given to one worker, and to another when the first one did nothing about it", async () => {
    await open();
    expect(await claim()).toEqual([]);
    await makeDue();
    const taken = await Promise.all(Array.from({ length: 8 }, claim));
    expect(taken.flat()).toEqual(["refused"]);
    await pass("2 hours");
    expect(await claim()).toEqual(["refused"]);
  });

  test("of a credential that is new is due at once, for one worker", async () => {
    const taken = await Promise.all(Array.from({ length: 8 }, claim));
    expect(taken.flat()).toEqual(["unknown"]);
    expect(await findCredentialHealth(store, integrationId)).toMatchObject({ state: "ok", checkedAt: null });
    await closeBreaker(store, of());
    await finishCheck(store, integrationId);
    await pass("1 day");
    expect(await claim()).toEqual([]);
    await forgetCredentialHealth(store, [integrationId]);
    expect(await claim()).toEqual(["unknown"]);
  });

  test("of an integration that was changed is due at once, for one worker, refused or not", async () => {
    for (const state of ["refused", "ok"]) {
      if (state === "refused") await open();
      else await closeBreaker(store, of());
      await pass("1 hour");
      await makeDue();
      await claim();
      await postponeCheck(store, integrationId, HOUR_MS);
      expect(await claim()).toEqual([]);
      await change();
      const taken = await Promise.all(Array.from({ length: 8 }, claim));
      expect(taken.flat()).toEqual([state === "ok" ? "changed" : "refused"]);
    }
  });

  test("that passed has who waits told once more, soon after, by one worker", async () => {
    await open();
    await closeBreaker(store, of());
    expect(await claim()).toEqual([]);
    await pass("11 seconds");
    const taken = await Promise.all(Array.from({ length: 8 }, claim));
    expect(taken.flat()).toEqual(["passed"]);
    await finishCheck(store, integrationId);
    await pass("1 day");
    expect(await claim()).toEqual([]);
  });

  test("that was not a worker's has who waits told when it passed, at once or when a worker is there again", async () => {
    for (const away of ["0 seconds", "1 day"]) {
      await open();
      const saved = {
        state: "ok",
        httpStatus: null,
        message: null,
        nextCheckInMs: null,
        scopes: null,
      } as const;
      await saveCredentialCheck(store, { ...of(), ...saved });
      await pass(away);
      expect(await claim()).toEqual(["passed"]);
      await finishCheck(store, integrationId);
      await pass("1 day");
      expect(await claim()).toEqual([]);
    }
  });

  test("that passed says nothing of a refusal that came after it", async () => {
    await open();
    await closeBreaker(store, of());
    await open();
    await finishCheck(store, integrationId);
    expect(await refused()).toMatchObject({ nextCheckAt: expect.any(String) as string });
  });

  test("that nobody planned of a refused credential is due", async () => {
    const saved = { state: "refused", httpStatus: 401, message: "no", nextCheckInMs: null } as const;
    await saveCredentialCheck(store, { ...of(), ...saved, scopes: null });
    expect(await refused()).toMatchObject({ nextCheckAt: null, nextCheckInMs: 0 });
    expect(await claim()).toEqual(["refused"]);
  });

  test("that a doubt asks for comes no more often than every five minutes", async () => {
    await claim();
    await closeBreaker(store, of());
    await finishCheck(store, integrationId);
    await doubtCredential(store, integrationId);
    expect(await claim()).toEqual([]);
    await pass("6 minutes");
    await doubtCredential(store, integrationId);
    expect(await claim()).toEqual(["doubted"]);
  });

  test.each([
    ["without a credential", "credential_ciphertext = NULL"],
    ["that is deleted", "deleted_at = now()"],
    ["that is disabled", "enabled = false"],
  ])("of an integration %s is not due", async (_, set) => {
    await store.sql.unsafe(`UPDATE sluice.integrations SET ${set} WHERE id = '${integrationId}'`);
    expect(await claim()).toEqual([]);
  });

  test.each(["removed_at = now()", "enabled = false"])(
    "of an integration without targets (%s) is not due: it asks for nothing",
    async (set) => {
      await store.sql.unsafe(`UPDATE sluice.targets SET ${set} WHERE integration_id = '${integrationId}'`);
      expect(await claim()).toEqual([]);
    },
  );
});

test("a credential is tried with repositories that a sweep could read last, before others, and with what has no target last", async () => {
  const names = ["acme/failing", "acme/read", "acme/read-before", "acme/without-target"];
  const ids = new Map<string, string>();
  for (const name of names) {
    await insertStack(store, { integrationId, repository: name, name: `${name} ${integrationId}` });
    const [row] = await store.sql<{ id: string }[]>`
      SELECT id FROM sluice.repositories WHERE full_name = ${name} AND integration_id = ${integrationId}`;
    ids.set(name, row!.id);
    await store.sql`
      INSERT INTO sluice.repository_sweeps (repository_id, swept_at)
      VALUES (${row!.id}, now() - ${name === "acme/read-before" ? 60 : 0} * interval '1 second')`;
  }
  await store.sql`
    UPDATE sluice.repository_sweeps SET failing_since = now(), failure_code = 'bitbucket_forbidden', failure_message = 'no'
    WHERE repository_id = ${ids.get("acme/failing")!}`;
  await store.sql`UPDATE sluice.targets SET enabled = false WHERE repository_id = ${ids.get("acme/without-target")!}`;
  const listed = await listProbedRepositories(store, integrationId, 10);
  expect(listed.map(({ fullName }) => fullName)).toEqual([
    "acme/read",
    "acme/read-before",
    "acme/infra",
    "acme/failing",
    "acme/without-target",
  ]);
  expect(await listProbedRepositories(store, integrationId, 2)).toEqual(listed.slice(0, 2));
});

test("standings say who is refused and who expires, in days", async () => {
  const standing = async () => (await listCredentialStandings(store))[0];
  expect(await standing()).toMatchObject({ isRefused: false, expiresAt: null, expiresInDays: null });
  await open();
  await store.sql`
    UPDATE sluice.integrations SET credential_expires_at = now() + interval '36 hours' WHERE id = ${integrationId}`;
  const { isRefused, expiresInDays } = (await standing())!;
  expect(isRefused).toBe(true);
  expect(expiresInDays).toBeCloseTo(1.5, 1);
});
