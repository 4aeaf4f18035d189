import { randomUUID } from "node:crypto";

import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { openStore, type Store } from "./client.ts";
import { saveIntegrations } from "./declared-integrations.ts";
import { detachTargets, removeTargets, saveTargets, type TargetRow } from "./declared-targets.ts";
import { findIntegrationRecord } from "./integration-records.ts";
import { migrateStore } from "./migrate.ts";
import { listBaselineTargets, saveBaselines } from "./swept-branches.ts";
import { insertIntegration, insertStack } from "./test-fixtures.ts";

const A = "a".repeat(40);
const B = "b".repeat(40);
const C = "c".repeat(40);

let database: TestDatabase;
let store: Store;
let row: TargetRow & { readonly id: string };

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
  const integrationId = randomUUID();
  await insertIntegration(store, {
    id: integrationId,
    slug: `it-${integrationId}`,
    webhookSecretCiphertext: "-",
  });
  const id = await insertStack(store, { integrationId, repository: "acme/infra", name: integrationId });
  const [stored] = await store.sql<{ spaceId: string; repositoryId: string }[]>`
    SELECT space_id, repository_id FROM sluice.targets WHERE id = ${id}`;
  row = {
    ...stored!,
    id,
    integrationId,
    kind: "stack",
    name: integrationId,
    trackedBranch: "main",
    projectRoot: "",
    projectGlobs: [],
    labels: [],
    externalId: null,
    metadata: {},
    onUnknownFiles: null,
    allowedForkWorkspaces: [],
    deployers: [],
    coalesce: false,
    moduleVersionSource: null,
    enabled: true,
  };
});

const see = (headSha: string | null, knownSha = headSha) =>
  saveBaselines(store, { repositoryId: row.repositoryId, name: "main", headSha, knownSha });

/** Whether a push that a sweep found is where the target begins. */
const isBaseline = async (oldSha: string | null, newSha: string | null) =>
  (await listBaselineTargets(store, { repositoryId: row.repositoryId, name: "main", oldSha, newSha })).has(
    row.id,
  );

describe("the first head that a sweep sees for a target (rule 34)", () => {
  test("is where it begins: a push to there, and no other", async () => {
    expect(await isBaseline(A, B)).toBe(true);
    await see(B, A);
    expect(await isBaseline(A, B)).toBe(true);
    expect(await isBaseline(A, C)).toBe(false);
    expect(await isBaseline(C, B)).toBe(false);
  });

  test("stays the first one", async () => {
    await see(A);
    await see(C, B);
    expect(await isBaseline(B, C)).toBe(false);
  });

  test("is done with once we have the branch there: the same push again is no baseline", async () => {
    await see(B, A);
    await see(B);
    expect(await isBaseline(A, B)).toBe(false);
  });
});

describe("a target begins anew", () => {
  beforeEach(() => see(A));

  const otherIntegration = async () => {
    const id = randomUUID();
    await insertIntegration(store, { id, slug: `it-${id}`, webhookSecretCiphertext: "-" });
    return id;
  };

  test.each<[string, () => Promise<Partial<TargetRow>>]>([
    ["with another branch", () => Promise.resolve({ trackedBranch: "release" })],
    ["when it is switched off", () => Promise.resolve({ enabled: false })],
    ["with another integration", async () => ({ integrationId: await otherIntegration() })],
  ])("%s", async (_, change) => {
    await saveTargets(store, [{ ...row, ...(await change()) }]);
    expect(await isBaseline(A, B)).toBe(true);
  });

  test("without its integration", async () => {
    await detachTargets(store, [row.integrationId]);
    expect(await isBaseline(A, B)).toBe(true);
  });

  test("when its integration is switched off, and is looked at again once that is on", async () => {
    const integration = await findIntegrationRecord(store, row.integrationId);
    const turn = (enabled: boolean) =>
      saveIntegrations(store, [{ ...integration!, previousSecretExpiresInMs: null, enabled }]);
    await turn(false);
    expect(await isBaseline(A, B)).toBe(true);
    const head = { repositoryId: row.repositoryId, name: "main", headSha: A, knownSha: A };
    await saveBaselines(store, head);
    expect(await isBaseline(A, B)).toBe(true);
    await turn(true);
    await saveBaselines(store, head);
    expect(await isBaseline(A, B)).toBe(false);
    await saveIntegrations(store, [
      { ...integration!, previousSecretExpiresInMs: null, description: "Another" },
    ]);
    expect(await isBaseline(A, B)).toBe(false);
  });

  test("when it is removed", async () => {
    await removeTargets(store, [row.id]);
    expect(await store.sql`SELECT FROM sluice.sweep_baselines WHERE target_id = ${row.id}`).toHaveLength(0);
  });

  test("not with other labels, or another project root", async () => {
    await saveTargets(store, [{ ...row, labels: ["eu"], projectRoot: "network", coalesce: true }]);
    expect(await isBaseline(A, B)).toBe(false);
  });
});
