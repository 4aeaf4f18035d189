import { listWebhookIntegrations } from "@sluice/store/integrations";
import { expect, test } from "vitest";

import { applyDeclaration, planDeclaration } from "./apply-declaration.ts";
import { formatPlan } from "./describe-plan.ts";
import { isEmptyPlan } from "./plan.ts";
import { DeclarationError } from "./problem.ts";
import { ACME, ACME_WITHOUT_SECRET, actionsOf, declare, KEYRING, STACKS, useScene } from "./test-scene.ts";

const scene = useScene();

test("what is declared is stored, and applied again it changes nothing", async () => {
  const text = `
spaces:
  - { name: teams, inherit_entities: true }
  - { name: payments, parent: teams, inherit_entities: true }
${ACME}
    labels: [vcs]
    description: The machine user.
    checks: all
    calls_per_hour: 800
${STACKS}
  - name: ledger
    space: payments
    repository: acme/Ledger
    tracked_branch: release/2
    project_globs: ["lib/**", "*.{tf,tfvars}"]
    labels: [pci]
    external_id: ledger-1
    metadata: { owner: payments, nested: { list: [1, two, null] } }
    on_unknown_files: hold
    allowed_fork_workspaces: [Acme-Labs]
    deployers: ["{AAAAAAAA-0000-4000-8000-000000000001}"]
    coalesce: true
    enabled: false
modules:
  - { name: network, repository: acme/modules, tracked_branch: main }
  - { name: dns, repository: acme/modules, tracked_branch: main, version_from: tag }`;
  expect(actionsOf(await scene.apply(text))).toEqual([
    "create space teams",
    "create space payments",
    "create integration Acme Infra",
    "create stack network",
    "create stack database",
    "create stack ledger",
    "create module network",
    "create module dns",
  ]);
  const again = await scene.apply(text);
  expect(formatPlan(again.plan)).toBe("Nothing to change.\n");
  expect(isEmptyPlan(again.plan)).toBe(true);
  expect(await scene.targetRows()).toHaveLength(5);
  const [budget] = await scene.store.sql`SELECT calls_per_hour FROM sluice.call_budgets`;
  expect(budget).toEqual({ callsPerHour: 800 });
});

test("a change is shown key by key, old and new, and only that is changed", async () => {
  await scene.apply(`${ACME}\n${STACKS}`);
  const applied = await scene.apply(
    `${ACME}\n${STACKS.replace("main, project_root: network", "release, project_root: net")}`,
  );
  expect(formatPlan(applied.plan)).toBe(
    `~ stack network in root
    tracked_branch: "main" → "release"
    project_root: "network" → "net"

0 to create, 1 to change, 0 to remove.
`,
  );
  const rows = await scene.store.sql`SELECT name, tracked_branch FROM sluice.targets ORDER BY name`;
  expect([...rows]).toEqual([
    { name: "database", trackedBranch: "main" },
    { name: "network", trackedBranch: "release" },
  ]);
});

test("where a module's version comes from is stored, changed and shown (rule 31)", async () => {
  const modules = (versionFrom: string) => `${ACME}
stacks: [{ name: vpc, repository: acme/vpc, tracked_branch: main }]
modules: [{ name: vpc, repository: acme/vpc, tracked_branch: main${versionFrom} }]`;
  const stored = async () => {
    const rows = await scene.store.sql<{ kind: string; moduleVersionSource: string | null }[]>`
      SELECT kind, module_version_source FROM sluice.targets ORDER BY kind`;
    return rows.map(({ kind, moduleVersionSource }) => [kind, moduleVersionSource]);
  };
  await scene.apply(modules(""));
  expect(await stored()).toEqual([
    ["module", "file"],
    ["stack", null],
  ]);
  expect(formatPlan((await scene.apply(modules(", version_from: tag"))).plan)).toContain(
    `~ module vpc in root\n    version_from: "file" → "tag"\n`,
  );
  expect(await stored()).toEqual([
    ["module", "tag"],
    ["stack", null],
  ]);
  expect(isEmptyPlan((await scene.apply(modules(", version_from: tag"))).plan)).toBe(true);
});

test("a dry run writes nothing", async () => {
  const declaration = declare(`${ACME}\n${STACKS}`);
  const plan = await planDeclaration(scene.store, { declaration, keyring: KEYRING, prune: true });
  expect(plan.targets.create).toHaveLength(2);
  expect(await scene.targetRows()).toEqual([]);
  expect(await listWebhookIntegrations(scene.store)).toEqual([]);
});

test("without --prune nothing is removed, with it what the files no longer name is", async () => {
  const space = "spaces: [{ name: old }]";
  await scene.apply(
    `${space}\n${ACME}\n${STACKS}\n  - { name: legacy, space: old, repository: acme/legacy, tracked_branch: main }`,
  );
  const text = `spaces: []\n${ACME}\n${STACKS}`;
  expect(isEmptyPlan((await scene.apply(text)).plan)).toBe(true);
  expect(actionsOf(await scene.apply(text, { prune: true }))).toEqual([
    "remove stack legacy",
    "remove space old",
  ]);
  expect((await scene.targetRows()).map(({ name, removed }) => [name, removed])).toEqual([
    ["network", false],
    ["database", false],
    ["legacy", true],
  ]);
  expect(isEmptyPlan((await scene.apply(text, { prune: true })).plan)).toBe(true);
});

test("--prune leaves sections alone that no file has", async () => {
  await scene.apply(`${ACME}\n${STACKS}`);
  expect(actionsOf(await scene.apply(ACME, { prune: true }))).toEqual([]);
  expect(actionsOf(await scene.apply(STACKS.split("\n", 2).join("\n"), { prune: true }))).toEqual([
    "remove stack database",
  ]);
});

test("a removed integration that is still used leaves its targets detached and named, and its secrets wiped (rule 5)", async () => {
  await scene.apply(`${ACME}\n${STACKS}`);
  const applied = await scene.apply("integrations: []", { prune: true });
  expect(actionsOf(applied)).toEqual([
    "detach stack database",
    "detach stack network",
    "remove integration Acme Infra",
  ]);
  expect((await scene.targetRows()).map(({ integration, removed }) => [integration, removed])).toEqual([
    [null, false],
    [null, false],
  ]);
  const [row] = await scene.store.sql`
    SELECT credential_ciphertext, credential_email, webhook_secret_ciphertext, previous_secret_ciphertext, slug,
           deleted_at IS NOT NULL AS deleted
    FROM sluice.integrations`;
  expect(row).toEqual({
    credentialCiphertext: null,
    credentialEmail: null,
    webhookSecretCiphertext: null,
    previousSecretCiphertext: null,
    slug: "acme-infra",
    deleted: true,
  });
});

test("an integration made again under its name has the same endpoint, a new secret, and its targets back (rule 1)", async () => {
  const text = `${ACME_WITHOUT_SECRET}\n${STACKS}`;
  const first = await scene.apply(text);
  await scene.apply("integrations: []", { prune: true });
  const second = await scene.apply(text);
  expect(actionsOf(second)).toEqual([
    "create integration Acme Infra",
    "update stack network",
    "update stack database",
  ]);
  expect(second.generated[0]?.slug).toBe(first.generated[0]?.slug);
  expect(second.generated[0]?.secret).not.toBe(first.generated[0]?.secret);
  const rows = await scene.store.sql`
    SELECT count(*)::int AS bound FROM sluice.targets
    JOIN sluice.repositories ON repositories.id = repository_id AND repositories.integration_id = targets.integration_id`;
  expect(rows[0]).toEqual({ bound: 2 });
});

test("another integration can take the name of the endpoint and the place of the default of a removed one", async () => {
  await scene.apply(`${ACME}\n${STACKS}`);
  const applied = await scene.apply(`${ACME.replace("Acme Infra", "acme_infra")}\n${STACKS}`, {
    prune: true,
  });
  expect(actionsOf(applied)).toEqual([
    "create integration acme_infra",
    "update stack network",
    "update stack database",
    "remove integration Acme Infra",
  ]);
  expect((await scene.targetRows()).map(({ integration }) => integration)).toEqual([
    "acme_infra",
    "acme_infra",
  ]);
});

test("the default can move from one integration to another (rule 2)", async () => {
  const two = (first: string, second: string) => `integrations:
  - { name: a, ${first}, credential: { kind: access_token, token: "\${TOKEN}" } }
  - { name: b, ${second}, credential: { kind: access_token, token: "\${TOKEN}" } }`;
  await scene.apply(two("default: true", "space: root"));
  expect(actionsOf(await scene.apply(two("space: root", "default: true")))).toEqual([
    "update integration a",
    "update integration b",
  ]);
});

test("what another file left in the store is checked: a second default, an endpoint, a space in use (rule 2)", async () => {
  await scene.apply(`spaces: [{ name: team }]\n${ACME}`);
  await scene.apply("stacks: [{ name: s, space: team, repository: acme/s, tracked_branch: main }]");
  await expect(
    scene.apply(`integrations:
  - { name: acme infra, default: true, credential: { kind: access_token, token: "\${TOKEN}" } }`),
  ).rejects.toThrow(
    /sluice.yaml:3:13: integration acme infra would have the endpoint of Acme Infra .*\nsluice.yaml:3:34: integration acme infra cannot be the default: Acme Infra is$/,
  );
  await expect(
    scene.apply("stacks: [{ name: t, space: teams, repository: acme/s, tracked_branch: main }]"),
  ).rejects.toThrow("sluice.yaml:2:28: there is no space teams (did you mean team?)");
  await expect(scene.apply("spaces: []", { prune: true })).rejects.toMatchObject({ code: "space_in_use" });
});

test("a stack that no file names does not lose its integration by a change of the spaces", async () => {
  const spaces = (inherit: boolean) =>
    `spaces: [{ name: a }, { name: b, parent: a, inherit_entities: ${String(inherit)} }]`;
  await scene.apply(`${spaces(true)}
integrations: [{ name: acme, space: a, credential: { kind: access_token, token: "\${TOKEN}" } }]
stacks: [{ name: s, space: b, integration: acme, repository: acme/s, tracked_branch: main }]`);
  await expect(scene.apply(spaces(false))).rejects.toThrow(DeclarationError);
});

test("of two applies at once one waits, and the second sees what the first did", async () => {
  const text = `${ACME_WITHOUT_SECRET}\n${STACKS}`;
  const results = await Promise.all([scene.apply(text), scene.apply(text), scene.apply(text)]);
  expect(results.filter(({ plan }) => !isEmptyPlan(plan))).toHaveLength(1);
  expect(results.flatMap(({ generated }) => generated)).toHaveLength(1);
  expect(await scene.targetRows()).toHaveLength(2);
});

test("a plan that somebody agreed to is not applied when something else is to be done by then", async () => {
  const declaration = declare(`${ACME}\n${STACKS}`);
  const agreed = await planDeclaration(scene.store, { declaration, keyring: KEYRING, prune: false });
  await scene.apply(ACME);
  await expect(
    applyDeclaration(scene.store, { declaration, keyring: KEYRING, prune: false, agreed, by: "ada" }),
  ).rejects.toMatchObject({ code: "plan_outdated" });
  expect(await scene.targetRows()).toEqual([]);
});

test("a failure on the way leaves nothing half done", async () => {
  await scene.apply(`spaces: [{ name: team }]\n${ACME}`);
  // Something else that belongs to the space, which this package does not know of.
  await scene.store.sql`CREATE TABLE sluice.other (space_id uuid REFERENCES sluice.spaces (id))`;
  await scene.store.sql`INSERT INTO sluice.other SELECT id FROM sluice.spaces WHERE name = 'team'`;
  await expect(scene.apply(`spaces: []\n${ACME}\n${STACKS}`, { prune: true })).rejects.toMatchObject({
    code: "space_in_use",
    message: expect.stringContaining("rows of other"),
  });
  expect(await scene.targetRows()).toEqual([]);
});

test("ten thousand stacks are applied in one go, and again without a change", async () => {
  const stacks = Array.from(
    { length: 10_000 },
    (_, index) =>
      `  - { name: stack-${String(index)}, repository: acme/r${String(index % 200)}, project_root: stacks/${String(index)}, labels: [a, b] }`,
  );
  const text = `defaults: { tracked_branch: main, project_globs: ["modules/**"] }\n${ACME}\nstacks:\n${stacks.join("\n")}`;
  const declaration = declare(text);
  const input = { declaration, keyring: KEYRING, prune: true, agreed: null, by: "ada" };
  expect((await applyDeclaration(scene.store, input)).plan.targets.create).toHaveLength(10_000);
  expect(isEmptyPlan((await applyDeclaration(scene.store, input)).plan)).toBe(true);
  const [count] = await scene.store
    .sql`SELECT count(*)::int, count(DISTINCT repository_id)::int AS repositories FROM sluice.targets`;
  expect(count).toEqual({ count: 10_000, repositories: 200 });
  expect(actionsOf(await scene.apply(`${ACME}\nstacks: []`, { prune: true }))).toHaveLength(10_000);
}, 60_000);
