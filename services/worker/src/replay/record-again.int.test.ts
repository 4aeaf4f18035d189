import { createTestDatabase } from "@sluice/embedded/test-database";
import { type Bitbucket, createBitbucket } from "@sluice/simulator/bitbucket";
import type { Repository } from "@sluice/simulator/repository";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { type BitbucketServer, startBitbucketServer } from "@sluice/simulator/rest-server";
import { migrateStore } from "@sluice/store/migrate";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { startTestReplay, type TestReplay } from "./test-replay.ts";

let replays: TestReplay;
let bitbucket: Bitbucket;
let server: BitbucketServer;
let repository: Repository;
let made = 0;

beforeAll(async () => {
  bitbucket = createBitbucket({ seed: "record-again" });
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
  repository = bitbucket.createRepository({ workspace: "acme", slug: `recorded-${String((made += 1))}` });
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

describe("a delivery that gave nothing to act on", () => {
  const failure = { code: "invalid_payload", path: "push", message: "an older release could not read it" };

  test("and is understood now is recorded as if it came now; its own time stays", async () => {
    const network = await aStack("network", "");
    const deliveryId = await replays.keepAs(aPush("network/a.tf"), { failure });
    const [before] = await replays.worker.store.sql`SELECT received_at FROM sluice.deliveries`;
    const rows = await replays.readRows();
    expect(await replays.replay(deliveryId)).toMatchObject({ hasChanges: true, isApplied: false });
    expect(await replays.readRows()).toEqual(rows);
    const report = await replays.replay(deliveryId, { apply: true });
    expect(report.events).toMatchObject([{ isNew: true, isWaiting: false }]);
    expect(kindsOf(report)).toEqual([["network", "triggered", "triggered"]]);
    expect(await statesOf(network)).toEqual(["tracked queued"]);
    const [after] = await replays.worker.store
      .sql`SELECT received_at, outcome, failure FROM sluice.deliveries`;
    expect(after).toEqual({ ...before, outcome: "events", failure: null });
    expect((await replays.replay(deliveryId, { apply: true })).hasChanges).toBe(false);
  });

  test("and of which Bitbucket is to be asked is left to a worker", async () => {
    const network = await aStack("network", "network");
    const deliveryId = await replays.keepAs(aPush("network/a.tf"), { failure });
    const report = await replays.replay(deliveryId, { apply: true });
    expect(report.events).toMatchObject([{ isNew: true, isWaiting: true, changes: [] }]);
    await replays.worker.handleEvents(replays.asking);
    expect(await statesOf(network)).toEqual(["tracked queued"]);
  });

  test("because its key was not known is recorded by what its key means now", async () => {
    await aStack("network", "");
    const webhook = aPush("network/a.tf");
    const events = [{ kind: "unsupported", eventKey: webhook.eventKey }] as const;
    const deliveryId = await replays.keepAs(webhook, { events });
    const report = await replays.replay(deliveryId, { apply: true });
    expect(kindsOf(report)).toEqual([["network", "triggered", "triggered"]]);
  });

  test("and still cannot be read stays as it is, and says why", async () => {
    const deliveryId = await replays.keepAs({ eventKey: "repo:push", body: { push: {} } }, { failure });
    const rows = await replays.readRows();
    const report = await replays.replay(deliveryId, { apply: true });
    expect(report).toMatchObject({ hasChanges: false, failure: { code: "invalid_payload" }, events: [] });
    expect(await replays.readRows()).toEqual(rows);
  });

  test("two replays at once record it once", async () => {
    const network = await aStack("network", "");
    const deliveryId = await replays.keepAs(aPush("network/a.tf"), { failure });
    const both = await Promise.allSettled([
      replays.replay(deliveryId, { apply: true }),
      replays.replay(deliveryId, { apply: true }),
    ]);
    // The second one has read the delivery before the first recorded it, and is refused; or after, and has nothing to do.
    const refused = both.filter(({ status }) => status === "rejected");
    expect(refused.length).toBeLessThan(2);
    for (const one of refused) expect(one).toMatchObject({ reason: { code: "delivery_changed" } });
    expect(await statesOf(network)).toEqual(["tracked queued"]);
  });

  test("because pull requests were not acted on is recorded and decided", async () => {
    const network = await aStack("network", "network");
    aPush("network/a.tf", "topic");
    const [webhook] = repository.openPullRequest({ source: "topic", title: "A new database" }).webhooks;
    if (webhook === undefined) throw new Error("the simulator sent nothing");
    const events = [{ kind: "unsupported", eventKey: webhook.eventKey }] as const;
    const deliveryId = await replays.keepAs(webhook, { events });
    const report = await replays.replay(deliveryId, { apply: true });
    expect(report.events).toMatchObject([{ event: { kind: "pull_request" }, isNew: true, isWaiting: true }]);
    await replays.worker.handleEvents(replays.asking);
    expect(await statesOf(network)).toEqual(["proposed queued"]);
    expect((await replays.replay(deliveryId, { apply: true })).hasChanges).toBe(false);
  });
});
