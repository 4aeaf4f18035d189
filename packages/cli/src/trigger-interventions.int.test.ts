import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { claimTriggers } from "@sluice/store/claims";
import { openStore, type Store } from "@sluice/store/client";
import { migrateStore } from "@sluice/store/migrate";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";
import { insertTrigger } from "@sluice/store/test-trigger-fixtures";
import { startTrigger } from "@sluice/store/trigger-reports";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";

import { runCli } from "./cli.ts";

let database: TestDatabase;
let store: Store;
let id: string;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  database = await createTestDatabase({ serverUrl, key: "store", migrate: migrateStore });
  store = openStore({ url: database.url, maxConnections: 2, applicationName: "test" });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

beforeEach(async () => {
  await store.sql`TRUNCATE sluice.triggers, sluice.events, sluice.targets, sluice.audit_log CASCADE`;
  const integrationId = randomUUID();
  const slug = `acme-${integrationId.slice(0, 8)}`;
  await insertIntegration(store, { id: integrationId, slug, webhookSecretCiphertext: "-" });
  const targetId = await insertStack(store, { integrationId, repository: "acme/infra", name: slug });
  id = await insertTrigger(store, { targetId, position: 1 });
});

async function trigger(...args: string[]) {
  const said = { out: "", err: "" };
  const code = await runCli(["trigger", ...args], {
    environment: { DATABASE_URL: database.url },
    print: (text) => void (said.out += text),
    report: (text) => void (said.err += text),
    isInteractive: false,
    confirm: () => Promise.resolve(false),
    readLines: async function* readLines() {
      yield* [];
    },
    workingDirectory: "/",
  });
  return { code, ...said };
}

async function startRun(): Promise<void> {
  const [held] = await claimTriggers(store, { limit: 1, leaseMs: 60_000, holder: "runner-7" });
  if (held === undefined) throw new Error("nothing can be claimed");
  await startTrigger(store, { ...held, leaseMs: 60_000 });
}

async function lastLine() {
  const [row] = await store.sql`
    SELECT state, actor, note FROM sluice.trigger_history WHERE trigger_id = ${id} ORDER BY at DESC, id DESC LIMIT 1`;
  return row;
}

async function auditRows() {
  return [
    ...(await store.sql`
      SELECT action, actor_kind, actor_name, subject_id, space_id, details FROM sluice.audit_log ORDER BY id`),
  ];
}

test("cancel: a queued trigger is canceled, by whom is kept, and to say it again is a success (rule 28)", async () => {
  const canceled = { code: 0, out: `${id}: canceled\n`, err: "" };
  expect(await trigger("cancel", id, "--by", "ada")).toEqual(canceled);
  expect(await trigger("cancel", id)).toEqual(canceled);
  expect(await lastLine()).toEqual({ state: "canceled", actor: "ada", note: null });
});

test("cancel: the holder of a run is asked to stop", async () => {
  await startRun();
  expect(await trigger("cancel", id)).toEqual({
    code: 0,
    out: `${id}: running; its holder is asked to stop\n`,
    err: "",
  });
  expect(await lastLine()).toMatchObject({ state: "running", actor: "an operator" });
  const { out } = await trigger("cancel", id, "--json");
  expect(JSON.parse(out)).toMatchObject({ id, state: "running", cancelRequested: true });
});

test("end: refused while the lease runs, done with --force, and then how it ended stands", async () => {
  await startRun();
  const failed = ["end", id, "--result", "failed", "--by", "ada", "--message", "no power"];
  const refused = await trigger(...failed);
  expect(refused).toMatchObject({ code: 1, out: "" });
  expect(refused.err).toMatch(/^error trigger_held: \S+ is running, and the lease of runner-7 lasts until /);
  expect(await trigger(...failed, "--force")).toEqual({ code: 0, out: `${id}: failed\n`, err: "" });
  expect(await lastLine()).toEqual({
    state: "failed",
    actor: "ada",
    note: "while runner-7 held it: no power",
  });
  expect(await trigger("end", id, "--result", "succeeded", "--by", "ada")).toEqual({
    code: 1,
    out: "",
    err: `error trigger_ended: ${id} is failed\n`,
  });
});

test("end: a lost run is ended without force", async () => {
  await startRun();
  await store.sql`UPDATE sluice.triggers SET state = 'lost', lease_expires_at = now() - interval '1 second'`;
  const { code, out } = await trigger("end", id, "--result", "succeeded", "--by", "ada", "--json");
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual({ id, state: "succeeded", cancelRequested: false, leaseExpiresAt: null });
});

test("who canceled or ended it is in the audit log of its space; of what was refused there is no row", async () => {
  await startRun();
  await trigger("end", id, "--result", "failed", "--by", "ada");
  expect(await auditRows()).toEqual([]);
  await trigger("cancel", id, "--by", "ada");
  await trigger("end", id, "--result", "failed", "--by", "bob", "--force", "--message", "no power");
  const root = await store.sql<{ id: string }[]>`SELECT id FROM sluice.spaces WHERE parent_id IS NULL`;
  const common = { actorKind: "command_line", subjectId: id, spaceId: root[0]?.id };
  expect(await auditRows()).toEqual([
    { ...common, action: "trigger.canceled", actorName: "ada", details: { by: "ada" } },
    {
      ...common,
      action: "trigger.ended",
      actorName: "bob",
      details: { by: "bob", result: "failed", force: true },
    },
  ]);
});

test("what is not there, and what nobody ran, is told as such", async () => {
  const other = randomUUID();
  expect(await trigger("cancel", other)).toEqual({
    code: 1,
    out: "",
    err: `error trigger_not_found: there is no trigger ${other}\n`,
  });
  expect(await trigger("end", id, "--result", "failed", "--by", "ada")).toMatchObject({
    code: 1,
    err: `error trigger_not_held: ${id} is queued, nobody runs it: cancel it\n`,
  });
});
