/** Work that waits before a worker starts: the same webhooks for everybody, in the form in which each expects them. */
import { randomUUID } from "node:crypto";
import { deliveryId } from "@sluice/queue/delivery-id";
import { openQueueBackend } from "@sluice/queue/backend";
import { encodeDeliveries, type RawDelivery } from "@sluice/queue/delivery-codec";
import { createProducer } from "@sluice/queue/producer";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { deliveriesQueue } from "@sluice/queue/queues";
import { Queue } from "bullmq";
import { Logger, makeWorkerUtils } from "graphile-worker";
import { Redis } from "ioredis";
import PgBoss from "pg-boss";
import type { Seed } from "../database.ts";
import type { PeerDelivery } from "../peers/peer-delivery.ts";
import { jobOf, PEER_QUEUE, type PeerJob } from "../peers/peer-job.ts";
import { signVariant, type WebhookTemplate } from "../webhooks.ts";
import type { WorkerPeer } from "./peer-worker.ts";

/** What to make. */
export interface BacklogPlan {
  readonly templates: readonly WebhookTemplate[];
  readonly seed: Seed;
  readonly deliveries: number;
}

/** As many jobs as are stored in one call. */
const JOBS_PER_CALL = 200;
/** In the order of the webhooks, as one ingress stores them. */
const JOBS_ENCODED_AT_ONCE = 16;

/** Every webhook of a backlog, no two alike. */
function* webhooks({ templates, seed, deliveries }: BacklogPlan): Generator<PeerDelivery> {
  for (let number = 0; number < deliveries; number += 1) {
    const template = templates[number % templates.length];
    if (template === undefined) throw new Error("there are no templates");
    yield createDelivery(template, Math.floor(number / templates.length), seed);
  }
}

/** A push of a template that goes on from the one of the round before; `round` is from 0. */
export function createDelivery(template: WebhookTemplate, round: number, seed: Seed): PeerDelivery {
  return {
    integrationId: seed.integrationId,
    requestId: randomUUID(),
    hookId: "2c8a5b44-4f7e-4d7c-9d10-8f4b8f2f7a11",
    eventKey: "repo:push",
    attempt: 1,
    receivedAt: new Date().toISOString(),
    body: signVariant(template, { variant: round, after: round - 1 }, seed.secret).body,
  };
}

/** Refs that a backlog moves. */
export function countChanges({
  templates,
  deliveries,
}: Pick<BacklogPlan, "templates" | "deliveries">): number {
  let changes = 0;
  for (let number = 0; number < deliveries; number += 1) {
    changes += templates[number % templates.length]?.heads.length ?? 0;
  }
  return changes;
}

/** Jobs of `perJob` deliveries each, as the ingress makes them. */
export async function fillOurQueue(plan: BacklogPlan, queueUrl: string, perJob: number): Promise<void> {
  const backend = openQueueBackend(parseQueueUrl(queueUrl));
  const producer = createProducer(backend, deliveriesQueue);
  try {
    for (const groups of inBatches(inBatches(webhooks(plan), perJob), JOBS_ENCODED_AT_ONCE)) {
      const payloads = await Promise.all(groups.map((group) => encodeDeliveries(group.map(toRawDelivery))));
      await producer.addMany(payloads.map((payload) => ({ payload })));
    }
  } finally {
    await producer.close();
    await backend.close();
  }
}

/** One job for each webhook, in the peer's own queue. */
export async function fillPeerQueue(
  peer: WorkerPeer,
  plan: BacklogPlan,
  { redisUrl, databaseUrl }: { readonly redisUrl: string; readonly databaseUrl: string },
): Promise<void> {
  const queue = await openPeerQueue(peer, peer.startsWith("bullmq") ? redisUrl : databaseUrl);
  try {
    for (const batch of inBatches(webhooks(plan), JOBS_PER_CALL)) await queue.add(batch.map(jobOf));
  } finally {
    await queue.close();
  }
}

interface PeerQueue {
  add(jobs: readonly PeerJob[]): Promise<unknown>;
  close(): Promise<unknown>;
}

async function openPeerQueue(peer: WorkerPeer, url: string): Promise<PeerQueue> {
  switch (peer) {
    case "bullmq":
    case "bullmq-drizzle": {
      const connection = new Redis(url, { maxRetriesPerRequest: null });
      const queue = new Queue<PeerJob>(PEER_QUEUE, { connection });
      return {
        add: (jobs) =>
          queue.addBulk(jobs.map((data) => ({ name: "webhook", data, opts: { removeOnComplete: true } }))),
        close: async () => {
          await queue.close();
          connection.disconnect();
        },
      };
    }
    case "pg-boss": {
      const boss = new PgBoss({ connectionString: url, supervise: false, schedule: false });
      await boss.start();
      await boss.createQueue(PEER_QUEUE);
      return {
        add: (jobs) => boss.insert(jobs.map((data) => ({ name: PEER_QUEUE, data }))),
        close: () => boss.stop({ graceful: false, wait: true }),
      };
    }
    case "graphile-worker": {
      const logger = new Logger(() => () => undefined);
      const utils = await makeWorkerUtils({ connectionString: url, logger });
      await utils.migrate();
      return {
        add: (jobs) => utils.addJobs(jobs.map((payload) => ({ identifier: PEER_QUEUE, payload }))),
        close: async () => utils.release(),
      };
    }
  }
}

/** As the ingress puts it into a job. */
export function toRawDelivery({ body, ...facts }: PeerDelivery): RawDelivery {
  return {
    ...facts,
    id: deliveryId(facts.integrationId, facts.requestId),
    secretVersion: "current",
    headers: { "user-agent": "Bitbucket-Webhooks/2.0", "content-type": "application/json" },
    body,
  };
}

function* inBatches<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let batch: T[] = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
