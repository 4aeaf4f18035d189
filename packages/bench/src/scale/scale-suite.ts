/** What one push costs as its repository grows to ten thousand stacks, and what it costs those behind it. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  runRounds,
  selectSubjects,
  warmUpMs,
  type Bench,
  type Figures,
  type Subject,
  type SuiteReport,
} from "../bench.ts";
import { startRole } from "../child-process.ts";
import { cpuFigures, readCpuTime, type WatchedProcesses } from "../cpu-time.ts";
import { seedDatabase, withDatabase } from "../database.ts";
import { announceTriggers } from "../load/committed-triggers.ts";
import { prepareQueue, startWorker } from "../our-services.ts";
import type { BackendName } from "../options.ts";
import type { Resources } from "../resources.ts";
import { median, percentile } from "../statistics.ts";
import type { WebhookTemplate } from "../webhooks.ts";
import { CHANGED_FOLDER, type DiffstatServerInput } from "../worker/diffstat-server.ts";
import { assertDecided, seedLargeRepository } from "./large-database.ts";
import { countAffected, createChangedFiles, createTargets } from "./large-repository.ts";
import { readPeakMemoryMiB, resetPeakMemory } from "./peak-memory.ts";
import { openPushSender, type PushSender } from "./push-sender.ts";

type ScaleSubject = Subject & { readonly backend: BackendName; readonly targets: number };

const SIZES = [100, 1_000, 10_000] as const;
const MIN_LARGE_PUSHES = 3;
/** Others that are pushed to: each again after three seconds. */
const SMALL_REPOSITORIES = 63;
/** To other repositories: a quiet afternoon of a large company, and far from what the worker can do. */
const SMALL_PUSHES_PER_SECOND = 20;

const subjectName = (backend: BackendName, targets: number): string => `sluice-${backend}-${targets}-targets`;

function subjectsOf(backend: BackendName): readonly ScaleSubject[] {
  const place = backend === "redis" ? "Redis" : "Postgres";
  return SIZES.map((targets) => ({
    name: subjectName(backend, targets),
    description: `A repository with ${targets.toLocaleString("en-US")} stacks; our worker, queue on ${place}.`,
    backend,
    targets,
  }));
}

/** Measures all subjects. */
export async function runScaleSuite(bench: Bench): Promise<SuiteReport> {
  const { backends } = bench.options;
  const subjects = selectSubjects(backends.flatMap(subjectsOf), bench.options);
  const rounds = await runRounds(bench, "scale", subjects, (subject, own) => measure(bench, subject, own));
  return {
    suite: "scale",
    title: "One push for ten thousand targets: one worker process",
    subjects,
    columns: [
      { key: "pushMs", title: "ms/push", digits: 0 },
      { key: "slowestMs", title: "slowest", digits: 0 },
      { key: "cpuUnderTest", title: "CPU µs/decision", digits: 0 },
      { key: "cpuServers", title: "of Redis and Postgres", digits: 0 },
      { key: "peakMiB", title: "peak RSS MiB", digits: 0 },
      { key: "growthMiB", title: "more with large pushes", digits: 0 },
      { key: "laterMiB", title: "more later", digits: 0 },
      { key: "alone50", title: "small p50 ms alone", digits: 1 },
      { key: "alone99", title: "p99", digits: 1 },
      { key: "behind50", title: "small p50 ms behind", digits: 1 },
      { key: "behind99", title: "p99", digits: 1 },
    ],
    ratios: backends.map((backend) => ({
      title: backends.length === 1 ? "× 1,000 targets" : `× 1,000 targets on ${backend}`,
      key: "pushMs",
      to: subjectName(backend, 1_000),
    })),
    bars: backends.map((backend) => ({
      title: `10,000 targets take at most 12 × the time of 1,000 (${backend === "redis" ? "Redis" : "Postgres"})`,
      key: "pushMs",
      of: subjectName(backend, 10_000),
      to: subjectName(backend, 1_000),
      atMost: 12,
    })),
    ...rounds,
  };
}

/** Where pushes go, and what one to the large repository runs. */
interface Run {
  readonly databaseUrl: string;
  readonly sender: PushSender;
  readonly repositoryId: string;
  readonly large: WebhookTemplate;
  readonly affected: number;
  readonly small: readonly WebhookTemplate[];
  readonly workerPid: number;
  readonly watched: WatchedProcesses;
}

async function measure(bench: Bench, subject: ScaleSubject, resources: Resources): Promise<Figures> {
  const run = await startRun(bench, subject, resources);
  const durationMs = bench.options.seconds * 1_000;
  await sendSmall(run, warmUpMs(bench.options));
  const alone = await inPhase(run, () => sendSmall(run, durationMs));
  const large = await inPhase(run, () => sendLarge(run, durationMs));
  const both = await inPhase(run, () =>
    Promise.all([sendLarge(run, durationMs), sendSmall(run, durationMs)]),
  );
  const [, behind] = both.result;
  const { databaseUrl, repositoryId, affected, sender, small } = run;
  await assertDecided(databaseUrl, {
    repositoryId,
    largePushes: sender.sentOf(run.large),
    targets: subject.targets,
    affected,
    otherChanges: small.reduce((sum, template) => sum + sender.sentOf(template) * template.heads.length, 0),
  });
  return {
    pushMs: median(large.result),
    slowestMs: Math.max(...large.result),
    ...large.cpuOf(large.result.length * subject.targets),
    ...memoryFigures(alone.peakMiB, large.peakMiB, both.peakMiB),
    ...latencyFigures("alone", alone.result),
    ...latencyFigures("behind", behind),
  };
}

async function startRun(bench: Bench, subject: ScaleSubject, resources: Resources): Promise<Run> {
  const { servers, workplace } = bench;
  const [large, ...others] = bench.templates;
  const small = others.slice(0, SMALL_REPOSITORIES);
  if (large === undefined) throw new Error("there are no templates");
  const { repository } = large;
  const targets = createTargets(subject.targets);
  const files = createChangedFiles(subject.targets);
  const databaseUrl = await servers.createDatabase(resources);
  const seed = await seedDatabase(databaseUrl, { templates: small, projectRoot: CHANGED_FOLDER });
  const repositoryId = await seedLargeRepository(databaseUrl, { seed, repository, targets });
  await withDatabase(databaseUrl, announceTriggers);
  const { backend } = subject;
  const { queueUrl, serverPids } = await prepareQueue(bench, { backend, databaseUrl, resources });
  const diffstats: DiffstatServerInput = { repositoryUuid: repository.uuid, files };
  const bitbucket = await startRole("diffstat", diffstats, { workplace, resources, isUnderTest: false });
  const bitbucketUrl = String(bitbucket.ready);
  const worker = await startWorker(bench, { databaseUrl, queueUrl, seed, bitbucketUrl }, resources);
  const sender = await openPushSender({ databaseUrl, queueUrl, seed });
  resources.defer(() => sender.close());
  return {
    databaseUrl,
    sender,
    repositoryId,
    large,
    affected: countAffected(targets, files),
    small,
    workerPid: worker.pid,
    watched: { underTest: [worker.pid], servers: serverPids },
  };
}

interface Phase<R> {
  readonly result: R;
  /** Of the worker; null where it cannot be read. */
  readonly peakMiB: number | null;
  /** µs of CPU for each of so many decisions. */
  cpuOf(decisions: number): Figures;
}

async function inPhase<R>({ workerPid, watched }: Run, send: () => Promise<R>): Promise<Phase<R>> {
  resetPeakMemory(workerPid);
  const before = readCpuTime(watched);
  const result = await send();
  const after = readCpuTime(watched);
  return {
    result,
    peakMiB: readPeakMemoryMiB(workerPid),
    cpuOf: (decisions) => cpuFigures(before, after, decisions),
  };
}

/** One push to the large repository after the other, so that one is always under way. @returns ms of each */
async function sendLarge({ sender, large, affected }: Run, durationMs: number): Promise<number[]> {
  const endAt = performance.now() + durationMs;
  const latencies: number[] = [];
  while (latencies.length < MIN_LARGE_PUSHES || performance.now() < endAt) {
    latencies.push(await sender.send(large, affected));
  }
  return latencies;
}

/** Pushes to other repositories at fixed times, whatever becomes of them. @returns ms of each */
async function sendSmall({ sender, small }: Run, durationMs: number): Promise<number[]> {
  const intervalMs = 1_000 / SMALL_PUSHES_PER_SECOND;
  const startedAt = performance.now();
  const latencies: Promise<number>[] = [];
  for (let number = 0; number * intervalMs < durationMs; number += 1) {
    await sleep(Math.max(0, startedAt + number * intervalMs - performance.now()));
    const template = small[number % small.length];
    if (template === undefined) throw new Error("there are no other repositories");
    const latency = sender.send(template, template.heads.length);
    // It is awaited below, when all are sent.
    latency.catch(() => undefined);
    latencies.push(latency);
  }
  return Promise.all(latencies);
}

function latencyFigures(name: string, latencies: readonly number[]): Figures {
  const sorted = latencies.toSorted((a, b) => a - b);
  return { [`${name}50`]: percentile(sorted, 0.5), [`${name}99`]: percentile(sorted, 0.99) };
}

/** What large pushes add to the peak, and what as many again add to that: nothing, when memory is flat. */
function memoryFigures(small: number | null, large: number | null, later: number | null): Figures {
  if (small === null || large === null || later === null) return {};
  return { peakMiB: small, growthMiB: large - small, laterMiB: later - large };
}
