import { createBitbucketClient, type BitbucketClient } from "@sluice/bitbucket/client";
import type { RawDelivery } from "@sluice/queue/delivery-codec";
import type { DeliveryFailure } from "@sluice/store/deliveries";
import type { Event } from "@sluice/domain/event";
import { withTransaction } from "@sluice/store/transaction";

import type { Pipeline } from "../pipeline.ts";
import { readDelivery } from "../record/read-delivery.ts";
import { writeDeliveries } from "../record/write-deliveries.ts";
import { startTestPipeline, type TestPipeline } from "../test-pipeline.ts";
import type { ReplayOptions } from "./decide-again.ts";
import { replayDelivery } from "./replay-delivery.ts";
import type { ReplayReport } from "./replay-report.ts";

/** A pipeline that asks a Bitbucket, and replays of what went through it: for tests. */
export interface TestReplay {
  readonly worker: TestPipeline;
  readonly asking: Pipeline;
  readonly client: BitbucketClient;
  /** Puts a webhook through, and decides its events. @returns the id of its delivery. */
  tell(webhook: Webhook): Promise<string>;
  /** Keeps a webhook as a release before this one did, which could not read it, or did not act on it. */
  keepAs(
    webhook: Webhook,
    read: { readonly failure: DeliveryFailure } | { readonly events: readonly Event[] },
  ): Promise<string>;
  replay(deliveryId: string, options?: Partial<ReplayOptions>): Promise<ReplayReport>;
  setRoot(targetId: string, projectRoot: string): Promise<void>;
  /** Every row of every table. */
  readRows(): Promise<unknown>;
  close(): Promise<void>;
}

/** As the simulator gives it. */
interface Webhook {
  readonly eventKey: string;
  readonly body: unknown;
}

/** Takes over a database that `migrateStore` has brought up to date. */
export async function startTestReplay(
  database: Parameters<typeof startTestPipeline>[0],
  api: { readonly url: string; readonly token: string },
): Promise<TestReplay> {
  const worker = await startTestPipeline(database);
  const client = createBitbucketClient({
    baseUrl: api.url,
    credential: { kind: "access_token", token: api.token },
    credentialId: "test",
    budget: { take: () => Promise.resolve({ granted: true }), learn: () => Promise.resolve() },
    userAgent: "test",
  });
  const asking = worker.newPipeline(worker.store, client);

  const toDelivery = ({ eventKey, body }: Webhook): RawDelivery =>
    worker.aDelivery("", { eventKey, body: Buffer.from(JSON.stringify(body)), hookId: "the one hook" });

  return {
    worker,
    asking,
    client,
    async tell(webhook) {
      const delivery = toDelivery(webhook);
      await worker.handle([delivery], asking);
      await worker.handleEvents(asking);
      return delivery.id;
    },
    async keepAs(webhook, read) {
      const delivery = toDelivery(webhook);
      const before = { ...readDelivery(delivery), events: [], failure: null, ...read };
      await withTransaction(worker.store, (tx) => writeDeliveries(tx, [before]));
      await worker.handleEvents(asking);
      return delivery.id;
    },
    replay: (deliveryId, options = {}) =>
      replayDelivery(deliveryId, {
        store: worker.store,
        clientOf: () => Promise.resolve(client),
        maxTriggersPerEvent: 500,
        apply: false,
        by: "ada",
        ...options,
      }),
    async setRoot(targetId, projectRoot) {
      await worker.store.sql`UPDATE sluice.targets SET project_root = ${projectRoot} WHERE id = ${targetId}`;
    },
    async readRows() {
      const tables = await worker.store.sql<{ name: string }[]>`
        SELECT tablename AS name FROM pg_tables WHERE schemaname = 'sluice' ORDER BY tablename`;
      const rows: Record<string, unknown> = {};
      for (const { name } of tables) {
        rows[name] = await worker.store.sql`
          SELECT to_jsonb(row)::text AS row FROM sluice.${worker.store.sql(name)} AS row ORDER BY 1`;
      }
      return rows;
    },
    async close() {
      await asking.drain();
      await worker.close();
    },
  };
}
