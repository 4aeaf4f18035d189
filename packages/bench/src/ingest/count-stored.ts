/** How many different webhooks a server has stored: each has to be where it said it is. */
import { openQueueBackend, type OpenQueue } from "@sluice/queue/backend";
import { decodeDeliveries, deliveriesPayload } from "@sluice/queue/delivery-codec";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { deliveriesQueue } from "@sluice/queue/queues";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { withDatabase } from "../database.ts";
import { PEER_QUEUE } from "../peers/peer-job.ts";
import type { IngestSubject } from "./ingest-suite.ts";
import { PEER_STREAM } from "./peer-server.ts";

/** Jobs read at once: each holds up to a hundred bodies. */
const JOBS_PER_PAGE = 100;

interface Places {
  readonly databaseUrl: string;
  readonly queueUrl: string;
}

/** null = this subject stores nothing. */
export function countStored(
  subject: IngestSubject,
  { databaseUrl, queueUrl }: Places,
): Promise<number | null> {
  if (subject.kind === "ours") return countInOurQueue(queueUrl);
  switch (subject.peer) {
    case "nothing":
      return Promise.resolve(null);
    case "xadd":
      return withRedis(queueUrl, (redis) => redis.xlen(PEER_STREAM));
    case "bullmq":
      return withRedis(queueUrl, (redis) => countJobs(redis));
    case "postgres-transaction":
      return countDeliveries(databaseUrl);
  }
}

/** Decodes every job, and counts the request uuids. */
async function countInOurQueue(queueUrl: string): Promise<number> {
  const backend = openQueueBackend(parseQueueUrl(queueUrl));
  try {
    const opened = await backend.openQueue(deliveriesQueue.name);
    const requestIds = await readRequestIds(opened);
    await opened.close();
    return requestIds.size;
  } finally {
    await backend.close();
  }
}

async function readRequestIds({ queue }: OpenQueue): Promise<ReadonlySet<string>> {
  const requestIds = new Set<string>();
  for (let offset = 0; ; offset += JOBS_PER_PAGE) {
    const jobs = await queue.getWaiting(offset, offset + JOBS_PER_PAGE - 1);
    for (const { data } of jobs) {
      for (const delivery of await decodeDeliveries(deliveriesPayload.parse(data))) {
        requestIds.add(delivery.requestId);
      }
    }
    if (jobs.length < JOBS_PER_PAGE) return requestIds;
  }
}

async function countJobs(redis: Redis): Promise<number> {
  const queue = new Queue(PEER_QUEUE, { connection: redis });
  const count = await queue.getWaitingCount();
  await queue.close();
  return count;
}

function countDeliveries(databaseUrl: string): Promise<number> {
  return withDatabase(databaseUrl, async (sql) => {
    const [row] = await sql<{ count: number }[]>`
      SELECT count(*)::int AS count FROM sluice.deliveries
      JOIN sluice.delivery_bodies ON delivery_id = id
      WHERE EXISTS (SELECT FROM sluice.triggers JOIN sluice.events ON events.id = event_id WHERE events.delivery_id = deliveries.id)`;
    return row?.count ?? 0;
  });
}

async function withRedis<R>(url: string, ask: (redis: Redis) => Promise<R>): Promise<R> {
  const redis = new Redis(url, { maxRetriesPerRequest: null });
  try {
    return await ask(redis);
  } finally {
    redis.disconnect();
  }
}
