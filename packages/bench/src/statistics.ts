/** The few numbers that say what a series of measurements was. */

/** The middle of repeated runs and how far they were apart. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The middle value, or the mean of the two in the middle. @throws RangeError when there is none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new RangeError("there is no median of no values");
  return (lower + upper) / 2;
}

/** Median, smallest and largest. @throws RangeError when there is no value. */
export function summarise(values: readonly number[]): Summary {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * The smallest value that at least `share` (0 to 1) of the values do not exceed (nearest rank): always one that was
 * measured. `sorted` is ascending. 0 for no values.
 */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  const rank = Math.max(Math.ceil(share * sorted.length), 1);
  return sorted[rank - 1] ?? 0;
}

/**
 * How many times `of` is `to`, round by round: what disturbs a shared machine in one round disturbs both.
 * @throws RangeError when the series differ in length, or are empty.
 */
export function pairedRatio(of: readonly number[], to: readonly number[]): Summary {
  if (of.length !== to.length) throw new RangeError("a ratio needs both values of every round");
  return summarise(of.map((value, round) => value / (to[round] ?? Number.NaN)));
}

/** The beginning of a run, in which a process is still compiling its code and filling its batches. */
const SKIPPED_AT_START = 0.1;
/** The end of a run, in which the last jobs leave most of the concurrency unused. */
const SKIPPED_AT_END = 0.05;

/**
 * Events a second in the steady part of a run, from the time of each event in ms, ascending. Those of one instant (one
 * commit) are never torn apart: the count begins after an instant and ends with one. 0 where nothing can be said.
 */
export function steadyRate(timesMs: ArrayLike<number>): number {
  const first = timesMs[Math.floor(timesMs.length * SKIPPED_AT_START)];
  const last = timesMs[Math.ceil(timesMs.length * (1 - SKIPPED_AT_END)) - 1];
  if (first === undefined || last === undefined || last <= first) return 0;
  let events = 0;
  for (let index = 0; index < timesMs.length; index += 1) {
    const time = timesMs[index] ?? 0;
    if (time > first && time <= last) events += 1;
  }
  return (events * 1_000) / (last - first);
}
