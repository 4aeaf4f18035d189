import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { generateKey } from "@sluice/runtime/keyring";
import { migrateStore } from "@sluice/store/migrate";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { runTestCli, type TestSurroundings } from "./test-cli-run.ts";

const SECRETS = {
  ACME_TOKEN: "LEAK-token-of-acme",
  ACME_WEBHOOK_SECRET: "LEAK-webhook-secret-of-acme",
  LABS_TOKEN: "LEAK-token-of-labs",
  LABS_WEBHOOK_SECRET: "LEAK-webhook-secret-of-labs",
  LABS_PREVIOUS_SECRET: "LEAK-earlier-secret-of-labs",
};

const FILE = `version: 1
spaces:
  - { name: teams, inherit_entities: true }
  - { name: labs, parent: teams }
integrations:
  - name: Acme
    default: true
    credential: { kind: api_token, email: bot@acme.example, token: "\${ACME_TOKEN}" }
    webhook_secret: \${ACME_WEBHOOK_SECRET}
    labels: [vcs]
    description: "# The machine user\\n\\n${"x".repeat(10_000)}"
  - name: Labs
    space: labs
    credential: { kind: access_token, token: "\${LABS_TOKEN}" }
    webhook_secret: \${LABS_WEBHOOK_SECRET}
    previous_webhook_secret: \${LABS_PREVIOUS_SECRET}
    checks: all
    calls_per_hour: 800
stacks:
  - { name: network, repository: acme/Infra, tracked_branch: main, metadata: { "<<": yes, on: "on" } }
  - { name: ledger, space: labs, integration: Labs, repository: acme/infra, tracked_branch: release/2, coalesce: true }
modules:
  - { name: network, repository: acme/modules, tracked_branch: main, version_from: tag }`;

let database: TestDatabase;
let environment: Record<string, string>;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  database = await createTestDatabase({ serverUrl, key: "store", migrate: migrateStore });
  environment = { DATABASE_URL: database.url, SLUICE_ENCRYPTION_KEYS: generateKey() };
});

afterAll(async () => {
  await database.drop();
});

const run = (args: readonly string[], surroundings: TestSurroundings = {}) =>
  runTestCli(args, { ...surroundings, environment: { ...environment, ...SECRETS } });
const apply = (text: string, ...args: string[]) =>
  run(["apply", "-f", "-", ...args], { lines: text.split("\n") });

test("an empty installation is exported too", async () => {
  const { code, out } = await run(["export"]);
  expect(code).toBe(0);
  expect(out).toMatch(/\nversion: 1\nspaces: \[\]\nintegrations: \[\]\nstacks: \[\]\nmodules: \[\]\n$/);
});

test("what was applied and is exported needs no change when it is applied again, not even with --prune", async () => {
  expect(await apply(FILE, "--yes")).toMatchObject({ code: 0 });
  const exported = await run(["export"]);
  expect(exported).toMatchObject({ code: 0, err: "" });
  expect(exported.out).not.toContain("LEAK");
  expect(exported.out).toContain("# The machine user");
  expect(await apply(exported.out, "--prune", "--dry-run")).toMatchObject({
    code: 0,
    out: "Nothing to change.\n",
  });
});

test("without the lines of webhook secrets those that are stored are kept", async () => {
  const { out } = await run(["export"]);
  const text = out.replaceAll(/^ +webhook_secret: .*\n/gm, "");
  expect(await apply(text, "--prune", "--dry-run")).toMatchObject({ code: 0, out: "Nothing to change.\n" });
});

test("as JSON it is the same, with the variables and what a file cannot say", async () => {
  const { out } = await run(["export", "--json"]);
  expect(out).not.toContain("LEAK");
  expect(JSON.parse(out)).toMatchObject({
    file: { version: 1, stacks: [{ name: "ledger" }, { name: "network" }] },
    variables: [{ name: "ACME_TOKEN" }, {}, { name: "LABS_TOKEN" }, {}, { name: "LABS_PREVIOUS_SECRET" }],
    notes: [],
  });
});

test("a detached stack is left out, and told on standard error", async () => {
  const acmeAlone = `version: 1\n${/integrations:[\s\S]*?(?= {2}- name: Labs)/.exec(FILE)?.[0] ?? ""}`;
  expect(await apply(acmeAlone, "--prune", "--yes")).toMatchObject({ code: 0 });
  const detached = await run(["export"]);
  expect(detached.err).toMatch(/^the stack ledger of the space labs is detached, and left out/);
  expect(detached.out).not.toContain("name: ledger");
  expect(await apply(detached.out, "--dry-run")).toMatchObject({ code: 0, out: "Nothing to change.\n" });
});
