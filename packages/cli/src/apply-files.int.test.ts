import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { generateKey } from "@sluice/runtime/keyring";
import { listAuditRecords } from "@sluice/store/audit-log";
import { openStore } from "@sluice/store/client";
import { migrateStore } from "@sluice/store/migrate";
import { afterAll, afterEach, beforeEach, expect, inject, test } from "vitest";

import { runCli } from "./cli.ts";

const FILE = `version: 1
integrations:
  - name: acme
    default: true
    credential: { kind: api_token, email: bot@acme.example, token: "\${TOKEN}" }
stacks:
  - { name: network, repository: acme/infra, tracked_branch: main }
`;

/** Everything that any command said: no secret may be in it, but for those that were made to be shown. */
let everything = "";
let database: TestDatabase;
let folder: string;
let keys: string;

beforeEach(async () => {
  const serverUrl = inject("postgresUrl");
  database = await createTestDatabase({ serverUrl, key: "store", migrate: migrateStore });
  folder = await mkdtemp(join(tmpdir(), "sluice-apply-"));
  keys = generateKey();
  await writeFile(join(folder, "sluice.yaml"), FILE);
});

afterEach(async () => {
  await database.drop();
  await rm(folder, { recursive: true });
});

afterAll(() => {
  expect(everything).toContain("stack network");
  expect(everything).not.toContain("LEAK");
});

interface Person {
  /** Null: nobody is there. */
  readonly answer?: boolean | null;
  readonly environment?: Record<string, string>;
}

async function apply(args: string[], { answer = null, environment = {} }: Person = {}) {
  const said = { out: "", err: "", asked: 0 };
  const code = await runCli(["apply", ...args], {
    environment: {
      DATABASE_URL: database.url,
      SLUICE_ENCRYPTION_KEYS: keys,
      TOKEN: "LEAK-token",
      SECRET: "LEAK-secret-of-the-webhook",
      ...environment,
    },
    print: (text) => void (said.out += text),
    report: (text) => void (said.err += text),
    isInteractive: answer !== null,
    confirm: () => {
      said.asked += 1;
      return Promise.resolve(answer === true);
    },
    readLines: async function* readLines() {
      yield* [];
    },
    workingDirectory: folder,
  });
  everything += said.out + said.err;
  return { code, ...said };
}

test("a dry run shows the changes and ends with 3; once they are applied, with 0", async () => {
  expect(await apply(["--dry-run"], { answer: true })).toMatchObject({
    code: 3,
    asked: 0,
    out: `+ integration acme: the default, /webhooks/bitbucket-cloud/acme
+ stack network in root: acme/infra on main

2 to create, 0 to change, 0 to remove.
`,
  });
  expect((await apply(["--yes"])).code).toBe(0);
  expect(await apply(["--dry-run"])).toMatchObject({ code: 0, out: "Nothing to change.\n" });
});

test("a person is asked, and only a yes applies", async () => {
  expect(await apply([], { answer: false })).toMatchObject({ code: 3, asked: 1 });
  const yes = await apply([], { answer: true });
  expect(yes).toMatchObject({ code: 0, asked: 1, out: expect.stringContaining("\nApplied.\n") });
  expect(await apply([], { answer: true })).toMatchObject({ code: 0, asked: 0 });
});

test("with nobody to ask nothing is applied, which is said, and ends with 3", async () => {
  expect(await apply([])).toMatchObject({
    code: 3,
    err: "Nothing was applied: there is nobody to ask. Run it with --yes.\n",
  });
  expect((await apply(["--dry-run"])).code).toBe(3);
});

test("who applies it is said by --by, and is the command itself otherwise; nothing is taken from the machine", async () => {
  expect(await apply(["--yes", "--by", ""])).toMatchObject({ code: 2, err: expect.stringContaining("--by") });
  await apply(["--yes"], { environment: { USER: "LEAK-user", LOGNAME: "LEAK-user" } });
  await writeFile(join(folder, "sluice.yaml"), FILE.replace("main }", "dev }"));
  await apply(["--by", "ada"], { answer: true });
  const store = openStore({ url: database.url, maxConnections: 1, applicationName: "test" });
  const reach = { kind: "everywhere" } as const;
  const rows = await listAuditRecords(store, { reach, limit: 9, before: null });
  await store.close();
  expect(rows.map(({ actorName, action }) => [actorName, action])).toEqual([
    ["ada", "stack.updated"],
    ["sluice apply", "stack.created"],
    ["sluice apply", "integration.created"],
  ]);
  expect(JSON.stringify(rows)).not.toContain("LEAK");
});

test("a generated secret is shown once, with its endpoint", async () => {
  const { out } = await apply(["--yes"]);
  expect(out).toMatch(
    /The webhook secret of acme, shown this once:\n {2}[\w-]{43}\n.*\n {2}\/webhooks\/bitbucket-cloud\/acme\n$/,
  );
  expect((await apply(["--yes"])).out).toBe("Nothing to change.\n");
});

test("as JSON there is one object, with what was generated and without any other secret", async () => {
  await writeFile(
    join(folder, "sluice.yaml"),
    FILE.replace("stacks:", '    webhook_secret: "${SECRET}"\nstacks:'),
  );
  const first = await apply(["--yes", "--json"]);
  expect(JSON.parse(first.out)).toMatchObject({
    applied: true,
    changes: [
      { action: "create", kind: "integration", name: "acme", space: null, fields: [] },
      { action: "create", kind: "stack", name: "network", space: "root", fields: [] },
    ],
    generated: [],
  });
  const rotated = { TOKEN: "LEAK-token-2", SECRET: "LEAK-secret-after-rotation" };
  const second = await apply(["--dry-run", "--json"], { environment: rotated });
  expect(second.code).toBe(3);
  expect(JSON.parse(second.out)).toMatchObject({
    applied: false,
    changes: [
      {
        action: "update",
        fields: [
          { kind: "secret", field: "credential.token", change: "changed" },
          { kind: "secret", field: "webhook_secret", change: expect.stringContaining("changed") },
        ],
      },
    ],
  });
});

test("a wrong file is refused with 2 and its lines, as text or as JSON, before the database is asked", async () => {
  await writeFile(join(folder, "wrong.yaml"), "version: 1\nstacks:\n  - { name: a, token: LEAK }\n");
  const nowhere = { environment: { DATABASE_URL: "postgres://LEAK:LEAK@127.0.0.1:1/none" } };
  const text = await apply(["-f", "wrong.yaml"], nowhere);
  expect(text).toMatchObject({ code: 2, out: "" });
  expect(text.err).toContain("\nwrong.yaml:3:16: unknown key token");
  const json = await apply(["-f", "wrong.yaml", "--json"], nowhere);
  expect(json.code).toBe(2);
  expect(JSON.parse(json.out)).toMatchObject({
    problems: [{ line: 3 }, { line: 3 }, { file: "wrong.yaml", line: 3, column: 16 }],
  });
});

test("a database that is away is told in one line without its password, with 1", async () => {
  const { code, err } = await apply(["--yes"], {
    environment: { DATABASE_URL: "postgres://LEAK:LEAK@127.0.0.1:1/none" },
  });
  expect(code).toBe(1);
  expect(err).toMatch(/^error econnrefused: .*127\.0\.0\.1:1\n$/);
});
