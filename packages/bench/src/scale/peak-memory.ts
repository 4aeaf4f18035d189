/** The most memory that a process has had, as Linux counts it: no sample falls beside a short peak. */
import { readFileSync, writeFileSync } from "node:fs";

const KIB_PER_MIB = 1_024;
/** proc_pid_clear_refs(5): resets the peak to what the process has now. */
const RESET_PEAK = "5";

/** Forgets the peak so far. Without /proc nothing happens. */
export function resetPeakMemory(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, RESET_PEAK);
  } catch {
    // Not on this system: the peak is then not read either, or it is that of the whole life.
  }
}

/** The largest resident set since the last reset, in MiB; null where there is no /proc. */
export function readPeakMemoryMiB(pid: number): number | null {
  try {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kib === undefined ? null : Number(kib) / KIB_PER_MIB;
  } catch {
    return null;
  }
}
