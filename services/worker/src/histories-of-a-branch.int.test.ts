/** The pushes of a branch, told in whatever order: the same triggers in the same order (rule 14). */
import { createBitbucketClient } from "@sluice/bitbucket/client";
import { AppError } from "@sluice/domain/app-error";
import { createTestDatabase } from "@sluice/embedded/test-database";
import { type Bitbucket, createBitbucket } from "@sluice/simulator/bitbucket";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { type BitbucketServer, startBitbucketServer } from "@sluice/simulator/rest-server";
import { claimTriggers } from "@sluice/store/claims";
import { migrateStore } from "@sluice/store/migrate";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import type { Pipeline } from "./pipeline.ts";
import { startTestPipeline, type TestPipeline } from "./test-pipeline.ts";

let worker: TestPipeline;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  worker = await startTestPipeline(
    await createTestDatabase({ serverUrl, migrate: migrateStore, key: "store" }),
  );
});

afterAll(() => worker.close());

beforeEach(() => worker.begin());

const handle: TestPipeline["handle"] = (...args) => worker.handle(...args);
const aDelivery: TestPipeline["aDelivery"] = (...args) => worker.aDelivery(...args);
const aStack: TestPipeline["aStack"] = (...args) => worker.aStack(...args);
const triggersOf: TestPipeline["triggersOf"] = (...args) => worker.triggersOf(...args);

describe("the pushes of a branch, in whatever order they are told (rule 14)", () => {
  let server: BitbucketServer;
  let bitbucket: Bitbucket;
  let asking: Pipeline;
  let repositories = 0;

  beforeAll(async () => {
    bitbucket = createBitbucket({ seed: "late pushes" });
    server = await startBitbucketServer({ bitbucket });
    const client = createBitbucketClient({
      baseUrl: server.url,
      credential: { kind: "access_token", token: DEFAULT_CREDENTIALS[0]?.token ?? "" },
      credentialId: "one",
      budget: { take: () => Promise.resolve({ granted: true }), learn: () => Promise.resolve() },
      userAgent: "test",
    });
    asking = worker.newPipeline(worker.store, client);
  });

  afterAll(() => server.close());

  /** What is done to the branch: its commits are numbered as they are made. */
  type Step = { readonly to: "new" } | { readonly to: number } | { readonly to: "gone" };

  /** Does the steps in a repository of its own, and tells nobody. */
  function play(steps: readonly Step[]) {
    const name = `order-${String((repositories += 1))}`;
    const repository = bitbucket.createRepository({ workspace: "acme", slug: name });
    repository.push({ files: { "README.md": "1" } });
    const made: string[] = [];
    const bodies: string[] = [];
    const heads: (string | null)[] = [];
    for (const { to } of steps) {
      const branch = "release";
      const { webhooks } =
        to === "gone"
          ? repository.deleteBranch(branch)
          : to === "new"
            ? repository.push({ branch, files: { "main.tf": String(made.length) } })
            : repository.push({ branch, from: made[to] ?? "", force: true });
      if (to === "new") made.push(repository.head(branch));
      heads.push(to === "gone" ? null : repository.head(branch));
      bodies.push(JSON.stringify(webhooks[0]?.body));
    }
    return {
      fullName: repository.fullName,
      bodies,
      commits: heads.flatMap((head) => head ?? []),
      head: heads.at(-1) ?? null,
    };
  }

  const tell = (body: string) =>
    aDelivery("", {
      body: Buffer.from(body),
      hookId: "the one hook",
      receivedAt: new Date(Date.now() - 10_000).toISOString(),
    });

  /** What waits for a push that has still to come is tried again after the next one. */
  async function handleInTurn(bodies: readonly string[]): Promise<void> {
    for (const body of bodies) {
      await handle([tell(body)], asking);
      await worker.handleEvents(asking).catch((error: unknown) => {
        if (!(error instanceof AppError) || error.code !== "branch_unsettled") throw error;
      });
    }
    // Those that were decided anew in the last turn.
    await worker.handleEvents(asking);
  }

  const queuedOf = async (stack: string) =>
    (await triggersOf(stack)).flatMap(({ commitSha, state }) => (state === "queued" ? [commitSha] : []));

  const HISTORIES: Record<string, readonly Step[]> = {
    "four commits": [{ to: "new" }, { to: "new" }, { to: "new" }, { to: "new" }],
    "there, back, and there again": [{ to: "new" }, { to: "new" }, { to: 0 }, { to: 1 }],
    "deleted, and made again": [{ to: "new" }, { to: "new" }, { to: "gone" }, { to: "new" }],
  };

  test.each(Object.entries(HISTORIES))("%s: the same triggers in the same order", async (_, steps) => {
    for (const order of permutationsOf([0, 1, 2, 3])) {
      await worker.begin();
      const { fullName, bodies, commits } = play(steps);
      const stack = await aStack("network", { trackedBranch: "release", repository: fullName });
      await handleInTurn(order.map((place) => bodies[place] ?? ""));
      expect(await queuedOf(stack), `told as ${order.join(", ")}`).toEqual(commits);
    }
  });

  describe("of one that nobody tracks", () => {
    const headOf = async () =>
      (
        await worker.store.sql<{ headSha: string | null }[]>`
          SELECT head_sha FROM sluice.branches JOIN sluice.repositories ON repositories.id = repository_id
          WHERE integration_id = ${worker.integrationId()}`
      )[0]?.headSha;

    /** Tells of a branch, and of nothing else: each order in a repository of its own. */
    async function tellUntracked(steps: readonly Step[], order: readonly number[]) {
      await worker.begin();
      const { fullName, bodies, head } = play(steps);
      const stack = await aStack("network", { repository: fullName });
      server.clearCalls();
      await handleInTurn(order.map((place) => bodies[place] ?? ""));
      return { stack, head };
    }

    test.each<[string, readonly Step[]]>([
      ["deleted and made again at the same commit", [{ to: "new" }, { to: "gone" }, { to: 0 }]],
      ["the same after another push", [{ to: "new" }, { to: "new" }, { to: "gone" }, { to: 1 }]],
      ["the same, gone on from", [{ to: "new" }, { to: "gone" }, { to: 0 }, { to: "new" }]],
      ["the same, and deleted again", [{ to: "new" }, { to: "gone" }, { to: 0 }, { to: "gone" }]],
    ])("%s: it stands where Bitbucket has it, and what is there runs (rules 14, 23)", async (_, steps) => {
      for (const order of permutationsOf([...steps.keys()])) {
        const { stack, head } = await tellUntracked(steps, order);
        expect(await headOf(), `told as ${order.join(", ")}`).toBe(head);
        expect(await queuedOf(stack), `told as ${order.join(", ")}`).toEqual(head === null ? [] : [head]);
      }
    });

    const CALLS_FOR_HEAD = "GET */refs/branches/*";

    test.each<[string, readonly Step[]]>([
      ["made, pushed to and deleted", [{ to: "new" }, { to: "new" }, { to: "gone" }]],
      ["deleted twice", [{ to: "new" }, { to: "gone" }, { to: "new" }, { to: "gone" }]],
    ])("%s, in order: Bitbucket is not asked where it is", async (_, steps) => {
      await tellUntracked(steps, [...steps.keys()]);
      expect(await headOf()).toBeNull();
      expect(server.countCalls(CALLS_FOR_HEAD)).toBe(0);
    });

    test("told twice by one hook and deleted once: Bitbucket is asked once, and says that it is gone (rule 23)", async () => {
      const { stack } = await tellUntracked([{ to: "new" }, { to: "gone" }], [0, 0, 1]);
      expect(await headOf()).toBeNull();
      expect(await queuedOf(stack)).toEqual([]);
      expect(server.countCalls(CALLS_FOR_HEAD)).toBe(1);
    });
  });

  test.each(permutationsOf([0, 1, 2]))(
    "told as %i, %i, %i with a claim after each: never an older commit after a newer one",
    async (...order) => {
      const { fullName, bodies, commits } = play([{ to: "new" }, { to: "new" }, { to: "new" }]);
      const stack = await aStack("network", { trackedBranch: "release", repository: fullName });
      const claimed: string[] = [];
      for (const place of order) {
        await handleInTurn([bodies[place] ?? ""]);
        const rows = await worker.store.sql<{ commitSha: string }[]>`
          UPDATE sluice.triggers SET state = 'succeeded', attempt = 1
          WHERE id = (
            SELECT id FROM sluice.triggers WHERE target_id = ${stack} AND state = 'queued' ORDER BY position LIMIT 1
          ) RETURNING commit_sha`;
        claimed.push(...rows.map(({ commitSha }) => commitSha));
      }
      const places = claimed.map((sha) => commits.indexOf(sha));
      expect(places).toEqual(places.toSorted((a, b) => a - b));
      expect(places.at(-1)).toBe(2);
      expect(await queuedOf(stack)).toEqual([]);
    },
  );

  test("a push that Bitbucket's head does not end with waits, and is decided when the missing one has come", async () => {
    const { fullName, bodies, commits } = play([{ to: "new" }, { to: "new" }, { to: "new" }, { to: "new" }]);
    const stack = await aStack("network", { trackedBranch: "release", repository: fullName });
    for (const place of [2, 0]) await handle([tell(bodies[place] ?? "")], asking);
    await expect(worker.handleEvents(asking)).rejects.toMatchObject({
      code: "branch_unsettled",
      retry: { afterMs: 5_000 },
    });
    await handleInTurn([bodies[3] ?? ""]);
    expect(await queuedOf(stack)).toEqual([commits[0], commits[2], commits[3]]);
    await handleInTurn([bodies[1] ?? ""]);
    expect(await queuedOf(stack)).toEqual(commits);
  });

  describe("one that was missing decides what waited for it, as it is recorded itself", () => {
    const FOUR: readonly Step[] = [{ to: "new" }, { to: "new" }, { to: "new" }, { to: "new" }];

    /** Tells of the first push and of the third, which then waits for the second. */
    async function tellWithGap(more: { readonly projectRoot?: string } = {}) {
      const { fullName, bodies, commits } = play(FOUR);
      const stack = await aStack("network", { trackedBranch: "release", repository: fullName, ...more });
      for (const place of [0, 2]) await handle([tell(bodies[place] ?? "")]);
      return { stack, commits, waiting: await waitingEvents(), late: bodies[1] ?? "", last: bodies[3] ?? "" };
    }

    const waitingEvents = async () =>
      worker.store.sql<{ id: string }[]>`
        SELECT events.id FROM sluice.events JOIN sluice.deliveries ON deliveries.id = delivery_id
        WHERE integration_id = ${worker.integrationId()} AND decided_at IS NULL`;

    const runJob = (eventId: string, by?: Pipeline) =>
      (by ?? worker.pipeline).handleEvent({
        payload: { v: 1, eventId },
        jobId: eventId,
        attempt: 1,
        enqueuedAt: new Date(),
        signal: new AbortController().signal,
      });

    /** Claims and finishes what there is of the stack, one after the other. */
    async function claimAll(stack: string): Promise<string[]> {
      const claimed: string[] = [];
      for (;;) {
        const claims = await claimTriggers(worker.store, { limit: 100, leaseMs: 60_000, holder: "test" });
        const rows = await worker.store.sql<{ commitSha: string }[]>`
          UPDATE sluice.triggers SET state = 'succeeded'
          WHERE id = ANY(${claims.map(({ id }) => id)}::uuid[]) AND target_id = ${stack} RETURNING commit_sha`;
        if (rows.length === 0) return claimed;
        claimed.push(...rows.map(({ commitSha }) => commitSha));
      }
    }

    test("and claims come in the order of the commits", async () => {
      const { stack, commits, waiting, late } = await tellWithGap();
      expect(waiting).toHaveLength(1);
      const before = worker.latencies.length;
      await handle([tell(late)]);
      expect(await waitingEvents()).toEqual([]);
      expect(worker.latencies.length - before).toBe(2);
      expect(await claimAll(stack)).toEqual(commits.slice(0, 3));
    });

    test("also in one job with the push that goes on from there", async () => {
      const { stack, commits, late, last } = await tellWithGap();
      await handle([tell(last), tell(late)]);
      expect(await waitingEvents()).toEqual([]);
      expect(await claimAll(stack)).toEqual(commits);
    });

    test("and the job that the other has finds it decided", async () => {
      const { stack, commits, waiting, late } = await tellWithGap();
      await handle([tell(late)]);
      for (const { id } of waiting) await runJob(id);
      expect(await queuedOf(stack)).toEqual(commits.slice(0, 3));
    });

    test("or that job has decided it, where the two meet: once in any case", async () => {
      const { stack, commits, waiting, late } = await tellWithGap();
      const [recorded] = await Promise.allSettled([
        handle([tell(late)]),
        ...waiting.map(({ id }) => runJob(id, asking)),
      ]);
      expect(recorded).toMatchObject({ status: "fulfilled" });
      await worker.handleEvents(asking);
      expect(await queuedOf(stack)).toEqual(commits.slice(0, 3));
    });

    test("unless Bitbucket has to be asked for its files: its job decides it", async () => {
      const { stack, commits, waiting, late } = await tellWithGap({ projectRoot: "main.tf" });
      expect(waiting).toHaveLength(2);
      await handle([tell(late)]);
      expect(await waitingEvents()).toHaveLength(3);
      await worker.handleEvents(asking);
      expect(await queuedOf(stack)).toEqual(commits.slice(0, 3));
    });

    test("only where no other one is missing", async () => {
      const { fullName, bodies, commits } = play([...FOUR, { to: "new" }]);
      const stack = await aStack("network", { trackedBranch: "release", repository: fullName });
      for (const place of [0, 2, 4]) await handle([tell(bodies[place] ?? "")]);
      await handle([tell(bodies[1] ?? "")]);
      expect(await queuedOf(stack)).toEqual([commits[0]]);
      await handle([tell(bodies[3] ?? "")]);
      expect(await queuedOf(stack)).toEqual(commits);
    });
  });

  test("a push that never comes is waited for two minutes, not for ever", async () => {
    const { fullName, bodies, commits } = play([{ to: "new" }, { to: "new" }, { to: "new" }, { to: "new" }]);
    const stack = await aStack("network", { trackedBranch: "release", repository: fullName });
    const long = { receivedAt: new Date(Date.now() - 121_000).toISOString(), hookId: "the one hook" };
    for (const place of [2, 0]) {
      await handle([aDelivery("", { ...long, body: Buffer.from(bodies[place] ?? "") })], asking);
    }
    await worker.handleEvents(asking);
    expect(await queuedOf(stack)).toEqual([commits[0], commits[2]]);
  });
});

function permutationsOf(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) =>
    permutationsOf(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
  );
}
