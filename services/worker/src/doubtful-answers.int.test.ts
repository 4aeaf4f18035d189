/** Lists of files that lead elsewhere, change while they are read, or never end. */
import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { startBitbucketServer, type BitbucketServer } from "@sluice/simulator/rest-server";
import { migrateStore } from "@sluice/store/migrate";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test } from "vitest";

import { useScene, type Webhook } from "./test-scene.ts";

const bitbucket = createBitbucket({ seed: "doubtful answers" });
const scene = useScene({
  token: DEFAULT_CREDENTIALS[0]!.token,
  startServer: () => startBitbucketServer({ bitbucket }),
  createDatabase: () =>
    createTestDatabase({ serverUrl: inject("postgresUrl"), migrate: migrateStore, key: "store" }),
  createRepository: (number) =>
    bitbucket.createRepository({ workspace: "acme", slug: `doubtful-${String(number)}` }),
});
const { aModule, aStack, decide, decisions, push, reasons, record, repository, runsOf, server, tell } = scene;

/** More than fit a page. */
const manyFiles = (count: number, folder = "a") =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`${folder}/${String(at)}.tf`, "1"]));

const opened = (from = repository()) =>
  repository().openPullRequest({ title: "Wider", source: "feature", from });

/** Pushes, none of which is told, and the webhooks of what is told of them. */
const QUESTIONS: Record<string, () => readonly Webhook[]> = {
  "a push": () => repository().push({ files: { ...manyFiles(1_500), "zone/main.tf": "1" } }).webhooks,
  "a new branch": () =>
    repository().push({ branch: "feature", files: { ...manyFiles(1_500), "zone/main.tf": "1" } }).webhooks,
  "a pull request": () => {
    repository().push({ branch: "feature", files: { ...manyFiles(1_500), "zone/main.tf": "1" } });
    return opened().webhooks;
  },
  "a pull request of a fork": () => {
    const fork = bitbucket.fork(repository(), { workspace: "grace" });
    fork.push({ branch: "feature", files: { ...manyFiles(1_500), "zone/main.tf": "1" } });
    return opened(fork).webhooks;
  },
};

let stack: string;

beforeEach(async () => {
  stack = await aStack("zone");
  await scene.sweeps().worker.store.sql`
    UPDATE sluice.targets SET allowed_fork_workspaces = '["grace"]'::jsonb WHERE id = ${stack}`;
  await tell(push().webhooks);
});

/** Until the test ends, or it is called. */
function misanswer(pattern: string, fault: Parameters<BitbucketServer["injectFault"]>[1]): () => void {
  const mend = server().injectFault(pattern, fault);
  onTestFinished(mend);
  return mend;
}

const runs = async () => (await runsOf(stack)).slice(1).map(([runType]) => runType);

describe("an answer that leads to another host (rule 15)", () => {
  let stranger: BitbucketServer;
  beforeAll(async () => {
    stranger = await startBitbucketServer({ bitbucket });
  });
  afterAll(() => stranger.close());
  beforeEach(() => stranger.clearCalls());

  test.each(Object.entries(QUESTIONS))(
    "is not followed for %s: nothing goes there, nothing is decided by half a list, and the event waits",
    async (_, ask) => {
      const url = `${stranger.url}/repositories/${repository().fullName}/diffstat/main`;
      const webhooks = ask();
      await record(webhooks);
      for (const kind of ["next_elsewhere", "redirect_elsewhere"] as const) {
        const mend = misanswer("GET */diffstat/*", { kind, url });
        await expect(decide()).rejects.toMatchObject({
          code: "bitbucket_redirect_refused",
          message: expect.stringContaining("was not followed"),
          retry: { afterMs: expect.any(Number) },
        });
        mend();
      }
      expect(await runs()).toEqual([]);
      await decide();
      expect(await runs()).toHaveLength(1);
      expect(stranger.calls).toEqual([]);
    },
  );

  test("gives a module no version: its run is refused, and says why (rule 31)", async () => {
    const module = await aModule("file");
    misanswer("GET *config.yml", { kind: "redirect_elsewhere", url: stranger.url });
    await tell(push().webhooks);
    expect(await runsOf(module)).toEqual([]);
    expect((await decisions()).find(({ targetId }) => targetId === module)).toMatchObject({
      reason: "module_version_refused",
      sentence: expect.stringContaining("cannot be read: bitbucket_redirect_refused"),
    });
    expect(stranger.calls).toEqual([]);
  });
});

describe("a list that changes while its pages are read (rule 15)", () => {
  const CHANGES: Record<string, () => unknown> = {
    "its branch goes on": () => repository().push({ branch: "feature", files: { "0/first.tf": "1" } }),
    "its branch is made anew": () =>
      repository().push({ branch: "feature", from: "main", files: { only: "1" }, force: true }),
    "its branch is deleted": () => repository().deleteBranch("feature"),
    "the tracked branch goes on": () => push(),
    "the tracked branch comes to its head": () => repository().push({ branch: "main", from: "feature" }),
    "a pull request of it is merged": () => opened().merge({ strategy: "fast_forward" }),
  };

  test.each(
    Object.entries(CHANGES).flatMap(([change, make]) =>
      (["a new branch", "a pull request"] as const).map((of) => [of, change, make] as const),
    ),
  )(
    "decides what its first page concerns as what its last page does, for %s when %s",
    async (of, _, make) => {
      const first = await aStack("a", repository(), "first");
      await record(QUESTIONS[of]!());
      server().clearCalls();
      const asking = scene.pipelineThatAsks((call) => {
        if (call === 2) make();
      });
      await decide(asking).catch(expectListChanged);
      expect(server().countCalls("GET *diffstat*")).toBe(2);
      await decide();
      expect(await runs()).toEqual((await runsOf(first)).map(([runType]) => runType));
      expect(await reasons()).not.toContain("held");
    },
  );
});

/** The event waits, and asks again. */
function expectListChanged(error: unknown): void {
  expect(error).toMatchObject({ code: "bitbucket_list_changed", retry: { afterMs: expect.any(Number) } });
}

describe("a list without an end (rule 17)", () => {
  test.each([
    ["a new branch", "triggered", ["proposed"]],
    ["a pull request", "triggered", ["proposed"]],
    ["a push", "held", []],
  ] as const)("is unknown for %s: it is %s, and says so", async (of, reason, made) => {
    const webhooks = QUESTIONS[of]!();
    const head = repository().head(of === "a push" ? "main" : "feature");
    const path = `repositories/${repository().fullName}/diffstat/${head}`;
    misanswer("GET *diffstat*", { kind: "next_elsewhere", url: `${server().url}/${path}?page=1` });
    await tell(webhooks);
    const [latest] = (await decisions()).slice(-1);
    expect(latest).toMatchObject({ reason, sentence: expect.stringContaining("bitbucket_too_many_pages") });
    expect(await runs()).toEqual(made);
  });
});

test("5,000 files of a push over many pages are all counted, and evidence names the first 50 (rules 15, 25)", async () => {
  server().clearCalls();
  await tell(repository().push({ files: manyFiles(5_000, "zone") }).webhooks);
  expect(server().countCalls("GET *diffstat*")).toBe(5);
  const [latest] = (await decisions()).slice(-1);
  expect(latest).toMatchObject({ reason: "triggered", evidence: { files: { known: true, total: 5_000 } } });
  expect(latest?.evidence.files?.matched).toHaveLength(50);
});

test("5,000 files beside a target's folder run nothing (rule 15)", async () => {
  await tell(repository().push({ files: manyFiles(5_000, "zone2") }).webhooks);
  expect((await reasons()).at(-1)).toBe("outside_project_root");
  expect(await runs()).toEqual([]);
});
