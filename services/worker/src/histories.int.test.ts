/**
 * Whole histories of a repository, told in any order, twice and late: in the end everything is as if it had been told in
 * order (rules 11, 13, 14, 22, 23, 26, 27).
 */
import { createBitbucketClient, type BitbucketClient } from "@sluice/bitbucket/client";
import { AppError } from "@sluice/domain/app-error";
import { createTestDatabase } from "@sluice/embedded/test-database";
import type { RawDelivery } from "@sluice/queue/delivery-codec";
import { deliveryId } from "@sluice/queue/delivery-id";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import type { PullRequest } from "@sluice/simulator/pull-request";
import type { Repository } from "@sluice/simulator/repository";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { type BitbucketServer, startBitbucketServer } from "@sluice/simulator/rest-server";
import { SimulatorError } from "@sluice/simulator/simulator-error";
import type { WebhookEvent } from "@sluice/simulator/webhook-delivery";
import { claimTriggers } from "@sluice/store/claims";
import { migrateStore } from "@sluice/store/migrate";
import { finishTrigger } from "@sluice/store/trigger-reports";
import fc from "fast-check";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import type { Pipeline } from "./pipeline.ts";
import { startTestPipeline, type TestPipeline } from "./test-pipeline.ts";

const bitbucket = createBitbucket({ seed: "histories" });
const bob = bitbucket.createUser("Bob");
let server: BitbucketServer;
let worker: TestPipeline;
let asking: Pipeline;
let made = 0;

beforeAll(async () => {
  server = await startBitbucketServer({ bitbucket });
  worker = await startTestPipeline(
    await createTestDatabase({ serverUrl: inject("postgresUrl"), migrate: migrateStore, key: "store" }),
  );
  asking = worker.newPipeline(worker.store, aClient());
});

afterAll(async () => {
  await server.close();
  await worker.close();
});

function aClient(): BitbucketClient {
  return createBitbucketClient({
    baseUrl: server.url,
    credential: { kind: "access_token", token: DEFAULT_CREDENTIALS[0]!.token },
    credentialId: "histories",
    budget: { take: () => Promise.resolve({ granted: true }), learn: () => Promise.resolve() },
    userAgent: "test",
  });
}

const FOLDERS = ["network", "database"] as const;
const BRANCHES = ["feature/a", "feature/b"] as const;

/** What somebody does in the repository; impossible ones do not happen. */
const act = fc.oneof(
  fc.record({ kind: fc.constant("push_main"), folder: fc.constantFrom(...FOLDERS) }),
  fc.record({
    kind: fc.constantFrom("push", "push", "amend", "open", "open"),
    branch: fc.constantFrom(...BRANCHES),
    folder: fc.constantFrom(...FOLDERS),
  }),
  fc.record({
    kind: fc.constantFrom("go_back", "approve", "edit", "comment", "merge", "decline", "delete"),
    branch: fc.constantFrom(...BRANCHES),
    closesBranch: fc.boolean(),
  }),
);
type Act = { kind: string; branch?: string; folder?: string; closesBranch?: boolean };

interface History {
  readonly repository: Repository;
  readonly webhooks: readonly WebhookEvent[];
}

/** Does it all in a new repository, and keeps what Bitbucket says of it. */
function play(acts: readonly Act[]): History {
  const repository = bitbucket.createRepository({
    workspace: "acme",
    slug: `history-${String((made += 1))}`,
  });
  const webhooks: WebhookEvent[] = [...repository.push({ files: { "README.md": "1" } }).webhooks];
  const pullRequests = new Map<string, PullRequest>();
  const heads = new Map<string, string[]>();
  for (const one of acts) {
    try {
      webhooks.push(...playOne(repository, one, pullRequests, heads));
    } catch (error) {
      if (!(error instanceof SimulatorError)) throw error;
    }
  }
  return { repository, webhooks };
}

function playOne(
  repository: Repository,
  { kind, branch = "main", folder = "network", closesBranch = false }: Act,
  pullRequests: Map<string, PullRequest>,
  heads: Map<string, string[]>,
): readonly WebhookEvent[] {
  const files = { [`${folder}/${String((made += 1))}.tf`]: String(made) };
  const pullRequest = pullRequests.get(branch);
  const moved = (result: { readonly hash: string; readonly webhooks: readonly WebhookEvent[] }) => {
    heads.set(branch, [...(heads.get(branch) ?? []), result.hash]);
    return result.webhooks;
  };
  switch (kind) {
    case "push_main":
      return repository.push({ files }).webhooks;
    case "push":
      return moved(repository.push({ branch, files }));
    case "amend":
      return moved(repository.push({ branch, files, force: true }));
    case "go_back": {
      const [earlier] = (heads.get(branch) ?? []).slice(-2);
      return earlier === undefined ? [] : moved(repository.push({ branch, from: earlier, force: true }));
    }
    case "open": {
      const isOpen = pullRequest?.state.state === "OPEN";
      if (isOpen) return [];
      const opened = repository.openPullRequest({ title: `Change ${branch}`, source: branch });
      pullRequests.set(branch, opened);
      return opened.webhooks;
    }
    case "approve":
      return pullRequest?.approve(bob).webhooks ?? [];
    case "edit":
      return pullRequest?.edit({ title: `Change ${String(made)}` }).webhooks ?? [];
    case "comment":
      return pullRequest?.comment(bob, "Looks good").webhooks ?? [];
    case "merge":
      return pullRequest?.merge({ closeSourceBranch: closesBranch }).webhooks ?? [];
    case "decline":
      return pullRequest?.decline().webhooks ?? [];
    default:
      return repository.deleteBranch(branch).webhooks;
  }
}

interface Told {
  readonly webhook: WebhookEvent;
  readonly requestId: string;
}

/**
 * Tells webhooks to a worker that knows nothing of the repository yet, and waits until everything is decided. `between`: what
 * happens after each, and again at the end.
 */
async function tell(
  history: History,
  order: readonly Told[],
  between: readonly (() => Promise<unknown>)[],
): Promise<object> {
  await worker.begin();
  const stacks = new Map<string, string>();
  for (const [name, projectRoot] of [
    ["all", ""],
    ["network", "network"],
    ["database", "database"],
  ] as const) {
    const repository = history.repository.fullName;
    stacks.set(await worker.aStack(name, { projectRoot, repository }), name);
  }
  for (const { webhook, requestId } of order) {
    await worker.handle([toDelivery(webhook, requestId)], asking);
    for (const happens of between) await happens();
  }
  await expect.poll(handlePending, { timeout: 60_000, interval: 100 }).toBe(0);
  for (const happens of between) await happens();
  return look(stacks);
}

/** A scheduler that runs each tracked trigger of this integration to its end as soon as it can have it. */
function aScheduler() {
  const claimed = new Map<string, string[]>();
  const run = async (): Promise<void> => {
    await worker.store.sql`
      UPDATE sluice.targets SET labels = ${JSON.stringify([worker.integrationId()])}::jsonb
      WHERE integration_id = ${worker.integrationId()} AND labels = '[]'`;
    const labels = [worker.integrationId()];
    const wanted = {
      limit: 50,
      leaseMs: 60_000,
      holder: "a scheduler",
      labels,
      runTypes: ["tracked"],
    } as const;
    for (;;) {
      const claims = await claimTriggers(worker.store, wanted);
      if (claims.length === 0) return;
      for (const { id, leaseToken } of claims) {
        const [row] = await worker.store.sql<{ name: string; commitSha: string }[]>`
          SELECT split_part(targets.name, '-', 1) AS name, commit_sha FROM sluice.triggers JOIN sluice.targets ON targets.id = target_id
          WHERE triggers.id = ${id}`;
        claimed.set(row!.name, [...(claimed.get(row!.name) ?? []), row!.commitSha]);
        await finishTrigger(worker.store, { id, leaseToken, result: "succeeded" });
      }
    }
  };
  return { claimed, run };
}

function toDelivery({ eventKey, body }: WebhookEvent, requestId: string): RawDelivery {
  return worker.aDelivery("", {
    requestId,
    id: deliveryId(worker.integrationId(), requestId),
    eventKey,
    hookId: "the one hook",
    body: Buffer.from(JSON.stringify(body)),
  });
}

/** @returns how many events wait for something. */
async function handlePending(): Promise<number> {
  const pending = await worker.store.sql<{ id: string }[]>`
    SELECT events.id FROM sluice.events JOIN sluice.deliveries ON deliveries.id = delivery_id
    WHERE integration_id = ${worker.integrationId()} AND decided_at IS NULL ORDER BY sequence`;
  let waiting = 0;
  for (const { id } of pending) {
    try {
      const run = { jobId: id, attempt: 1, enqueuedAt: new Date(), signal: new AbortController().signal };
      await asking.handleEvent({ payload: { v: 1, eventId: id }, ...run });
    } catch (error) {
      if (!(error instanceof AppError) || typeof error.retry !== "object") throw error;
      waiting += 1;
    }
  }
  return waiting;
}

async function look(stacks: ReadonlyMap<string, string>): Promise<object> {
  const integrationId = worker.integrationId();
  const branches = await worker.store.sql`
    SELECT name, head_sha FROM sluice.branches JOIN sluice.repositories ON repositories.id = repository_id
    WHERE integration_id = ${integrationId} ORDER BY name`;
  const pullRequests = await worker.store.sql`
    SELECT number, state, title, updated_on, left(source_sha, 12) AS head, reviews
    FROM sluice.pull_requests JOIN sluice.repositories ON repositories.id = repository_id
    WHERE integration_id = ${integrationId} ORDER BY number`;
  const triggers = await worker.store.sql<{ targetId: string; runType: string; commitSha: string }[]>`
    SELECT target_id, run_type, commit_sha FROM sluice.triggers
    WHERE target_id = ANY(${[...stacks.keys()]}::uuid[]) AND state IN ('blocked', 'queued')
    ORDER BY target_id, position, triggers.id`;
  const named = triggers.map(({ targetId, runType, commitSha }) => ({
    target: stacks.get(targetId) ?? "",
    runType,
    commitSha,
  }));
  const undecided = await worker.store.sql`
    SELECT events.id FROM sluice.events JOIN sluice.deliveries ON deliveries.id = delivery_id
    WHERE integration_id = ${integrationId}
      AND NOT EXISTS (SELECT FROM sluice.decisions WHERE event_id = events.id)`;
  return {
    branches,
    pullRequests,
    // Tracked ones in the order of claiming; proposed ones have none among each other.
    tracked: [...stacks.values()].toSorted().map((name) => ({
      name,
      commits: named
        .filter(({ target, runType }) => target === name && runType === "tracked")
        .map(({ commitSha }) => commitSha),
    })),
    proposed: named
      .filter(({ runType }) => runType === "proposed")
      .map(({ target, commitSha }) => `${target} ${commitSha}`)
      .toSorted(),
    undecided,
  };
}

interface Telling {
  readonly history: History;
  readonly told: readonly Told[];
  readonly shuffled: readonly Told[];
  readonly eventsBetween: boolean;
}

/** A history, what is told of it in order, and the same in another order, some of it twice. */
const telling: fc.Arbitrary<() => Telling> = fc
  .record({
    acts: fc.array(act, { minLength: 3, maxLength: 12 }),
    order: fc.infiniteStream(fc.integer({ min: 0, max: 1_000_000 })),
    twice: fc.array(fc.nat(), { maxLength: 3 }),
    eventsBetween: fc.boolean(),
  })
  .map(({ acts, order, twice, eventsBetween }) => () => {
    const history = play(acts);
    const told = history.webhooks.map((webhook, place) => ({
      webhook,
      requestId: `${history.repository.uuid} ${String(place)}`,
    }));
    const again = twice.map((place) => told[place % told.length]!);
    const shuffled = [...told, ...again]
      .map((one) => ({ one, key: order.next().value as number }))
      .toSorted((a, b) => a.key - b.key)
      .map(({ one }) => one);
    return { history, told, shuffled, eventsBetween };
  });

test(
  "any order, duplication and delay of a repository's deliveries ends in the state, the live triggers and the order of claiming of the ordered run (rule 14)",
  { timeout: 600_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(telling, async (begin) => {
        const { history, told, shuffled, eventsBetween } = begin();
        const inOrder = await tell(history, told, [handlePending]);
        expect(await tell(history, shuffled, eventsBetween ? [handlePending] : [])).toEqual(inOrder);
      }),
      { numRuns: 20, seed: 20_261_124, endOnFailure: true },
    );
  },
);

test(
  "with claims in between, no target is handed an older tracked commit after a newer one, nor one twice, and the newest that concerns it comes (rule 14)",
  { timeout: 600_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(telling, async (begin) => {
        const { history, told, shuffled } = begin();
        const ordered = aScheduler();
        await tell(history, told, [handlePending, ordered.run]);
        const scheduler = aScheduler();
        await tell(history, shuffled, [handlePending, scheduler.run]);
        expect([...scheduler.claimed.keys()].toSorted()).toEqual([...ordered.claimed.keys()].toSorted());
        for (const [target, commits] of scheduler.claimed) {
          const inTime = ordered.claimed.get(target) ?? [];
          expect(commits).toEqual(inTime.filter((sha) => commits.includes(sha)));
          expect(commits.at(-1)).toBe(inTime.at(-1));
        }
      }),
      { numRuns: 20, seed: 20_261_124, endOnFailure: true },
    );
  },
);
