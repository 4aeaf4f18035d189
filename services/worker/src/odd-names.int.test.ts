/** Names that git allows and people do not expect, and pushes that tell only part of what they brought. */
import { toTriggerDocument } from "@sluice/domain/trigger-document";
import { createTestDatabase } from "@sluice/embedded/test-database";
import { createLogger } from "@sluice/runtime/logger";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { startBitbucketServer } from "@sluice/simulator/rest-server";
import { migrateStore } from "@sluice/store/migrate";
import { listTriggerRecords } from "@sluice/store/trigger-records";
import { describe, expect, inject, test } from "vitest";

import { createCommitLinks } from "./repair/link-commits.ts";
import { useScene, type Webhook } from "./test-scene.ts";

const bitbucket = createBitbucket({ seed: "odd names" });
const scene = useScene({
  token: DEFAULT_CREDENTIALS[0]!.token,
  startServer: () => startBitbucketServer({ bitbucket }),
  createDatabase: () =>
    createTestDatabase({ serverUrl: inject("postgresUrl"), migrate: migrateStore, key: "store" }),
  createRepository: (number) =>
    bitbucket.createRepository({ workspace: "acme", slug: `odd-${String(number)}` }),
});
const { aStack, decisions, next, push, reasons, repository, runsOf, sweeps, tell } = scene;

const NAMES = [
  "#%&+@{}'\"!$,;=()",
  "a&pagelen=1",
  "日本/🦥",
  "\u202etxt.niam",
  "m\u0430in",
  "-force",
  "--",
  "refs/heads/x",
  "refs/tags/v1",
  "HEAD",
  "origin/main",
  "a/b/c/d",
  "%2e%2e",
  "%00",
  "';DROP/TABLE",
  "deadbeefdead",
  "x".repeat(255),
  "🦥".repeat(63),
];

describe("a branch of an odd name", () => {
  test.each(NAMES)(
    "%j is tracked, compared with, explained and deleted under its own name (rules 15, 20, 23, 25)",
    async (name) => {
      const more = { projectRoot: "network", repository: repository().fullName, trackedBranch: name };
      const stack = await sweeps().worker.aStack("network", more);
      const first = push("network/main.tf", name);
      await tell(first.webhooks);
      const second = push("network/main.tf", name);
      await tell(second.webhooks);
      const topic = repository().push({ branch: "topic", from: name, files: { "network/a.tf": "1" } });
      await tell(topic.webhooks);
      await tell(repository().deleteBranch(name).webhooks);
      expect((await runsOf(stack)).map(([runType, commitSha]) => [runType, commitSha])).toEqual([
        ["tracked", first.hash],
        ["tracked", second.hash],
        ["proposed", topic.hash],
      ]);
      const told = await decisions();
      expect(told.map(({ sentence }) => sentence)).toEqual([
        expect.stringContaining(`the tracked branch ${name} is new`),
        `A tracked run was triggered: network/main.tf is under network on the tracked branch ${name}.`,
        "A proposed run was triggered: network/a.tf is under network on topic.",
        `The branch ${name} was deleted; there is nothing to run.`,
      ]);
      expect(told[2]?.evidence.files?.compared).toBe(`${topic.hash}..${name}`);
    },
  );

  test.each(NAMES)(
    "%j is found as the source of the pull request that its commit belongs to (rule 11)",
    async (name) => {
      repository().setCommitLinks("absent");
      const stack = await aStack();
      push();
      await tell(push("a", name).webhooks);
      const { id } = repository().openPullRequest({ title: "Wider", source: name });
      repository().push({ branch: "other", files: { b: "1" } });
      repository().openPullRequest({ title: "Another", source: "other" });
      const link = createCommitLinks({
        store: sweeps().worker.store,
        logger: createLogger({ service: "test", level: "silent", format: "json" }),
        clientOf: () =>
          Promise.resolve(
            sweeps().clientWith({
              take: () => Promise.resolve({ granted: true }),
              learn: () => Promise.resolve(),
            }),
          ),
        graceMs: 0,
        lagMs: 0,
        signal: new AbortController().signal,
      });
      await link();
      const triggers = await sweeps().worker.store.sql<{ id: string }[]>`
      SELECT id FROM sluice.triggers WHERE target_id = ${stack}`;
      const records = await listTriggerRecords(
        sweeps().worker.store,
        triggers.map((trigger) => trigger.id),
      );
      const documents = records.map((record) => toTriggerDocument(record, { showLeaseToken: false }));
      expect(documents).toMatchObject([
        { checkout: { ref: `refs/heads/${name}` }, pull_requests: [{ number: id }] },
      ]);
    },
  );
});

describe("a branch and a tag of one name (rule 20)", () => {
  test.each([true, false])("are two things, in one push: the tag first is %s", async (isTagFirst) => {
    const stack = await sweeps().worker.aStack("network", {
      repository: repository().fullName,
      trackedBranch: "v1",
    });
    push();
    const branch = { branch: "v1", files: { a: "1" } };
    const tag = { tag: "v1", target: "main" };
    const { webhooks } = repository().pushMany(isTagFirst ? [tag, branch] : [branch, tag]);
    await tell(webhooks);
    expect((await reasons()).toSorted()).toEqual(["tag", "triggered"]);
    expect(await runsOf(stack)).toEqual([["tracked", repository().head("v1"), "queued"]]);
    await tell(repository().deleteTag("v1").webhooks);
    await tell(repository().push({ branch: "v1", files: { a: "2" } }).webhooks);
    expect((await reasons()).slice(2)).toEqual(["tag", "triggered"]);
    expect(await sweeps().headOf(repository(), "v1")).toBe(repository().head("v1"));
  });

  test("a tag of the tracked branch's name, at another commit, moves neither it nor what is compared with it", async () => {
    const stack = await aStack("network");
    await tell(push().webhooks);
    const first = repository().head();
    await tell(push().webhooks);
    await tell(repository().createTag({ tag: "main", target: first }).webhooks);
    await tell(push("elsewhere/a.tf", "feature").webhooks);
    expect((await reasons()).slice(2)).toEqual(["tag", "outside_project_root"]);
    expect(await runsOf(stack)).toHaveLength(2);
  });
});

describe("a push that tells only part of what it brought (rule 15)", () => {
  /** More than a body lists, of which the oldest alone concerns the stack. */
  const commits = () =>
    Array.from({ length: 8 }, (_, at) => ({
      files: { [at === 0 ? "network/main.tf" : `other/${String(at)}.tf`]: String(next()) },
    }));

  const isTruncated = ({ body }: Webhook) => JSON.stringify(body).includes('"truncated":true');

  test.each(["main", "feature"])("to %s is decided by all of its commits", async (branch) => {
    const stack = await aStack("network");
    await tell(push("a", "main").webhooks);
    const before = (await runsOf(stack)).length;
    const pushed = repository().push({ branch, commits: commits() });
    expect(pushed.webhooks.some(isTruncated)).toBe(true);
    await tell(pushed.webhooks);
    expect((await runsOf(stack)).slice(before)).toEqual([
      [branch === "main" ? "tracked" : "proposed", pushed.hash, "queued"],
    ]);
  });

  test("because it was forced is decided by what the branch has lost, too", async () => {
    const stack = await aStack("network");
    await tell(push("a").webhooks);
    const base = repository().head();
    await tell(repository().push({ commits: commits() }).webhooks);
    const others = commits().slice(1);
    const forced = repository().push({ from: base, commits: others, force: true });
    expect(forced.webhooks.some(isTruncated)).toBe(true);
    await tell(forced.webhooks);
    // The new history has nothing of the stack: that is what has changed for it.
    expect((await runsOf(stack)).at(-1)).toEqual(["tracked", forced.hash, "queued"]);
    expect((await decisions()).at(-1)?.evidence.files?.matched.map(({ path }) => path)).toEqual([
      "network/main.tf",
    ]);
  });

  test("of more refs than a body lists commits has a decision for each", async () => {
    const stack = await aStack();
    await tell(push().webhooks);
    const branches = Array.from({ length: 12 }, (_, at) => `topic-${String(at)}`);
    await tell(
      repository().pushMany(branches.map((branch) => ({ branch, files: { [branch]: "1" } }))).webhooks,
    );
    expect(await reasons()).toEqual(Array(13).fill("triggered"));
    expect((await runsOf(stack)).slice(1).map(([, commitSha]) => commitSha)).toEqual(
      branches.map((branch) => repository().head(branch)),
    );
  });

  test.each([
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
    [2, 0, 1],
  ])("told in the order %i, %i, %i, runs in the order of its commits (rule 14)", async (...order) => {
    const stack = await aStack("network");
    await tell(push("a").webhooks);
    const before = (await runsOf(stack)).length;
    const pushes = [0, 1, 2].map(() => repository().push({ commits: commits() }));
    await tell(order.flatMap((at) => pushes[at]?.webhooks ?? []));
    expect((await runsOf(stack)).slice(before)).toEqual(
      pushes.map(({ hash }) => ["tracked", hash, "queued"]),
    );
  });
});
