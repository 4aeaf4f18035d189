/** What became of the requests of a load. */
import { percentile } from "../statistics.ts";
import type { PreparedRequest } from "./requests.ts";

/** In ms. */
export interface Latencies {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface LoadResult {
  /** Answered 202, warm-up included: so many have to be stored. */
  readonly accepted: number;
  /** Refs that the accepted ones move. */
  readonly acceptedChanges: number;
  /** Anything but a 202, by status; "error" is a connection that broke. Empty in a valid run. */
  readonly failures: Readonly<Record<string, number>>;
  /** Accepted webhooks whose triggers were not all seen in the end. 0 in a valid run. */
  readonly unseen: number;
  readonly acceptedPerSecond: number;
  readonly http: Latencies;
  /** Webhooks whose triggers were all committed; null when nobody listens for triggers. */
  readonly committedPerSecond: number | null;
  /** From when the request was due until its last trigger could be seen in Postgres. */
  readonly untilTrigger: Latencies | null;
}

/** The part of a run that counts, in ms of `performance.now()`. */
export interface LoadWindow {
  readonly from: number;
  readonly to: number;
  /** Whether a webhook is finished only when its triggers were seen. */
  readonly waitsForTriggers: boolean;
}

/** Takes down what happens. Latencies belong to the window in which a request was due, rates to that of the answer. */
export interface LoadLog {
  /** Webhooks without all of their triggers. */
  readonly outstanding: number;
  sent(request: PreparedRequest, dueAt: number): void;
  /** "error" = the connection broke. */
  answered(request: PreparedRequest, dueAt: number, status: number | "error"): void;
  /** The triggers of requests of an earlier load are not looked at. */
  sawTrigger(key: string): void;
  result(): LoadResult;
}

/** Nothing has happened yet. */
export function createLoadLog({ from, to, waitsForTriggers }: LoadWindow): LoadLog {
  const outstanding = new Map<string, { readonly dueAt: number; triggers: number }>();
  const failures: Record<string, number> = {};
  const httpMs: number[] = [];
  const triggerMs: number[] = [];
  let [accepted, acceptedChanges, answeredInTime, committedInTime] = [0, 0, 0, 0];
  const isMeasured = (at: number): boolean => at >= from && at < to;
  const perSecond = (count: number): number => (count * 1_000) / (to - from);

  return {
    get outstanding() {
      return outstanding.size;
    },
    sent({ key, changes }, dueAt) {
      if (waitsForTriggers) outstanding.set(key, { dueAt, triggers: changes });
    },
    answered({ key, changes }, dueAt, status) {
      if (status !== 202) {
        failures[String(status)] = (failures[String(status)] ?? 0) + 1;
        outstanding.delete(key);
        return;
      }
      const now = performance.now();
      accepted += 1;
      acceptedChanges += changes;
      if (isMeasured(now)) answeredInTime += 1;
      if (isMeasured(dueAt)) httpMs.push(now - dueAt);
    },
    sawTrigger(key) {
      const webhook = outstanding.get(key);
      if (webhook === undefined) return;
      webhook.triggers -= 1;
      if (webhook.triggers > 0) return;
      outstanding.delete(key);
      const now = performance.now();
      if (isMeasured(now)) committedInTime += 1;
      if (isMeasured(webhook.dueAt)) triggerMs.push(now - webhook.dueAt);
    },
    result: () => ({
      accepted,
      acceptedChanges,
      failures,
      unseen: outstanding.size,
      acceptedPerSecond: perSecond(answeredInTime),
      http: toLatencies(httpMs),
      committedPerSecond: waitsForTriggers ? perSecond(committedInTime) : null,
      untilTrigger: waitsForTriggers ? toLatencies(triggerMs) : null,
    }),
  };
}

function toLatencies(values: readonly number[]): Latencies {
  const sorted = Float64Array.from(values).toSorted();
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), max: percentile(sorted, 1) };
}
