/** Tags that release a module, told twice, moved, deleted, and of versions that are none (rule 31). */
import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { startBitbucketServer } from "@sluice/simulator/rest-server";
import { migrateStore } from "@sluice/store/migrate";
import { beforeEach, describe, expect, inject, test } from "vitest";

import { useScene } from "./test-scene.ts";

const bitbucket = createBitbucket({ seed: "module tags" });
const scene = useScene({
  token: DEFAULT_CREDENTIALS[0]!.token,
  startServer: () => startBitbucketServer({ bitbucket }),
  createDatabase: () =>
    createTestDatabase({ serverUrl: inject("postgresUrl"), migrate: migrateStore, key: "store" }),
  createRepository: (number) =>
    bitbucket.createRepository({ workspace: "acme", slug: `module-${String(number)}` }),
});
const { aModule, decide, decisions, push, reasons, record, repository, sweeps, tell } = scene;

let module: string;

beforeEach(async () => {
  module = await aModule("tag");
  push();
});

const tag = (name: string, more: { target?: string; force?: boolean; annotation?: string } = {}) =>
  repository().createTag({ tag: name, ...more }).webhooks;

/** What was released, in the order in which it is claimed. */
async function releases() {
  const rows = await sweeps().worker.store.sql<{ moduleVersion: string; commitSha: string; state: string }[]>`
    SELECT module_version, commit_sha, state FROM sluice.triggers
    WHERE target_id = ${module} AND run_type = 'tracked' ORDER BY position`;
  return rows.map(({ moduleVersion, commitSha, state }) => [moduleVersion, commitSha, state]);
}

const lastSentence = async () => (await decisions()).at(-1)?.sentence;

describe("a tag that is told more than once (rules 26, 31)", () => {
  test("by two hooks releases its version once", async () => {
    const told = tag("v1.0.0");
    await record(told, { hookId: "of the repository" });
    await record(told, { hookId: "of the workspace" });
    await decide();
    expect(await releases()).toEqual([["1.0.0", repository().head(), "queued"]]);
    expect(await reasons()).toEqual(["triggered", "duplicate"]);
  });

  test("by two hooks, the second after a later version, releases neither again", async () => {
    const first = tag("v1.0.0");
    await record(first, { hookId: "of the repository" });
    push();
    await tell(tag("v1.1.0"));
    await record(first, { hookId: "of the workspace" });
    await decide();
    expect((await releases()).map(([version]) => version)).toEqual(["1.0.0", "1.1.0"]);
    expect(await reasons()).toEqual(["triggered", "triggered", "duplicate"]);
  });

  test("because it was deleted and made again where it was releases nothing again", async () => {
    await tell([...tag("v1.0.0"), ...repository().deleteTag("v1.0.0").webhooks, ...tag("v1.0.0")]);
    expect((await releases()).map(([version]) => version)).toEqual(["1.0.0"]);
    expect(await reasons()).toEqual(["triggered", "tag", "duplicate"]);
  });
});

describe("a tag that moves (rule 31)", () => {
  test("to another commit is refused: a version is released once", async () => {
    const first = repository().head();
    await tell(tag("v1.0.0"));
    push();
    await tell(tag("v1.0.0", { force: true }));
    expect(await releases()).toEqual([["1.0.0", first, "queued"]]);
    expect(await lastSentence()).toBe(
      "The module's version 1.0.0 is not above its last, 1.0.0: a version is released once. Raise it.",
    );
  });

  test("because it is deleted and made again elsewhere is refused too; its deletion runs nothing and ends nothing", async () => {
    const first = repository().head();
    await tell(tag("v1.0.0"));
    await tell(repository().deleteTag("v1.0.0").webhooks);
    expect((await reasons()).at(-1)).toBe("tag");
    push();
    await tell(tag("v1.0.0"));
    expect((await reasons()).at(-1)).toBe("module_version_refused");
    expect(await releases()).toEqual([["1.0.0", first, "queued"]]);
  });
});

describe("two tags on one commit (rule 31)", () => {
  test("of rising versions are two releases of it", async () => {
    const head = repository().head();
    await tell([...tag("v1.0.0"), ...tag("v1.1.0")]);
    expect(await releases()).toEqual([
      ["1.0.0", head, "queued"],
      ["1.1.0", head, "queued"],
    ]);
  });

  test("of one version, written in two ways, are one release", async () => {
    await tell([...tag("v1.0.0"), ...tag("1.0.0")]);
    expect((await releases()).map(([version]) => version)).toEqual(["1.0.0"]);
    expect((await reasons()).at(-1)).toBe("module_version_refused");
  });

  test("in one push are released in the order in which they are told", async () => {
    const { webhooks } = repository().pushMany([{ tag: "v1.0.0" }, { tag: "v1.1.0" }, { tag: "v0.9.0" }]);
    await tell(webhooks);
    expect((await releases()).map(([version]) => version)).toEqual(["1.0.0", "1.1.0"]);
    expect(await reasons()).toEqual(["triggered", "triggered", "module_version_refused"]);
  });
});

describe("a tag that is no version (rules 20, 31)", () => {
  test.each([
    "latest",
    "v1",
    "v1.0",
    "1.0.0.0",
    "v01.0.0",
    "V1.0.0",
    "vv1.0.0",
    "v1.0.0-",
    "release/1.0.0",
    "v\u0661.0.0",
    `v1.0.0-${"x".repeat(200)}`,
  ])("%s is a tag, and releases nothing", async (name) => {
    await tell(tag(name));
    expect(await reasons()).toEqual(["tag"]);
    expect(await releases()).toEqual([]);
  });
});

test("a version below the last is refused, also for a commit that came before; an annotated tag is a tag (rule 31)", async () => {
  const first = repository().head();
  push();
  await tell(tag("v2.0.0", { annotation: "Two" }));
  await tell(tag("v1.0.0", { target: first }));
  expect((await releases()).map(([version]) => version)).toEqual(["2.0.0"]);
  expect(await lastSentence()).toContain("1.0.0 is not above its last, 2.0.0");
});

test("a prerelease comes before its release, and not after it (rule 31)", async () => {
  await tell(tag("v1.0.0-rc.1"));
  push();
  await tell(tag("v1.0.0"));
  push();
  await tell(tag("v1.0.0-rc.2"));
  expect((await releases()).map(([version]) => version)).toEqual(["1.0.0-rc.1", "1.0.0"]);
});

describe("a module that coalesces (rules 27, 31)", () => {
  beforeEach(async () => {
    await sweeps().worker.store.sql`UPDATE sluice.targets SET coalesce = true WHERE id = ${module}`;
  });

  test("releases each of its tags: they are no branch, and nobody asked for the newest alone", async () => {
    for (const name of ["v1.0.0", "v1.1.0", "v1.2.0"]) {
      push();
      await tell(tag(name));
    }
    expect((await releases()).map(([version, , state]) => [version, state])).toEqual([
      ["1.0.0", "queued"],
      ["1.1.0", "queued"],
      ["1.2.0", "queued"],
    ]);
  });

  test("keeps a tag's release when its branch goes on or is deleted", async () => {
    await tell(push("network/main.tf", "v1.0.0").webhooks);
    await tell(tag("v1.0.0"));
    await tell(push("network/main.tf", "v1.0.0").webhooks);
    await tell(repository().deleteBranch("v1.0.0").webhooks);
    expect((await releases()).map(([version, , state]) => [version, state])).toEqual([["1.0.0", "queued"]]);
  });
});
