/** How many triggers a second one worker process commits, while enough work waits. */
import { setTimeout as sleep } from "node:timers/promises";
import { runRounds, selectSubjects, type Bench, type Figures, type SuiteReport } from "../bench.ts";
import { startRole, type RoleProcess } from "../child-process.ts";
import { CPU_COLUMNS, cpuFigures, readCpuTime, type CpuTime, type WatchedProcesses } from "../cpu-time.ts";
import { assertRows, countTriggers, listCommitTimes, seedDatabase, withDatabase } from "../database.ts";
import { prepareQueue, startWorker } from "../our-services.ts";
import type { BackendName } from "../options.ts";
import type { Resources } from "../resources.ts";
import { steadyRate } from "../statistics.ts";
import { countChanges, fillOurQueue, fillPeerQueue, type BacklogPlan } from "./backlog.ts";
import { CHANGED_FOLDER } from "./diffstat-server.ts";
import type { PeerWorkerInput, WorkerPeer } from "./peer-worker.ts";

/** One of ours, or one of the others. */
export type WorkerSubject = {
  readonly name: string;
  readonly description: string;
  /** How large a backlog is made, in deliveries for each second of the measurement. A guess: it decides no figure. */
  readonly backlogPerSecond: number;
} & (
  | {
      readonly kind: "ours";
      readonly backend: BackendName;
      readonly deliveriesPerJob: number;
      /** Whether each event has to be resolved with a call of Bitbucket. */
      readonly asksBitbucket: boolean;
    }
  | { readonly kind: "peer"; readonly peer: WorkerPeer }
);

/** About half of the connections of the ingest suite: what one job carries while the ingress is busy. */
const DELIVERIES_PER_JOB = 32;
const POLL_MS = 250;
/** A run may take so much longer than it was planned for. */
const PATIENCE = 5;
const PATIENCE_MS = 60_000;

function ourSubjects(backend: BackendName): readonly WorkerSubject[] {
  const ours = { kind: "ours", backend, deliveriesPerJob: DELIVERIES_PER_JOB, asksBitbucket: false } as const;
  const place = backend === "redis" ? "Redis" : "Postgres";
  return [
    {
      ...ours,
      name: `sluice-${backend}`,
      description: `Our worker, queue on ${place}, jobs of ${DELIVERIES_PER_JOB} deliveries, targets that need no changed files.`,
      backlogPerSecond: backend === "redis" ? 3_000 : 2_500,
    },
    {
      ...ours,
      name: `sluice-${backend}-singles`,
      description: "The same with jobs of one delivery, as they come at low load.",
      deliveriesPerJob: 1,
      backlogPerSecond: backend === "redis" ? 1_500 : 500,
    },
    {
      ...ours,
      name: `sluice-${backend}-diffstat`,
      description:
        "The same with jobs of 32 and targets with a project root: each event has a job of its own and asks a simulated Bitbucket on the loopback address for a diffstat.",
      asksBitbucket: true,
      backlogPerSecond: 250,
    },
  ];
}

const PEERS: readonly WorkerSubject[] = [
  {
    name: "bullmq-transaction",
    description: "A BullMQ job for each webhook, one transaction for each job, 50 jobs at once.",
    backlogPerSecond: 700,
    kind: "peer",
    peer: "bullmq",
  },
  {
    name: "bullmq-drizzle",
    description: "The same, the transaction written with Drizzle.",
    backlogPerSecond: 400,
    kind: "peer",
    peer: "bullmq-drizzle",
  },
  {
    name: "pg-boss",
    description:
      "pg-boss 10, batches of 500 in two workers (it asks twice a second), one transaction for each job.",
    backlogPerSecond: 500,
    kind: "peer",
    peer: "pg-boss",
  },
  {
    name: "graphile-worker",
    description:
      "graphile-worker 0.17 with a local queue of 500 and batched completion, one transaction for each job.",
    backlogPerSecond: 400,
    kind: "peer",
    peer: "graphile-worker",
  },
];

/** Measures all subjects. */
export async function runWorkerSuite(bench: Bench): Promise<SuiteReport> {
  const subjects = selectSubjects([...bench.options.backends.flatMap(ourSubjects), ...PEERS], bench.options);
  const rounds = await runRounds(bench, "worker", subjects, (subject, own) => measure(bench, subject, own));
  return {
    suite: "worker",
    title: "From a full queue to committed triggers: one worker process",
    subjects,
    columns: [
      { key: "triggersPerSecond", title: "triggers/s", digits: 0 },
      { key: "deliveriesPerSecond", title: "deliveries/s", digits: 0 },
      { key: "perCommit", title: "triggers/commit", digits: 1 },
      ...CPU_COLUMNS,
    ],
    ratios: [
      { title: "× transaction per job", key: "triggersPerSecond", to: "bullmq-transaction" },
      { title: "× Drizzle", key: "triggersPerSecond", to: "bullmq-drizzle" },
    ],
    bars: bench.options.backends.map((backend) => ({
      title: `ours on ${backend === "redis" ? "Redis" : "Postgres"} is at least 2 × one transaction per job`,
      key: "triggersPerSecond",
      of: `sluice-${backend}`,
      to: "bullmq-transaction",
      atLeast: 2,
    })),
    ...rounds,
  };
}

async function measure(bench: Bench, subject: WorkerSubject, resources: Resources): Promise<Figures> {
  const { servers, templates, options } = bench;
  const databaseUrl = await servers.createDatabase(resources);
  const asksBitbucket = subject.kind === "ours" && subject.asksBitbucket;
  const seed = await seedDatabase(databaseUrl, {
    templates,
    projectRoot: asksBitbucket ? CHANGED_FOLDER : "",
  });
  const backend = subject.kind === "ours" ? subject.backend : "redis";
  const { queueUrl, serverPids } = await prepareQueue(bench, { backend, databaseUrl, resources });
  const plan = { templates, seed, deliveries: subject.backlogPerSecond * options.seconds };
  await fillQueue(subject, plan, { queueUrl, databaseUrl });
  const bitbucketUrl = asksBitbucket ? await startBitbucket(bench, resources) : null;
  const worker =
    subject.kind === "ours"
      ? await startWorker(bench, { databaseUrl, queueUrl, seed, bitbucketUrl }, resources)
      : await startPeer(bench, { peer: subject.peer, redisUrl: queueUrl, databaseUrl }, resources);
  const triggers = countChanges(plan);
  const cpu = await watchUntilDone({
    databaseUrl,
    triggers,
    deliveries: plan.deliveries,
    deadline: Date.now() + options.seconds * 1_000 * PATIENCE + PATIENCE_MS,
    watched: { underTest: [worker.pid], servers: serverPids },
  });
  await assertRows(databaseUrl, { deliveries: plan.deliveries, events: triggers });
  const commits = await listCommitTimes(databaseUrl);
  const triggersPerSecond = steadyRate(commits);
  return {
    triggersPerSecond,
    deliveriesPerSecond: (triggersPerSecond * plan.deliveries) / triggers,
    perCommit: triggers / new Set(commits).size,
    ...cpu,
  };
}

function fillQueue(
  subject: WorkerSubject,
  plan: BacklogPlan,
  { queueUrl, databaseUrl }: { readonly queueUrl: string; readonly databaseUrl: string },
): Promise<void> {
  return subject.kind === "ours"
    ? fillOurQueue(plan, queueUrl, subject.deliveriesPerJob)
    : fillPeerQueue(subject.peer, plan, { redisUrl: queueUrl, databaseUrl });
}

async function startBitbucket(bench: Bench, resources: Resources): Promise<string> {
  const options = { workplace: bench.workplace, resources, isUnderTest: false };
  return String((await startRole("diffstat", null, options)).ready);
}

/** Starts a peer's worker. */
export function startPeer(bench: Bench, input: PeerWorkerInput, resources: Resources): Promise<RoleProcess> {
  return startRole("worker-peer", input, { workplace: bench.workplace, resources, isUnderTest: false });
}

interface Watch {
  readonly databaseUrl: string;
  readonly triggers: number;
  readonly deliveries: number;
  /** In ms since 1970. */
  readonly deadline: number;
  readonly watched: WatchedProcesses;
}

/** Until then a process is compiling its code. */
const STARTED_AT_SHARE = 0.1;

/**
 * Waits for every trigger. @returns the CPU figures from when a tenth of them was there.
 * @throws Error when they are not all there in time
 */
async function watchUntilDone(watch: Watch): Promise<Figures> {
  const { databaseUrl, triggers, deliveries, deadline, watched } = watch;
  return withDatabase(databaseUrl, async (sql) => {
    let started: { readonly triggers: number; readonly cpu: CpuTime | null } | null = null;
    for (;;) {
      const found = await countTriggers(sql);
      if (found >= triggers * STARTED_AT_SHARE) started ??= { triggers: found, cpu: readCpuTime(watched) };
      if (started !== null && found >= triggers) {
        const webhooks = (deliveries * (found - started.triggers)) / triggers;
        return cpuFigures(started.cpu, readCpuTime(watched), webhooks);
      }
      if (Date.now() > deadline)
        throw new Error(`the run is void: ${found} of ${triggers} triggers came in time`);
      await sleep(POLL_MS);
    }
  });
}
