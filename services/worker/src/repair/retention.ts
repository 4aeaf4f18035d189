import { setTimeout as pause } from "node:timers/promises";

import type { Logger } from "@sluice/runtime/logger";
import type { Database, Store } from "@sluice/store/client";
import { deleteOldAnswers } from "@sluice/store/idempotency-keys";
import {
  beginRetention,
  deleteOldBodies,
  deleteOldDeliveries,
  RETENTION_START,
  type RetentionBatch,
  type RetentionPage,
} from "@sluice/store/retention";
import { withTransaction } from "@sluice/store/transaction";

import { runEvery, type Recurring } from "./run-every.ts";

/** How long things are kept. */
export interface RetentionPolicy {
  /** Bodies and headers of webhooks, as they came. */
  readonly rawDays: number;
  /** Deliveries, and everything that came of them. */
  readonly decisionsDays: number;
}

/** How much is done at once. */
export interface RetentionPace {
  /** Deliveries that one transaction looks at. */
  readonly pageSize: number;
  /** Between two transactions, at least; and at least as long as the one before took. */
  readonly pauseMs: number;
  /** For bodies, again for deliveries, and for answers: what is left then is left for the next run, which goes on from there. */
  readonly maxMs: number;
}

const INTERVAL_MS = 60 * 60_000;
/** For so long the API promises to answer a request with an `Idempotency-Key` as it did before. */
const ANSWERS_KEPT_MS = 24 * 60 * 60_000;
/** A page this small takes hundredths of a second: as long waits a late push, which locks the triggers as a whole. */
export const RETENTION_PACE: RetentionPace = { pageSize: 100, pauseMs: 20, maxMs: 10 * 60_000 };

/** What retention works with. */
export interface RetentionOptions {
  readonly store: Store;
  readonly logger: Logger;
  readonly policy: RetentionPolicy;
  readonly pace: RetentionPace;
  /** Aborted when a run is to end after its present transaction. */
  readonly signal: AbortSignal;
}

/** Deletes what is older than it has to be kept, every hour, beside everything else. */
export function startRetention(input: Omit<RetentionOptions, "pace" | "signal">): Recurring {
  const stopping = new AbortController();
  const work = createRetention({ ...input, pace: RETENTION_PACE, signal: stopping.signal });
  const recurring = runEvery({ name: "retention", intervalMs: INTERVAL_MS, logger: input.logger, work });
  return {
    stop() {
      stopping.abort();
      return recurring.stop();
    },
  };
}

/** A way through all that is old, and where it has come to. */
interface Walk {
  place: RetentionPage["after"];
  readonly deleteSome: (
    tx: Database,
    page: Omit<RetentionPage, "olderThanDays">,
  ) => Promise<RetentionBatch<string>>;
}

/** What a run did, for the log. */
interface RetentionRun {
  batches: number;
  longestBatchMs: number;
  /** False when it failed, ran out of time, was stopped, or met another worker that does the same. */
  isComplete: boolean;
  /** Rows, by table. */
  readonly deleted: Record<string, number>;
}

/**
 * One run each time that it is called: pages of old rows are deleted, each in a transaction of its own, until none is
 * left. Any number of workers may run it, and may die at any time; one of them deletes at a time, and where one is at
 * work the others leave it to that one.
 */
export function createRetention(options: RetentionOptions): () => Promise<void> {
  const { rawDays, decisionsDays } = options.policy;
  const walks: readonly Walk[] = [
    {
      place: RETENTION_START,
      deleteSome: (tx, page) => deleteOldBodies(tx, { ...page, olderThanDays: rawDays }),
    },
    {
      place: RETENTION_START,
      deleteSome: (tx, page) => deleteOldDeliveries(tx, { ...page, olderThanDays: decisionsDays }),
    },
    { place: RETENTION_START, deleteSome: (tx, { limit }) => forgetAnswers(tx, limit) },
  ];
  return async () => {
    const startedAt = performance.now();
    const run: RetentionRun = { batches: 0, longestBatchMs: 0, isComplete: false, deleted: {} };
    try {
      const ends: boolean[] = [];
      for (const walk of walks) ends.push(await goOn(walk, run, options));
      run.isComplete = ends.every((isAtEnd) => isAtEnd);
    } finally {
      const { deleted, ...how } = run;
      const durationMs = Math.round(performance.now() - startedAt);
      if (run.batches > 0) options.logger.info({ ...deleted, ...how, durationMs }, "retention.run");
    }
  };
}

/** They are deleted from the oldest on, so that each page is the first. */
async function forgetAnswers(tx: Database, limit: number): Promise<RetentionBatch<"answers">> {
  const answers = await deleteOldAnswers(tx, { olderThanMs: ANSWERS_KEPT_MS, limit });
  return { deleted: { answers }, next: answers < limit ? null : RETENTION_START };
}

/** @returns whether it came to the end. */
async function goOn(
  walk: Walk,
  run: RetentionRun,
  { store, pace, signal }: RetentionOptions,
): Promise<boolean> {
  const endsAt = performance.now() + pace.maxMs;
  for (;;) {
    const startedAt = performance.now();
    if (signal.aborted || startedAt >= endsAt) return false;
    const batch = await withTransaction(store, async (tx) =>
      (await beginRetention(tx)) ? walk.deleteSome(tx, { after: walk.place, limit: pace.pageSize }) : null,
    );
    if (batch === null) return false;
    const tookMs = Math.round(performance.now() - startedAt);
    run.batches += 1;
    run.longestBatchMs = Math.max(run.longestBatchMs, tookMs);
    for (const [table, rows] of Object.entries(batch.deleted)) {
      run.deleted[table] = (run.deleted[table] ?? 0) + rows;
    }
    walk.place = batch.next ?? RETENTION_START;
    if (batch.next === null) return true;
    // An aborted pause ends early; what comes of that is seen above.
    await pause(Math.max(pace.pauseMs, tookMs), undefined, { signal }).catch(() => undefined);
  }
}
