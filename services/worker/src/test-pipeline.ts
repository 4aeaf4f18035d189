import { randomUUID } from "node:crypto";

import type { BitbucketClient } from "@sluice/bitbucket/client";
import { AppError } from "@sluice/domain/app-error";
import { migrateQueueBackend, openQueueBackend, type QueueBackend } from "@sluice/queue/backend";
import { encodeDeliveries, type DeliveriesPayload, type RawDelivery } from "@sluice/queue/delivery-codec";
import { createProducer } from "@sluice/queue/producer";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { deliveriesQueue, eventsQueue } from "@sluice/queue/queues";
import { createLogger } from "@sluice/runtime/logger";
import { openStore, type Store } from "@sluice/store/client";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";

import { createPipeline, type Pipeline } from "./pipeline.ts";

/** A pipeline on a database of its own, for tests: deliveries and events go in by hand. */
export interface TestPipeline {
  readonly store: Store;
  readonly databaseUrl: string;
  readonly backend: QueueBackend;
  readonly pipeline: Pipeline;
  /** Milliseconds from receipt to trigger, as observed. */
  readonly latencies: readonly number[];
  /** Makes an integration, to which what follows belongs. */
  begin(): Promise<void>;
  readonly integrationId: () => string;
  /** Another worker, on the same or on another store. Without a client it must not ask Bitbucket anything. */
  newPipeline(store?: Store, client?: BitbucketClient, maxTriggersPerEvent?: number): Pipeline;
  /** Handles deliveries as one job. */
  handle(deliveries: readonly RawDelivery[], by?: Pipeline): Promise<void>;
  take(payload: DeliveriesPayload, by?: Pipeline): Promise<void>;
  /** Handles every event that waits for its decisions, the oldest first. */
  handleEvents(by?: Pipeline): Promise<void>;
  aStack(
    name: string,
    more?: { trackedBranch?: string; projectRoot?: string; repository?: string },
  ): Promise<string>;
  aDelivery(changes: readonly object[] | string, options?: Partial<RawDelivery>): RawDelivery;
  triggersOf(targetId: string): Promise<readonly Record<string, unknown>[]>;
  decisionsOf(deliveryId: string): Promise<readonly Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** One side of a change. */
export const ref = (name: string, hash: string, type = "branch") => ({ type, name, target: { hash } });

/** Takes over a database that `migrateStore` has brought up to date. */
export async function startTestPipeline(database: {
  readonly url: string;
  drop(): Promise<void>;
}): Promise<TestPipeline> {
  const store = openStore({ url: database.url, maxConnections: 8, applicationName: "test" });
  await migrateQueueBackend(parseQueueUrl(database.url));
  const backend = openQueueBackend(parseQueueUrl(database.url));
  const events = createProducer(backend, eventsQueue);
  const latencies: number[] = [];
  let integrationId = "";

  const newPipeline = (own = store, client?: BitbucketClient, maxTriggersPerEvent = 500): Pipeline =>
    createPipeline({
      store: own,
      logger: createLogger({ service: "test", level: "silent", format: "json" }),
      deliveries: createProducer(backend, deliveriesQueue),
      events,
      clientOf: () =>
        client === undefined
          ? Promise.reject(new AppError("not_expected", "this test must not call Bitbucket"))
          : Promise.resolve(client),
      observeLatencyMs: (latencyMs) => void latencies.push(latencyMs),
      maxTriggersPerEvent,
    });
  const pipeline = newPipeline();

  const take = (payload: DeliveriesPayload, by = pipeline): Promise<void> =>
    by.handleDeliveries({
      payload,
      jobId: "1",
      attempt: 1,
      enqueuedAt: new Date(),
      signal: new AbortController().signal,
    });

  return {
    store,
    databaseUrl: database.url,
    backend,
    pipeline,
    latencies,
    async begin() {
      integrationId = randomUUID();
      await insertIntegration(store, {
        id: integrationId,
        slug: `it-${integrationId}`,
        webhookSecretCiphertext: "not used here",
      });
    },
    integrationId: () => integrationId,
    newPipeline,
    take,
    async handleEvents(by = pipeline) {
      const waiting = await store.sql<{ id: string }[]>`
        SELECT events.id FROM sluice.events JOIN sluice.deliveries ON deliveries.id = delivery_id
        WHERE integration_id = ${integrationId} AND decided_at IS NULL ORDER BY sequence`;
      for (const { id } of waiting) {
        const run = { jobId: id, attempt: 1, enqueuedAt: new Date(), signal: new AbortController().signal };
        await by.handleEvent({ payload: { v: 1, eventId: id }, ...run });
      }
    },
    handle: async (deliveries, by) => take(await encodeDeliveries(deliveries), by),
    aStack: (name, more = {}) =>
      insertStack(store, {
        integrationId,
        repository: "acme/infra",
        name: `${name}-${integrationId}`,
        ...more,
      }),
    aDelivery: (changes, options = {}) => ({
      id: randomUUID(),
      integrationId,
      requestId: randomUUID(),
      hookId: null,
      eventKey: "repo:push",
      attempt: 1,
      secretVersion: "current",
      receivedAt: new Date().toISOString(),
      headers: {},
      body: Buffer.from(typeof changes === "string" ? changes : pushBody(changes)),
      ...options,
    }),
    triggersOf: (targetId) => store.sql`
      SELECT run_type, commit_sha, base_sha, ref_name, state, position FROM sluice.triggers
      WHERE target_id = ${targetId} ORDER BY position`,
    decisionsOf: (deliveryId) => store.sql`
      SELECT events.index, decisions.target_id, decisions.outcome, decisions.run_type, decisions.reason,
             decisions.evidence, decisions.trigger_id
      FROM sluice.decisions JOIN sluice.events ON events.id = decisions.event_id
      WHERE events.delivery_id = ${deliveryId} ORDER BY events.index`,
    async close() {
      await pipeline.drain();
      await events.close();
      await backend.close();
      await store.close();
      await database.drop();
    },
  };
}

function pushBody(changes: readonly object[]): string {
  return JSON.stringify({ repository: { uuid: "{4f5b}", full_name: "acme/infra" }, push: { changes } });
}
