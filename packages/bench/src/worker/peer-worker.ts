/** Workers as others build them: one job for each webhook, one transaction for each job. */
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "bullmq";
import { Logger, run } from "graphile-worker";
import { Redis } from "ioredis";
import PgBoss from "pg-boss";
import { createDrizzleWriter } from "../peers/drizzle-writer.ts";
import { deliveryOf, PEER_QUEUE, type PeerJob } from "../peers/peer-job.ts";
import { createTransactionWriter, PEER_CONNECTIONS, type PeerWriter } from "../peers/transaction-writer.ts";
import type { RunningRole } from "../roles.ts";

/** A library for jobs, and how its jobs write. */
export type WorkerPeer = "bullmq" | "bullmq-drizzle" | "pg-boss" | "graphile-worker";

export interface PeerWorkerInput {
  readonly peer: WorkerPeer;
  readonly redisUrl: string;
  readonly databaseUrl: string;
}

/** Where a peer's throughput was flat: 10 to 200 made no difference to BullMQ. */
const CONCURRENCY = 50;
/** pg-boss asks again at the earliest after half a second, so it has to be given much at a time. */
const PG_BOSS = { batchSize: 500, pollingIntervalSeconds: 0.5 } as const;
const PG_BOSS_WORKERS = 2;
/** What graphile-worker's guide on performance leads to. */
const GRAPHILE = { localQueue: { size: 500 }, completeJobBatchDelay: 2, failJobBatchDelay: 2 } as const;

/** The role `worker-peer`. */
export async function startPeerWorker(input: PeerWorkerInput): Promise<RunningRole> {
  const writer =
    input.peer === "bullmq-drizzle"
      ? createDrizzleWriter(input.databaseUrl)
      : createTransactionWriter(input.databaseUrl);
  const stop = await startConsumer(input, writer);
  return {
    async close() {
      await Promise.race([stop(), sleep(5_000)]);
      await writer.close();
    },
  };
}

function startConsumer(input: PeerWorkerInput, writer: PeerWriter): Promise<() => Promise<unknown>> {
  const handle = (job: PeerJob): Promise<void> => writer.write(deliveryOf(job));
  switch (input.peer) {
    case "bullmq":
    case "bullmq-drizzle":
      return startBullmq(input.redisUrl, handle);
    case "pg-boss":
      return startPgBoss(input.databaseUrl, handle);
    case "graphile-worker":
      return startGraphile(input.databaseUrl, handle);
  }
}

type Handle = (job: PeerJob) => Promise<void>;

async function startBullmq(redisUrl: string, handle: Handle): Promise<() => Promise<unknown>> {
  const connection = new Redis(redisUrl, { maxRetriesPerRequest: null });
  const worker = new Worker<PeerJob, void>(PEER_QUEUE, ({ data }) => handle(data), {
    connection,
    concurrency: CONCURRENCY,
  });
  await worker.waitUntilReady();
  return async () => {
    await worker.close(true);
    connection.disconnect();
  };
}

async function startPgBoss(databaseUrl: string, handle: Handle): Promise<() => Promise<unknown>> {
  const boss = new PgBoss({ connectionString: databaseUrl, max: PEER_CONNECTIONS });
  await boss.start();
  for (let worker = 0; worker < PG_BOSS_WORKERS; worker += 1) {
    await boss.work<PeerJob>(PEER_QUEUE, PG_BOSS, async (jobs) => {
      await Promise.all(jobs.map(({ data }) => handle(data)));
    });
  }
  return () => boss.stop({ graceful: false, wait: false });
}

async function startGraphile(databaseUrl: string, handle: Handle): Promise<() => Promise<unknown>> {
  const runner = await run({
    connectionString: databaseUrl,
    maxPoolSize: PEER_CONNECTIONS,
    concurrency: CONCURRENCY,
    noHandleSignals: true,
    parsedCronItems: [],
    logger: new Logger(() => () => undefined),
    preset: { worker: GRAPHILE },
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only this benchmark adds jobs of this task
    taskList: { [PEER_QUEUE]: (payload) => handle(payload as PeerJob) },
  });
  return () => runner.stop();
}
