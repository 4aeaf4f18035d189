/**
 * The CPU time that processes use. On a machine with other work it says more than a rate: a process that has to wait for
 * a core does less a second, but needs about the same for each webhook.
 */
import { readdirSync, readFileSync } from "node:fs";

/** Processes to watch: those under test, and the servers behind them with all their children. */
export interface WatchedProcesses {
  readonly underTest: readonly number[];
  readonly servers: readonly number[];
}

/** CPU time of user and system code, in ms. */
export interface CpuTime {
  readonly underTestMs: number;
  readonly serversMs: number;
}

/** For the tables of every suite. */
export const CPU_COLUMNS = [
  { key: "cpuUnderTest", title: "CPU µs/webhook", digits: 0 },
  { key: "cpuServers", title: "of Redis and Postgres", digits: 0 },
] as const;

/** Linux counts in hundredths of a second (`getconf CLK_TCK`). */
const MS_PER_TICK = 10;

interface ProcessTime {
  readonly parent: number;
  readonly ms: number;
  /** Of children that have ended. */
  readonly childrenMs: number;
}

/** What the processes have used so far; null where there is no /proc. */
export function readCpuTime({ underTest, servers }: WatchedProcesses): CpuTime | null {
  const all = readAllProcesses();
  if (all === null) return null;
  const timeOf = (pid: number): number => all.get(pid)?.ms ?? 0;
  const withChildren = (pid: number): number => {
    const children = [...all.values()].filter(({ parent }) => parent === pid);
    return timeOf(pid) + (all.get(pid)?.childrenMs ?? 0) + sum(children.map(({ ms }) => ms));
  };
  return { underTestMs: sum(underTest.map(timeOf)), serversMs: sum(servers.map(withChildren)) };
}

/** Figures of a run: µs of CPU for each webhook, by the process under test and by Redis and Postgres together. */
export function cpuFigures(
  before: CpuTime | null,
  after: CpuTime | null,
  webhooks: number,
): Readonly<Record<string, number>> {
  if (before === null || after === null || webhooks === 0) return {};
  const each = (ms: number): number => (ms * 1_000) / webhooks;
  return {
    cpuUnderTest: each(after.underTestMs - before.underTestMs),
    cpuServers: each(after.serversMs - before.serversMs),
  };
}

function readAllProcesses(): ReadonlyMap<number, ProcessTime> | null {
  try {
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    return new Map(pids.flatMap((pid) => readProcess(pid)));
  } catch {
    return null;
  }
}

/** proc_pid_stat(5): after the name, which may hold anything, come state, parent … utime (14), stime, cutime, cstime. */
function readProcess(pid: string): [number, ProcessTime][] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    const ticks = (from: number): number => (fields[from] ?? 0) + (fields[from + 1] ?? 0);
    const time = { parent: fields[1] ?? 0, ms: ticks(11) * MS_PER_TICK, childrenMs: ticks(13) * MS_PER_TICK };
    return [[Number(pid), time]];
  } catch {
    // It has ended meanwhile.
    return [];
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
