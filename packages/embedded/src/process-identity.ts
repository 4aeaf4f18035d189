/** Tells whether a process that wrote its number down is still the same one: numbers are used again. */
import { readFileSync } from "node:fs";
import { isErrorCode } from "./error-code.ts";

/** A process and, where the system tells it, when it started: which boot, and clock ticks since then. null elsewhere. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string | null;
}

/** The identity of a running process; of one that does not run, `startTime` is null. */
export function identifyProcess(pid: number): ProcessIdentity {
  return { pid, startTime: readProcStat(pid)?.startTime ?? null };
}

/**
 * Whether that very process still runs. One that has ended and was not yet collected by its parent does not count: in a
 * container without an init nobody collects. Without /proc (macOS) any process with the same number counts.
 */
export function isProcessAlive({ pid, startTime }: ProcessIdentity): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it exists, and belongs to another user.
    if (!isErrorCode(error, "EPERM")) return false;
  }
  const now = readProcStat(pid);
  if (now === null) return true;
  return now.state !== "Z" && now.state !== "X" && (startTime === null || now.startTime === startTime);
}

/** Reads an identity that was saved as JSON. null when it is none. */
export function parseProcessIdentity(json: string): ProcessIdentity | null {
  try {
    const parsed: unknown = JSON.parse(json);
    if (typeof parsed !== "object" || parsed === null || !("pid" in parsed) || !("startTime" in parsed))
      return null;
    const { pid, startTime } = parsed;
    if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid <= 0) return null;
    return { pid, startTime: typeof startTime === "string" ? startTime : null };
  } catch {
    return null;
  }
}

/** Fields 3 and 22 of /proc/<pid>/stat (proc_pid_stat(5)). The second one may hold spaces, so count from its ")". */
function readProcStat(pid: number): { readonly state: string; readonly startTime: string } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, ticks] = [fields.at(0), fields.at(19)];
    if (state === undefined || ticks === undefined) return null;
    return { state, startTime: `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}/${ticks}` };
  } catch {
    return null;
  }
}
