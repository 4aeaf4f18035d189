import { beforeAll, expect, test } from "vitest";

import { PUBLIC_URL, TOKEN, useCliApi } from "./test-cli-api.ts";

const { run, json, bitbucket } = useCliApi();
const INFRA = "acme/infra";
const hooksOf = (fullName: string) => [...(bitbucket.findRepository(fullName)?.state.hooks.values() ?? [])];

beforeAll(async () => {
  for (const slug of ["infra", "modules"]) bitbucket.createRepository({ workspace: "acme", slug });
  const credential = ["--default", "--token-variable", "T"];
  await run(["integration", "create", "acme", ...credential], { environment: { T: TOKEN } });
  const items = ["infra", "modules"].map((slug) => ({
    name: slug,
    repository: `acme/${slug}`,
    tracked_branch: "main",
  }));
  await run(["stack", "import", "-"], { lines: [JSON.stringify(items)] });
});

test("what would be done is shown with exit code 3, done after a question, and then nothing is left", async () => {
  const plan = ["webhook", "plan", "acme", "--targets"];
  const planned = await run(plan);
  const create = `  + create ${PUBLIC_URL}/webhooks/bitbucket-cloud/acme (missing)\n`;
  expect(planned).toMatchObject({ code: 3, err: "" });
  expect(planned.out).toContain(`acme/infra\n${create}`);
  expect(planned.out).toContain(`acme/modules\n${create}`);

  const apply = ["webhook", "apply", "acme", "--targets"];
  expect(await run(apply, { answer: false })).toMatchObject({ code: 3, err: "Do this at Bitbucket? [y/N] " });
  expect(hooksOf(INFRA)).toEqual([]);
  const applied = await run(apply, { answer: true });
  expect(applied.code).toBe(0);
  expect(applied.out).toContain("acme/infra: applied\n  done + create ");
  expect(hooksOf(INFRA)).toHaveLength(1);

  expect(await run(plan)).toMatchObject({
    code: 0,
    out: expect.stringContaining("acme/infra: as it should be\n"),
  });
  expect(await run([...apply, "--yes"])).toMatchObject({
    code: 0,
    out: expect.stringContaining("Nothing is to be done.\n"),
  });
  const { out } = await run(["repository", "list"]);
  expect(out).toMatch(/^acme\/infra +acme +1 +0 +- +- +ok +\S+$/m);
  expect(await json(["repository", "show", "ACME/infra"])).toMatchObject({
    full_name: "acme/infra",
    webhooks: { drift: [], unreadable: null },
  });
});

test("of one repository they are removed, and those of the other stay", async () => {
  await json(["webhook", "apply", "acme", "--targets", "--yes"]);
  const remove = ["webhook", "apply", "acme", "--repository", INFRA, "--remove", "--yes"];
  expect(await json(remove)).toMatchObject({
    is_complete: true,
    items: [{ name: INFRA, state: "applied", done: [{ kind: "delete" }] }],
  });
  expect(hooksOf(INFRA)).toEqual([]);
  expect(hooksOf("acme/modules")).toHaveLength(1);
});

test("more repositories than the API plans at once are planned and done all the same", async () => {
  const slugs = Array.from({ length: 25 }, (_, n) => `many-${String(n)}`);
  for (const slug of slugs) bitbucket.createRepository({ workspace: "acme", slug });
  const items = slugs.map((slug) => ({ name: slug, repository: `acme/${slug}`, tracked_branch: "main" }));
  await run(["stack", "import", "-"], { lines: [JSON.stringify(items)] });
  const { items: planned } = (await json(["webhook", "plan", "acme", "--targets"], 3)) as {
    items: unknown[];
  };
  expect(planned).toHaveLength(27);
  expect(await json(["webhook", "apply", "acme", "--targets", "--yes"])).toMatchObject({ is_complete: true });
  for (const slug of slugs) expect(hooksOf(`acme/${slug}`)).toHaveLength(1);
});

test.each([
  [[], "say where: --repository <name>, --workspace <name> or --targets"],
  [["--targets", "--repository", INFRA], "say where: "],
  [["--targets", "--remove", "--renew-secret"], "give one of --remove and --renew-secret"],
])("%j: a place that is not one is a mistake of the command line", async (args, message) => {
  const { code, err } = await run(["webhook", "plan", "acme", ...args]);
  expect(code).toBe(2);
  expect(err).toContain(`error usage_invalid: ${message}`);
});

test("a repository that cannot be seen is told with exit code 1", async () => {
  const { code, out } = await run(["webhook", "plan", "acme", "--repository", "acme/not-there"]);
  expect(code).toBe(1);
  expect(out).toMatch(/^acme\/not-there\n {2}! .+ \(\w+\)\n/);
});
