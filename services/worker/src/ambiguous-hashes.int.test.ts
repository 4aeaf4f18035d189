/** Twelve digits that begin two commits: what pull requests tell of a head may be either. */
import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import type { Account } from "@sluice/simulator/account";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { startBitbucketServer } from "@sluice/simulator/rest-server";
import { migrateStore } from "@sluice/store/migrate";
import { beforeEach, describe, expect, inject, test } from "vitest";

import { useScene } from "./test-scene.ts";

const bitbucket = createBitbucket({ seed: "ambiguous hashes" });
const bob = bitbucket.createUser("Bob");
const carol = bitbucket.createUser("Carol");
const scene = useScene({
  token: DEFAULT_CREDENTIALS[0]!.token,
  startServer: () => startBitbucketServer({ bitbucket }),
  createDatabase: () =>
    createTestDatabase({ serverUrl: inject("postgresUrl"), migrate: migrateStore, key: "store" }),
  createRepository: (number) =>
    bitbucket.createRepository({ workspace: "acme", slug: `ambiguous-${String(number)}` }),
});
const { aStack, decide, push, reasons, record, repository, runsOf, sweeps, tell } = scene;

const PREFIX = "a14c0d9e7b4c";
const OURS = PREFIX.padEnd(40, "0");
const TWIN = PREFIX.padEnd(40, "1");
const LONG_AGO = new Date(Date.now() - 11 * 60_000).toISOString();

let stack: string;

beforeEach(async () => {
  stack = await aStack();
  await tell(push().webhooks);
});

/** A push of a commit whose hash is chosen. */
const pushAs = (hash: string, branch: string, by?: Account) =>
  repository().push({ branch, files: { a: hash }, hash, ...(by === undefined ? {} : { by }) });

const opened = (source = "feature") => repository().openPullRequest({ title: "Wider", source, author: bob });

/** Runs beside the one of the first push. */
const runs = async () => (await runsOf(stack)).slice(1);

describe("a pull request's head that may be one of two commits (rule 12)", () => {
  test("and of which no push told waits, runs nothing, and is stale when Bitbucket never says which", async () => {
    pushAs(OURS, "feature");
    pushAs(TWIN, "other");
    const { webhooks } = opened();
    await record(webhooks);
    await expect(decide()).rejects.toMatchObject({
      code: "pull_request_head_not_found",
      retry: { afterMs: expect.any(Number) },
    });
    expect(await runs()).toEqual([]);
    await sweeps().worker.store.sql`UPDATE sluice.events SET received_at = ${LONG_AGO}`;
    await decide();
    expect((await reasons()).at(-1)).toBe("stale");
    expect(await runs()).toEqual([]);
  });

  test("runs the one that was pushed to its branch, when that is told", async () => {
    const pushed = pushAs(OURS, "feature");
    pushAs(TWIN, "other");
    await record(opened().webhooks);
    await expect(decide()).rejects.toMatchObject({ code: "pull_request_head_not_found" });
    await record(pushed.webhooks);
    await decide();
    expect(await runs()).toEqual([["proposed", OURS, "queued"]]);
  });

  test("is not taken for the one that was pushed to another branch, though only that was told", async () => {
    await tell(pushAs(TWIN, "other").webhooks);
    const pushed = pushAs(OURS, "feature");
    await record(opened().webhooks);
    await expect(decide()).rejects.toMatchObject({ code: "pull_request_head_not_found" });
    await record(pushed.webhooks);
    await decide();
    expect(await runs()).toEqual([
      ["proposed", TWIN, "queued"],
      ["proposed", OURS, "queued"],
    ]);
  });
});

describe("a push that tells twelve digits (rule 12)", () => {
  const told = (hash: string, branch: string) => {
    const [webhook] = pushAs(hash, branch).webhooks;
    return [{ ...webhook!, body: JSON.parse(JSON.stringify(webhook!.body).replaceAll(hash, PREFIX)) }];
  };

  test("of one commit runs that", async () => {
    await tell(told(OURS, "main"));
    expect(await runs()).toEqual([["tracked", OURS, "queued"]]);
  });

  test("of two waits and runs neither", async () => {
    pushAs(TWIN, "other");
    await record(told(OURS, "main"));
    await expect(decide()).rejects.toMatchObject({ code: "commit_not_found" });
    expect(await runs()).toEqual([]);
  });
});

describe("a comment on a head that may be one of two pushed commits (rules 12, 24)", () => {
  test.each(["feature", "other"])("deploys neither, when the other one was pushed to %s", async (branch) => {
    await sweeps().worker.store.sql`
      UPDATE sluice.targets SET deployers = ${JSON.stringify([carol.uuid])}::jsonb WHERE id = ${stack}`;
    if (branch === "other") await tell(pushAs(TWIN, "other", bob).webhooks);
    await tell(pushAs(OURS, "feature", bob).webhooks);
    const pull = opened();
    await tell([...pull.webhooks, ...pull.approve(carol).webhooks]);
    // What was approved is exchanged for something that looks the same in every report.
    const swapped =
      branch === "feature"
        ? repository().push({ branch, files: { a: TWIN }, hash: TWIN, force: true, by: bob }).webhooks
        : [];
    await tell(swapped);
    await record(pull.comment(carol, `/sluice deploy network-${sweeps().worker.integrationId()}`).webhooks);
    await decide();
    expect((await reasons()).at(-1)).toBe("command_refused");
    expect((await runs()).filter(([runType]) => runType === "tracked")).toEqual([]);
  });

  test("deploys no head of a fork that looks like an approved commit of ours (rule 21)", async () => {
    await sweeps().worker.store.sql`
      UPDATE sluice.targets SET deployers = ${JSON.stringify([carol.uuid])}::jsonb,
        allowed_fork_workspaces = '["grace"]'::jsonb
      WHERE id = ${stack}`;
    await tell(pushAs(OURS, "feature", bob).webhooks);
    const fork = bitbucket.fork(repository(), { workspace: "grace" });
    fork.push({ branch: "feature", files: { a: TWIN }, hash: TWIN, force: true });
    const pull = repository().openPullRequest({ title: "Wider", source: "feature", from: fork, author: bob });
    await tell([...pull.webhooks, ...pull.approve(carol).webhooks]);
    await tell(pull.comment(carol, `/sluice deploy network-${sweeps().worker.integrationId()}`).webhooks);
    expect((await reasons()).at(-1)).toBe("command_refused");
    expect((await runs()).filter(([runType]) => runType === "tracked")).toEqual([]);
  });
});
