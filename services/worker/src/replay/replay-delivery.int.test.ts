import { randomUUID } from "node:crypto";

import { createTestDatabase } from "@sluice/embedded/test-database";
import { type Bitbucket, createBitbucket } from "@sluice/simulator/bitbucket";
import type { Repository } from "@sluice/simulator/repository";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { type BitbucketServer, startBitbucketServer } from "@sluice/simulator/rest-server";
import { claimTriggers } from "@sluice/store/claims";
import { cancelTrigger } from "@sluice/store/trigger-interventions";
import { migrateStore } from "@sluice/store/migrate";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { resolveHeldEvent } from "../write/resolve-held.ts";
import { startTestReplay, type TestReplay } from "./test-replay.ts";

let replays: TestReplay;
let bitbucket: Bitbucket;
let server: BitbucketServer;
let repository: Repository;
let made = 0;

beforeAll(async () => {
  bitbucket = createBitbucket({ seed: "replay" });
  server = await startBitbucketServer({ bitbucket });
  replays = await startTestReplay(
    await createTestDatabase({ serverUrl: inject("postgresUrl"), migrate: migrateStore, key: "store" }),
    { url: server.url, token: DEFAULT_CREDENTIALS[0]!.token },
  );
});

afterAll(async () => {
  await server.close();
  await replays.close();
});

beforeEach(async () => {
  await replays.worker.store.sql`TRUNCATE sluice.integrations CASCADE`;
  await replays.worker.begin();
  repository = bitbucket.createRepository({ workspace: "acme", slug: `replayed-${String((made += 1))}` });
  repository.push({ branch: "main", files: { "README.md": "1" } });
});

const aStack = (name: string, projectRoot: string) =>
  replays.worker.aStack(name, { repository: repository.fullName, projectRoot });

/** A push of a commit that changes this file. @returns its webhook. */
function aPush(path: string, branch = "main") {
  const [webhook] = repository.push({ branch, files: { [path]: String((made += 1)) } }).webhooks;
  if (webhook === undefined) throw new Error("the simulator sent nothing");
  return webhook;
}

const kindsOf = ({ events }: Awaited<ReturnType<TestReplay["replay"]>>) =>
  events.flatMap(({ changes }) =>
    changes.map(({ target, kind, after }) => [target?.name.split("-")[0] ?? null, kind, after.reason]),
  );
/** `tracked queued` and the like. */
const statesOf = async (targetId: string) =>
  (await replays.worker.triggersOf(targetId))
    .map(({ runType, state }) => `${String(runType)} ${String(state)}`)
    .toSorted();

describe("a delivery whose events are what they were", () => {
  test("changes nothing while its targets are what they were, and leaves every row alone when it is applied", async () => {
    await aStack("network", "network");
    await aStack("ledger", "ledger");
    await replays.tell(aPush("network/a.tf"));
    const deliveryId = await replays.tell(aPush("network/a.tf"));
    const rows = await replays.readRows();
    const report = await replays.replay(deliveryId, { apply: true });
    expect(report).toMatchObject({ hasChanges: false, isApplied: false, otherTriggers: [] });
    expect(kindsOf(report)).toEqual([
      ["ledger", "unchanged", "outside_project_root"],
      ["network", "unchanged", "triggered"],
    ]);
    expect(await replays.readRows()).toEqual(rows);
  });

  test("is a dry run unless it is applied: what would change is told, and no row is written", async () => {
    const network = await aStack("network", "network");
    const ledger = await aStack("ledger", "ledger");
    const deliveryId = await replays.tell(aPush("network/a.tf"));
    await replays.setRoot(network, "elsewhere");
    await replays.setRoot(ledger, "network");
    const rows = await replays.readRows();
    const report = await replays.replay(deliveryId);
    expect(report).toMatchObject({ hasChanges: true, isApplied: false });
    expect(kindsOf(report)).toEqual([
      ["ledger", "triggered", "triggered"],
      ["network", "ended", "outside_project_root"],
    ]);
    expect(await replays.readRows()).toEqual(rows);
  });

  test("applied, makes and cancels as it was told, says who did so, and the second time nothing", async () => {
    const network = await aStack("network", "network");
    const ledger = await aStack("ledger", "ledger");
    const deliveryId = await replays.tell(aPush("network/a.tf"));
    await replays.setRoot(network, "elsewhere");
    await replays.setRoot(ledger, "network");
    const report = await replays.replay(deliveryId, { apply: true });
    expect(report).toMatchObject({ hasChanges: true, isApplied: true });
    expect(await statesOf(ledger)).toEqual(["tracked queued"]);
    expect(await statesOf(network)).toEqual(["tracked canceled"]);
    const ended = report.events[0]?.changes.find(({ kind }) => kind === "ended")?.ended;
    expect(ended?.history.at(-1)).toMatchObject({
      state: "canceled",
      actor: "ada",
      note: "replayed: its delivery does not trigger it any more",
    });
    const rows = await replays.readRows();
    expect((await replays.replay(deliveryId, { apply: true })).hasChanges).toBe(false);
    expect(await replays.readRows()).toEqual(rows);
  });

  test("what a replay canceled comes back by another one, and not what a person canceled", async () => {
    const network = await aStack("network", "network");
    const deliveryId = await replays.tell(aPush("network/a.tf"));
    await replays.setRoot(network, "elsewhere");
    await replays.replay(deliveryId, { apply: true });
    await replays.setRoot(network, "network");
    const report = await replays.replay(deliveryId, { apply: true });
    expect(kindsOf(report)).toEqual([["network", "triggered", "triggered"]]);
    expect(await statesOf(network)).toEqual(["tracked queued"]);
    const trigger = report.events[0]?.changes[0]?.trigger;
    expect(trigger).toMatchObject({ message: null, cancelRequested: false });
    expect(trigger?.history.map(({ state, actor }) => `${state} ${actor}`)).toEqual([
      "queued worker",
      "canceled ada",
      "queued ada",
    ]);
    await cancelTrigger(replays.worker.store, { id: trigger?.id ?? "", by: "grace" });
    expect((await replays.replay(deliveryId, { apply: true })).hasChanges).toBe(false);
    expect(await statesOf(network)).toEqual(["tracked canceled"]);
  });

  test("what a replay canceled does not come back behind a newer commit that was handed out (rule 14)", async () => {
    const network = await aStack("network", "network");
    const deliveryId = await replays.tell(aPush("network/a.tf"));
    await replays.setRoot(network, "elsewhere");
    await replays.replay(deliveryId, { apply: true });
    await replays.setRoot(network, "network");
    await replays.tell(aPush("network/b.tf"));
    await claimTriggers(replays.worker.store, { limit: 1, leaseMs: 60_000, holder: "runner-7" });
    await replays.replay(deliveryId, { apply: true });
    expect(await statesOf(network)).toEqual(["tracked canceled", "tracked claimed"]);
  });

  test("what a scheduler has had is not undone: its decision stays, and what it would be is told", async () => {
    const network = await aStack("network", "network");
    const deliveryId = await replays.tell(aPush("network/a.tf"));
    await claimTriggers(replays.worker.store, { limit: 1, leaseMs: 60_000, holder: "runner-7" });
    await replays.setRoot(network, "elsewhere");
    const rows = await replays.readRows();
    const report = await replays.replay(deliveryId, { apply: true });
    expect(report.hasChanges).toBe(false);
    expect(kindsOf(report)).toEqual([["network", "outlived", "outside_project_root"]]);
    expect(await replays.readRows()).toEqual(rows);
  });

  test("another branch to track turns a tracked run that waits into a proposed one", async () => {
    const network = await aStack("network", "network");
    const deliveryId = await replays.tell(aPush("network/a.tf"));
    await replays.worker.store.sql`UPDATE sluice.targets SET tracked_branch = 'live' WHERE id = ${network}`;
    const report = await replays.replay(deliveryId, { apply: true });
    expect(kindsOf(report)).toEqual([["network", "triggered", "triggered"]]);
    expect(report.events[0]?.changes[0]?.ended?.state).toBe("canceled");
    expect(await statesOf(network)).toEqual(["proposed queued", "tracked canceled"]);
  });

  test("a newer commit that was handed out is not rolled back: the run that would be new is stale (rule 14)", async () => {
    const network = await aStack("network", "elsewhere");
    const deliveryId = await replays.tell(aPush("network/a.tf"));
    await replays.setRoot(network, "");
    await replays.tell(aPush("network/b.tf"));
    await claimTriggers(replays.worker.store, { limit: 1, leaseMs: 60_000, holder: "runner-7" });
    const report = await replays.replay(deliveryId, { apply: true });
    expect(kindsOf(report)).toEqual([["network", "reason", "stale"]]);
    expect(await statesOf(network)).toEqual(["tracked claimed"]);
  });

  test("a target that came after the push is triggered by it, in the place of the push (rule 29)", async () => {
    const deliveryId = await replays.tell(aPush("network/a.tf"));
    const network = await aStack("network", "");
    await replays.worker.store
      .sql`UPDATE sluice.targets SET repository_id = (SELECT repository_id FROM sluice.events LIMIT 1)`;
    const report = await replays.replay(deliveryId, { apply: true });
    expect(report.events[0]?.changes).toMatchObject([
      { kind: "triggered", before: { reason: "no_target" }, after: { reason: "triggered" } },
    ]);
    expect(await statesOf(network)).toEqual(["tracked queued"]);
  });

  test("a run that is superseded by the new one is told (rule 27)", async () => {
    const network = await aStack("network", "network");
    aPush("network/0.tf", "topic");
    await replays.tell(aPush("network/a.tf", "topic"));
    await replays.setRoot(network, "elsewhere");
    const deliveryId = await replays.tell(aPush("network/b.tf", "topic"));
    await replays.setRoot(network, "network");
    const report = await replays.replay(deliveryId, { apply: true });
    expect(report.otherTriggers).toMatchObject([{ before: "queued", after: null, isAskedToStop: false }]);
    expect(await statesOf(network)).toEqual(["proposed queued", "proposed superseded"]);
  });

  test("what a person settled stays settled (rule 17)", async () => {
    const network = await aStack("network", "network");
    const webhook = aPush("network/a.tf");
    const end = server.injectFault("GET *diffstat*", { kind: "status", status: 404 });
    const deliveryId = await replays.tell(webhook);
    end();
    const [held] = await replays.worker.decisionsOf(deliveryId);
    expect(held?.["outcome"]).toBe("hold");
    const [event] = await replays.worker.store.sql<{ id: string }[]>`SELECT id FROM sluice.events`;
    const choice = { kind: "none" } as const;
    await resolveHeldEvent(replays.worker.store, { eventId: event?.id ?? "", choice, by: "grace" });
    const report = await replays.replay(deliveryId, { apply: true });
    expect(kindsOf(report)).toEqual([["network", "unchanged", "outside_project_root"]]);
    expect(await statesOf(network)).toEqual([]);
  });

  test("what is held until Bitbucket knows the files again runs then", async () => {
    const network = await aStack("network", "network");
    const webhook = aPush("network/a.tf");
    const end = server.injectFault("GET *diffstat*", { kind: "status", status: 404 });
    const deliveryId = await replays.tell(webhook);
    end();
    const report = await replays.replay(deliveryId, { apply: true });
    expect(kindsOf(report)).toEqual([["network", "triggered", "triggered"]]);
    expect(await statesOf(network)).toEqual(["tracked queued"]);
  });

  test("two replays at once make one trigger", async () => {
    const network = await aStack("network", "elsewhere");
    const deliveryId = await replays.tell(aPush("network/a.tf"));
    await replays.setRoot(network, "network");
    const both = await Promise.all([
      replays.replay(deliveryId, { apply: true }),
      replays.replay(deliveryId, { apply: true }),
    ]);
    expect(both.filter(({ isApplied }) => isApplied)).toHaveLength(1);
    expect(await statesOf(network)).toEqual(["tracked queued"]);
  });
});

test("beside a worker that records and hands out, the run takes its place, and none is made twice (rule 29)", async () => {
  const network = await aStack("network", "elsewhere");
  const deliveryId = await replays.tell(aPush("network/a.tf"));
  await replays.setRoot(network, "");
  await Promise.all([
    replays.replay(deliveryId, { apply: true }),
    replays.tell(aPush("network/b.tf")),
    replays.replay(deliveryId, { apply: true }),
  ]);
  const rows = await replays.worker.triggersOf(network);
  expect(rows).toMatchObject([
    { runType: "tracked", state: "queued" },
    { runType: "tracked", state: "queued", commitSha: repository.head("main") },
  ]);
});

describe("a pull request event", () => {
  /** @returns the webhooks of the push to its branch and of its opening. */
  function openPullRequest() {
    const push = aPush("network/a.tf", "topic");
    const opened = repository.openPullRequest({ source: "topic", title: "A new database" });
    const [webhook] = opened.webhooks;
    if (webhook === undefined) throw new Error("the simulator sent nothing");
    return { push, opened, webhook };
  }

  test("and the push of its commit, in either order, are what they were (rules 14, 26)", async () => {
    for (const isPushFirst of [true, false]) {
      repository = bitbucket.createRepository({ workspace: "acme", slug: `told-${String((made += 1))}` });
      repository.push({ branch: "main", files: { "README.md": "1" } });
      const stack = await replays.worker.aStack(`network-${String(made)}`, {
        repository: repository.fullName,
        projectRoot: "network",
      });
      const { push, webhook } = openPullRequest();
      const told = isPushFirst ? [push, webhook] : [webhook, push];
      const ids: string[] = [];
      for (const one of told) ids.push(await replays.tell(one));
      const rows = await replays.readRows();
      for (const id of ids) {
        expect(await replays.replay(id, { apply: true })).toMatchObject({ hasChanges: false });
      }
      expect(await replays.readRows()).toEqual(rows);
      expect(await statesOf(stack)).toEqual(["proposed queued"]);
    }
  });

  test("whose head Bitbucket does not know any more is brought up to date by no dry run (rule 13)", async () => {
    const network = await aStack("network", "elsewhere");
    const { webhook } = openPullRequest();
    const deliveryId = await replays.tell(webhook);
    await replays.setRoot(network, "");
    const rows = await replays.readRows();
    const end = server.injectFault("GET *commit/*", { kind: "status", status: 404 });
    await expect(replays.replay(deliveryId)).rejects.toMatchObject({ code: "pull_request_behind" });
    end();
    expect(await replays.readRows()).toEqual(rows);
    expect(kindsOf(await replays.replay(deliveryId))).toEqual([["network", "triggered", "triggered"]]);
  });

  test("whose run ended with the pull request keeps its decision, and is told to be closed by now (rule 22)", async () => {
    const network = await aStack("network", "network");
    const { opened, webhook } = openPullRequest();
    const deliveryId = await replays.tell(webhook);
    const [declined] = opened.decline().webhooks;
    if (declined !== undefined) await replays.tell(declined);
    expect(await statesOf(network)).toEqual(["proposed canceled"]);
    const report = await replays.replay(deliveryId, { apply: true });
    expect(kindsOf(report)).toEqual([["network", "outlived", "closed"]]);
    expect(report.hasChanges).toBe(false);
  });
});

describe("what cannot be replayed says why, and what to do", () => {
  test("a delivery that is not there", async () => {
    await expect(replays.replay(randomUUID())).rejects.toMatchObject({ code: "delivery_unknown" });
  });

  test("a delivery whose bytes are gone", async () => {
    const deliveryId = await replays.tell(aPush("network/a.tf"));
    await replays.worker.store.sql`DELETE FROM sluice.delivery_bodies`;
    await expect(replays.replay(deliveryId)).rejects.toMatchObject({
      code: "delivery_body_gone",
      message: expect.stringContaining("SLUICE_RETENTION_RAW_DAYS") as string,
    });
  });

  test("an event that is still being decided", async () => {
    await aStack("network", "network");
    const body = Buffer.from(JSON.stringify(aPush("network/a.tf").body));
    const delivery = replays.worker.aDelivery("", { body });
    await replays.worker.handle([delivery], replays.asking);
    await expect(replays.replay(delivery.id)).rejects.toMatchObject({
      code: "event_undecided",
      message: expect.stringMatching(/^it is still being decided: `sluice explain /) as string,
    });
  });

  test("a delivery that is read otherwise than when its events moved branches", async () => {
    const deliveryId = await replays.tell(aPush("network/a.tf"));
    await replays.worker.store.sql`UPDATE sluice.events SET ref_name = 'another'`;
    await expect(replays.replay(deliveryId)).rejects.toMatchObject({ code: "delivery_read_otherwise" });
  });
});
