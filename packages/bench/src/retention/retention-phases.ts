/** Pushes without retention, beside it, and without it again. */
import { setTimeout as sleep } from "node:timers/promises";
import { warmUpMs, type Figures } from "../bench.ts";
import type { RoleProcess } from "../child-process.ts";
import type { Options } from "../options.ts";
import { readPeakMemoryMiB, resetPeakMemory } from "../scale/peak-memory.ts";
import { percentile } from "../statistics.ts";
import { watchLocks } from "./lock-waits.ts";
import type { PushRecorderQuestion, RecordedLap } from "./push-recorder.ts";
import type { RetentionJobReport } from "./retention-job.ts";

const ANSWER_TIMEOUT_MS = 60_000;
const JOB_TIMEOUT_MS = 3 * 60 * 60_000;

/** The processes under test, which are at work. */
export interface RetentionRun {
  readonly databaseUrl: string;
  /** Whose waits for locks count. */
  readonly applicationNames: readonly string[];
  readonly recorder: RoleProcess;
  readonly job: RoleProcess;
}

/** What all phases came to. */
export interface RetentionFigures {
  readonly quiet: Figures;
  readonly beside: Figures;
  /** Pushes that were recorded, in all phases. */
  readonly pushed: number;
  /** Rows, over all tables. */
  readonly deleted: number;
}

/** The job is asked twice: to delete what is old, and then, to see what it costs to find nothing. */
export async function measurePhases(
  run: RetentionRun,
  options: Pick<Options, "seconds">,
): Promise<RetentionFigures> {
  const { recorder, job } = run;
  await sleep(warmUpMs(options));
  const warmUp = await endLap(recorder, "lap");
  const quiet = (): Promise<unknown> => sleep(options.seconds * 1_000);
  const before = await inPhase(run, quiet);
  resetPeakMemory(job.pid);
  const restMiB = readPeakMemoryMiB(job.pid);
  const beside = await inPhase(run, () => askJob(job));
  const peakMiB = readPeakMemoryMiB(job.pid);
  const after = await inPhase(run, quiet);
  const again = await askJob(job);
  const last = await endLap(recorder, "last lap");
  const { result } = beside;
  return {
    quiet: {
      ...latencyFigures(joinLaps([before.lap, after.lap])),
      lockWaitMs: Math.max(before.lockWaitMs, after.lockWaitMs),
    },
    beside: {
      ...latencyFigures(beside.lap),
      lockWaitMs: beside.lockWaitMs,
      rowsPerSecond: (result.deleted * 1_000) / result.durationMs,
      jobSeconds: result.durationMs / 1_000,
      longestTransactionMs: result.longestTransactionMs,
      againSeconds: again.durationMs / 1_000,
      ...(restMiB === null || peakMiB === null ? {} : { peakMiB, growthMiB: peakMiB - restMiB }),
    },
    deleted: result.deleted,
    pushed: countPushes(joinLaps([warmUp, before.lap, beside.lap, after.lap, last])),
  };
}

interface Phase<R> {
  readonly result: R;
  readonly lap: RecordedLap;
  readonly lockWaitMs: number;
}

async function inPhase<R>(run: RetentionRun, work: () => Promise<R>): Promise<Phase<R>> {
  const locks = watchLocks(run.databaseUrl, run.applicationNames);
  try {
    const result = await work();
    return { result, lap: await endLap(run.recorder, "lap"), lockWaitMs: await locks.stop() };
  } finally {
    await locks.stop();
  }
}

async function endLap(recorder: RoleProcess, question: PushRecorderQuestion): Promise<RecordedLap> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the role `push-recorder` answers so
  return (await recorder.ask(question, ANSWER_TIMEOUT_MS)) as RecordedLap;
}

async function askJob(job: RoleProcess): Promise<RetentionJobReport> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the role `retention-job` answers so
  return (await job.ask("run", JOB_TIMEOUT_MS)) as RetentionJobReport;
}

function joinLaps(laps: readonly RecordedLap[]): RecordedLap {
  return {
    inOrderMs: laps.flatMap(({ inOrderMs }) => inOrderMs),
    lateMs: laps.flatMap(({ lateMs }) => lateMs),
  };
}

function countPushes({ inOrderMs, lateMs }: RecordedLap): number {
  return inOrderMs.length + lateMs.length;
}

/** Of all pushes, and of the late ones among them. */
function latencyFigures({ inOrderMs, lateMs }: RecordedLap): Figures {
  const all = [...inOrderMs, ...lateMs].toSorted((a, b) => a - b);
  const late = lateMs.toSorted((a, b) => a - b);
  return {
    p50: percentile(all, 0.5),
    p99: percentile(all, 0.99),
    late50: percentile(late, 0.5),
    late99: percentile(late, 0.99),
  };
}
