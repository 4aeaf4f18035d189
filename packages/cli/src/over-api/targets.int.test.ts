import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { TOKEN, useCliApi } from "./test-cli-api.ts";

const { run, json } = useCliApi();
const entry = { repository: "acme/infra", tracked_branch: "main" };
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-import-"));
  const credential = ["--default", "--token-variable", "T"];
  const made = await run(["integration", "create", "acme", ...credential], { environment: { T: TOKEN } });
  expect(made.code).toBe(0);
  await json(["space", "create", "payments"]);
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function importFile(content: unknown, ...args: string[]) {
  const file = join(folder, "stacks.json");
  await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
  return run(["stack", "import", file, ...args]);
}

test("a file is imported whole, again without a change, and what it lacks is removed only when that is asked for", async () => {
  const items = ["network", "database"].map((name) => ({ ...entry, name, project_root: name }));
  expect(await importFile(items)).toEqual({
    code: 0,
    out: "2 created, 0 changed, 0 as they were, 0 removed.\n",
    err: "",
  });
  expect((await importFile({ items })).out).toBe("0 created, 0 changed, 2 as they were, 0 removed.\n");
  const fewer = [{ ...items[0], project_root: "net" }];
  expect((await importFile(fewer)).out).toBe("0 created, 1 changed, 0 as they were, 0 removed.\n");

  const remove = ["--remove-missing-in", "root"];
  expect(await importFile(fewer, ...remove)).toMatchObject({ code: 3, out: "" });
  expect((await importFile(fewer, ...remove, "--yes")).out).toBe(
    "0 created, 0 changed, 1 as they were, 1 removed.\n",
  );
  const { out } = await run(["stack", "list"]);
  expect(out).toMatch(/^NAME +SPACE +STATE +REPOSITORY +BRANCH +ROOT +INTEGRATION +ID$/m);
  expect(out).toMatch(/^network +root +active +acme\/infra +main +net +acme +\S+$/m);
  expect(out).not.toContain("database");
});

test("standard input is imported too, and what is wrong is told by its place, and nothing is written", async () => {
  const lines = JSON.stringify(
    [
      { ...entry, name: "dns" },
      { ...entry, name: "vpc", tracked_branch: "no branch" },
    ],
    null,
    1,
  );
  const { code, out, err } = await run(["module", "import", "-"], { lines: lines.split("\n") });
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toMatch(/^error invalid_request: items\.1\.tracked_branch: .+\n$/);
  expect(await json(["module", "list"])).toEqual({ items: [], next_cursor: null });
});

test.each(["{", '"text"', '{"stacks":[]}'])(
  "a file that is no list is a mistake of the file: %s",
  async (content) => {
    const { code, err } = await importFile(content);
    expect(code).toBe(2);
    expect(err).toMatch(/^error file_unreadable: .+ is not a list of entries in JSON/);
  },
);

test("one is shown and removed by its name, of two with one name by its space", async () => {
  await importFile([
    { ...entry, name: "ledger", labels: ["pci"] },
    { ...entry, name: "ledger", space: "payments", project_root: "payments" },
  ]);
  expect(await run(["stack", "show", "ledger"])).toMatchObject({
    code: 2,
    err: 'error usage_invalid: 2 have the name "ledger": say which by --space <name>, or name one by its id\n',
  });
  expect(await json(["stack", "show", "ledger", "--space", "payments"])).toMatchObject({
    project_root: "payments",
    external_id: null,
  });
  expect(await json(["stack", "list", "--label", "pci"])).toMatchObject({ items: [{ space: "root" }] });
  const asked = await run(["stack", "delete", "ledger", "--space", "root"], { answer: true });
  expect(asked).toMatchObject({ code: 0, err: "Remove the stack ledger of the space root? [y/N] " });
  expect(await json(["stack", "show", "ledger"])).toMatchObject({ space: "payments" });
  expect(await run(["stack", "show", "ledge"])).toMatchObject({ code: 4 });
});

test("a list of more than a page is listed whole, each once", async () => {
  const items = Array.from({ length: 230 }, (_, n) => ({ ...entry, name: `many-${String(n)}` }));
  expect((await importFile(items)).code).toBe(0);
  const list = ["stack", "list", "--name-prefix", "many-"];
  const all = (await json([...list, "--all"])) as { items: { name: string }[] };
  expect(new Set(all.items.map(({ name }) => name)).size).toBe(230);
  expect(all.items).toHaveLength(230);
  const some = (await json([...list, "--limit", "205"])) as { items: unknown[]; next_cursor: unknown };
  expect(some.items).toHaveLength(205);
  expect(some.next_cursor).toEqual(expect.any(String));
});
