import { createBitbucketClient, type BitbucketClient } from "@sluice/bitbucket/client";
import { AppError } from "@sluice/domain/app-error";
import { createLogger } from "@sluice/runtime/logger";
import { listSweepReports, requestSweeps, type SweepReport } from "@sluice/store/sweeps";

import type { Pipeline } from "../pipeline.ts";
import { startTestPipeline, type TestPipeline } from "../test-pipeline.ts";
import type { SweepOptions } from "./sweep-options.ts";
import { createSweep, type SweepSchedule } from "./sweep.ts";

/** The branch that stacks track. */
export const BRANCH = "main";

/** An event has to wait for another one. */
const WAITS: ReadonlySet<string> = new Set(["branch_unsettled", "merge_push_awaited"]);

/** A repository as Bitbucket names it. */
interface NamedRepository {
  readonly uuid: string;
  readonly fullName: string;
}

/** A webhook of any key; a body alone is that of a push. */
interface ToldEvent {
  readonly eventKey: string;
  readonly body: unknown;
}

/** A pipeline, and sweeps that ask a Bitbucket, for tests. */
export interface TestSweep {
  readonly worker: TestPipeline;
  /** Leaves what was there before alone, and makes an integration, to which what follows belongs. */
  begin(): Promise<void>;
  clientWith(budget: Parameters<typeof createBitbucketClient>[0]["budget"]): BitbucketClient;
  /** A sweep that does not wait for webhooks, and whose deliveries go through the pipeline at once. */
  aSweep(options?: Partial<SweepOptions & SweepSchedule>): () => Promise<void>;
  /** The pipeline that may ask Bitbucket. */
  readonly asking: Pipeline;
  /** Every repository is due, is swept, and what that found is decided. */
  sweepNow(sweep?: () => Promise<void>): Promise<void>;
  /** One webhook after another; what waits for a push that has still to come is tried again after the next one. */
  tell(...webhooks: readonly (string | ToldEvent)[]): Promise<void>;
  aStack(repository: NamedRepository, name?: string, more?: { trackedBranch?: string }): Promise<string>;
  commitsOf(stack: string): Promise<unknown[]>;
  /** Where we have a branch; undefined: nowhere, null: it is gone. */
  headOf(repository: NamedRepository, branch?: string): Promise<string | null | undefined>;
  /** What became of the pushes that sweeps found, the latest first. */
  listSwept(): Promise<readonly { deliveryId: string; reason: string; targetId: string | null }[]>;
  reportOf(repository: NamedRepository): Promise<SweepReport | undefined>;
  close(): Promise<void>;
}

/** Takes over a database that `migrateStore` has brought up to date. */
export async function startTestSweep(
  database: Parameters<typeof startTestPipeline>[0],
  api: { readonly url: string; readonly token: string },
): Promise<TestSweep> {
  const worker = await startTestPipeline(database);

  const clientWith: TestSweep["clientWith"] = (budget) =>
    createBitbucketClient({
      baseUrl: api.url,
      credential: { kind: "access_token", token: api.token },
      credentialId: worker.integrationId(),
      budget,
      userAgent: "test",
    });
  const client = clientWith({
    take: () => Promise.resolve({ granted: true }),
    learn: () => Promise.resolve(),
  });
  const asking = worker.newPipeline(worker.store, client);

  const aSweep: TestSweep["aSweep"] = (options = {}) =>
    createSweep({
      store: worker.store,
      logger: createLogger({ service: "test", level: "silent", format: "json" }),
      deliveries: { add: (payload) => worker.take(payload, asking).then(() => "1") },
      clientOf: () => Promise.resolve(client),
      deliveryAgeMs: () => Promise.resolve(null),
      intervalMs: 15 * 60_000,
      graceMs: 0,
      signal: new AbortController().signal,
      ...options,
    });

  const aWebhook = (told: string | ToldEvent) =>
    worker.aDelivery("", {
      eventKey: typeof told === "string" ? "repo:push" : told.eventKey,
      body: Buffer.from(typeof told === "string" ? told : JSON.stringify(told.body)),
      hookId: "the one hook",
      receivedAt: new Date(Date.now() - 10_000).toISOString(),
    });

  /** What has to wait for another event is tried again after it. */
  async function decideWaiting(): Promise<void> {
    const waiting = await worker.store.sql<{ id: string }[]>`
      SELECT events.id FROM sluice.events JOIN sluice.deliveries ON deliveries.id = delivery_id
      WHERE integration_id = ${worker.integrationId()} AND decided_at IS NULL ORDER BY sequence`;
    for (const { id } of waiting) {
      const run = { jobId: id, attempt: 1, enqueuedAt: new Date(), signal: new AbortController().signal };
      await asking.handleEvent({ payload: { v: 1, eventId: id }, ...run }).catch(throwUnlessItWaits);
    }
    await worker.handleEvents(asking);
  }

  return {
    worker,
    clientWith,
    aSweep,
    asking,
    async begin() {
      await worker.store.sql`TRUNCATE sluice.repository_sweeps`;
      await worker.store.sql`UPDATE sluice.targets SET removed_at = now() WHERE removed_at IS NULL`;
      await worker.begin();
    },
    async sweepNow(sweep = aSweep()) {
      await requestSweeps(worker.store, { repository: null, notSweptForMs: 0 });
      await sweep();
      await decideWaiting();
    },
    async tell(...webhooks) {
      for (const webhook of webhooks) {
        await worker.handle([aWebhook(webhook)], asking);
        await worker.handleEvents(asking).catch(throwUnlessItWaits);
      }
      await worker.handleEvents(asking);
    },
    aStack: (repository, name = "network", more = {}) =>
      worker.aStack(name, { repository: repository.fullName, ...more }),
    commitsOf: async (stack) => (await worker.triggersOf(stack)).map((trigger) => trigger["commitSha"]),
    async headOf(repository, branch = BRANCH) {
      const [row] = await worker.store.sql<{ headSha: string | null }[]>`
        SELECT head_sha FROM sluice.branches JOIN sluice.repositories ON repositories.id = repository_id
        WHERE integration_id = ${worker.integrationId()} AND uuid = ${repository.uuid} AND name = ${branch}`;
      return row?.headSha;
    },
    listSwept: async () => worker.store.sql<
      { deliveryId: string; reason: string; targetId: string | null }[]
    >`
      SELECT events.delivery_id, decisions.reason, decisions.target_id FROM sluice.decisions
      JOIN sluice.events ON events.id = event_id JOIN sluice.deliveries ON deliveries.id = delivery_id
      WHERE integration_id = ${worker.integrationId()} AND source = 'sweep'
      ORDER BY events.sequence DESC, decisions.target_id`,
    reportOf: async (repository) => (await listSweepReports(worker.store, repository.fullName))[0],
    async close() {
      await asking.drain();
      await worker.close();
    },
  };
}

function throwUnlessItWaits(error: unknown): void {
  if (!(error instanceof AppError) || !WAITS.has(error.code)) throw error;
}
