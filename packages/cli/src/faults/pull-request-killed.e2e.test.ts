/**
 * A worker that dies, or is cut off from Postgres, anywhere on the way of a pull request's event: every event is decided
 * once, what is to run runs once, and is linked, as if nothing had happened (rules 9, 13, 22, 26, 27).
 */
import type { PullRequest } from "@sluice/simulator/pull-request";
import type { Repository } from "@sluice/simulator/repository";
import type { WebhookEvent } from "@sluice/simulator/webhook-delivery";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { ACCEPTED, WAIT } from "./expectations.ts";
import {
  createInstallation,
  listQueueChoices,
  startFaultServers,
  type FaultServers,
  type Installation,
} from "./installation.ts";
import { deliveryOf, sendWebhook, type WebhookDelivery } from "./push-delivery.ts";
import { pauseWrites, type PausePoint } from "./write-pause.ts";
import {
  countOpenJobs,
  countWritten,
  deliveriesOf,
  NO_OPEN_JOBS,
  readDecisions,
  readDeliveries,
  readTriggers,
} from "./written-rows.ts";

/** In the order in which a worker gets there: it records the event, then asks Bitbucket, then writes what that means. */
const POINTS: readonly PausePoint[] = [
  { after: "insert", table: "pull_requests" },
  { after: "insert", table: "triggers" },
  { after: "insert", table: "commit_pull_requests" },
  { after: "update of decided_at", table: "events" },
  { after: "update of state", table: "triggers" },
  { after: "commit", table: "commit_pull_requests" },
];

/** A sweep would tell of the head that the story has still to tell. */
const NO_SWEEP = { SWEEP_INTERVAL_MINUTES: "0" };

const nameOf = ({ after, table }: PausePoint) => `${after}-${table}`.replaceAll(/[ _]/g, "-");

/** What is told of a repository: before its event meets the fault, that event, and what comes after it. */
interface Story {
  readonly before: readonly WebhookDelivery[];
  readonly met: WebhookDelivery;
  readonly after: readonly WebhookDelivery[];
}

/** What differs between the queues is the subject of `killed-between-writes.e2e.test.ts`. */
const choice = (await listQueueChoices(inject("redisUrl"))).find(({ isSkipped }) => !isSkipped)!;

describe("a worker with pull requests is stopped in the middle", { timeout: 120_000 }, () => {
  let servers: FaultServers;
  let undisturbed: Installation;
  let disturbed: Installation;
  const stories = new Map<string, Story>();
  const sent: WebhookDelivery[] = [];
  let commits = 0;

  beforeAll(async () => {
    servers = await startFaultServers(choice);
    undisturbed = await createInstallation(servers);
    disturbed = await createInstallation(servers, undisturbed);
    for (const name of [...POINTS.map(nameOf), "asking", "cut-off"]) stories.set(name, await aStory(name));
  });

  afterAll(async () => {
    await disturbed.dispose();
    await undisturbed.dispose();
    await servers.dispose();
  });

  /** A pull request whose head moves, and whose pushes are told later than it: its own reports ask for the runs. */
  async function aStory(slug: string): Promise<Story> {
    for (const installation of [undisturbed, disturbed]) await installation.addStack(`acme/${slug}`, slug);
    const repository = undisturbed.bitbucket.createRepository({ workspace: "acme", slug });
    const main = pushesOf(push(repository, "main"));
    const first = pushesOf(push(repository, "feature"));
    const pull = repository.openPullRequest({ title: "Wider", source: "feature" });
    const second = push(repository, "feature");
    const [moved] = second.filter(({ eventKey }) => eventKey === "pullrequest:updated");
    return {
      before: [...main, ...pull.webhooks].map(deliveryOf),
      met: deliveryOf(moved!),
      after: [...first, ...pushesOf(second), ...approvalOf(pull)].map(deliveryOf),
    };
  }

  const push = (repository: Repository, branch: string) =>
    repository.push({ branch, files: { [`${branch}.tf`]: String((commits += 1)) } }).webhooks;
  const pushesOf = (webhooks: readonly WebhookEvent[]) =>
    webhooks.filter(({ eventKey }) => eventKey === "repo:push");
  const approvalOf = (pull: PullRequest) => pull.approve(undisturbed.bitbucket.createUser("Grace")).webhooks;

  /** Tells a part of every story, and waits until it is decided. */
  async function tell(
    installation: Installation,
    partOf: (story: Story) => readonly WebhookDelivery[],
  ): Promise<void> {
    const ingress = await installation.start("ingress");
    await installation.start("worker", NO_SWEEP);
    for (const story of stories.values()) {
      for (const delivery of partOf(story)) await send(installation, ingress, delivery);
    }
    await expectDecided(installation);
    await installation.killAll("ingress");
  }

  async function send(
    installation: Installation,
    ingress: Parameters<Installation["endpoint"]>[0],
    delivery: WebhookDelivery,
  ): Promise<void> {
    expect(await sendWebhook(installation.endpoint(ingress), delivery)).toEqual(ACCEPTED);
    if (installation === disturbed) sent.push(delivery);
  }

  async function expectDecided({ store, queues }: Installation): Promise<void> {
    await expect.poll(() => countOpenJobs(queues), WAIT).toEqual(NO_OPEN_JOBS);
    expect(await countWritten(store)).toMatchObject({ undecided: 0 });
  }

  /** Starts a worker, and tells the event that is to meet the fault. */
  async function tellMet(name: string) {
    const ingress = await disturbed.start("ingress");
    const worker = disturbed.launch("worker", NO_SWEEP);
    await send(disturbed, ingress, stories.get(name)!.met);
    return worker;
  }

  test("has made a run of each pull request's first head", async () => {
    await tell(disturbed, (story) => story.before);
    const triggers = await readTriggers(disturbed.store);
    expect(triggers.filter((line) => line.endsWith(" queued, push awaited, #1"))).toHaveLength(stories.size);
    await disturbed.killAll("worker");
  });

  test("killed while it asks Bitbucket", async () => {
    const mend = disturbed.bitbucketServer.injectFault("GET *acme*/commit/*", {
      kind: "slow",
      delayMs: 60_000,
    });
    disturbed.bitbucketServer.clearCalls();
    const worker = await tellMet("asking");
    await expect.poll(() => countActiveEvents(), WAIT).toBe(1);
    await worker.kill();
    mend();
  });

  async function countActiveEvents(): Promise<number> {
    const { active } = await countOpenJobs(disturbed.queues);
    const { undecided } = (await countWritten(disturbed.store)) ?? { undecided: 0 };
    return Math.min(active, undecided);
  }

  test.each(POINTS)("killed after the $after of $table", async (point) => {
    const pause = await pauseWrites(disturbed.databaseUrl, point);
    const worker = await tellMet(nameOf(point));
    await expect.poll(() => pause.isReached(), WAIT).toBe(true);
    await worker.kill();
    await pause.end();
  });

  test("cut off from Postgres between the links and the decisions: it stays, and does it again", async () => {
    const pause = await pauseWrites(disturbed.databaseUrl, {
      after: "insert",
      table: "commit_pull_requests",
    });
    const worker = await tellMet("cut-off");
    await expect.poll(() => pause.isReached(), WAIT).toBe(true);
    expect(await pause.cut()).toBeGreaterThan(0);
    await pause.end();
    await expectDecided(disturbed);
    expect(worker.hasEnded).toBe(false);
  });

  test("and in the end every delivery is recorded once, decided once and run once, as by one that nothing happened to", async () => {
    await tell(disturbed, (story) => story.after);
    await tell(undisturbed, (story) => story.before);
    await tell(undisturbed, (story) => [story.met]);
    await tell(undisturbed, (story) => story.after);
    expect(await readDeliveries(disturbed.store)).toEqual(deliveriesOf(sent));
    expect(await readDecisions(disturbed.store)).toEqual(await readDecisions(undisturbed.store));
    const triggers = await readTriggers(disturbed.store);
    expect(triggers).toEqual(await readTriggers(undisturbed.store));
    const states = [...stories.keys()].map((name) =>
      triggers.filter((line) => line.startsWith(`${name}: `)).map((line) => line.split(" ")[3]),
    );
    expect(states).toEqual(states.map(() => ["queued", "superseded,", "queued,"]));
  });
});
