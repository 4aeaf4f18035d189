/** Finds the pushes and pull requests that Bitbucket never told us of, and lets them come as if it had (rule 34). */
import type { QueueReader } from "@sluice/queue/queue-reader";
import { deliveriesQueue } from "@sluice/queue/queues";
import { addSweptRepositories, releaseSweep, requestSweeps, takeDueSweeps } from "@sluice/store/sweeps";

import { runEvery, type Recurring } from "./run-every.ts";
import type { SweepOptions } from "./sweep-options.ts";
import { sweepRepository } from "./sweep-repository.ts";

/** How soon a repository is looked at that somebody asked for. */
const POLL_MS = 5_000;
/** Workers that start together do not look together. */
const MAX_START_DELAY_MS = 10_000;
/** After a start everything is looked at, unless it just was: another worker may have started before. */
const RECENT_MS = 2 * 60_000;
/** Repositories that a worker takes at once: what is left is for the others. */
const TAKEN_AT_ONCE = 10;
/** Far longer than so many take. A worker that has died holds nobody up for longer. */
const TAKE_FOR_MS = 10 * 60_000;
/** How long an integration is left alone that is limited, or that has no answer. */
const LEAVE_FOR_MS = 60_000;

export interface SweepSchedule {
  /** Null: only what somebody asks for is swept. */
  readonly intervalMs: number | null;
  /** Aborted when a round is to end after the repository that it is at. */
  readonly signal: AbortSignal;
}

/** Sweeps on the schedule, after a start, and what people ask for, beside everything else. */
export function startSweep(
  input: Omit<SweepOptions, "deliveryAgeMs"> & {
    readonly intervalMs: number | null;
    readonly queues: Pick<QueueReader, "read">;
  },
): Recurring {
  const { store, logger, queues, intervalMs } = input;
  const stopping = new AbortController();
  const sweep = createSweep({
    ...input,
    signal: stopping.signal,
    deliveryAgeMs: async () => {
      const readings = await queues.read();
      return readings.find(({ queue }) => queue === deliveriesQueue.name)?.oldestJobAgeMs ?? null;
    },
  });
  let hasStarted = intervalMs === null;
  const recurring = runEvery({
    name: "sweep",
    intervalMs: POLL_MS,
    firstAfterMs: Math.ceil(Math.random() * MAX_START_DELAY_MS),
    logger,
    async work() {
      if (!hasStarted) await requestSweeps(store, { repository: null, notSweptForMs: RECENT_MS });
      hasStarted = true;
      await sweep();
    },
  });
  return {
    stop() {
      stopping.abort();
      return recurring.stop();
    },
  };
}

/**
 * One round each time that it is called: the repositories that are due, a few at a time, so that any number of workers share
 * them. An integration that Bitbucket limits or does not answer, or that has used up the sweeps' share of its calls, is
 * left alone for a minute, also by the next rounds.
 */
export function createSweep(options: SweepOptions & SweepSchedule): () => Promise<void> {
  const { store, logger, signal, intervalMs } = options;
  const leftUntil = new Map<string, number>();
  const isLeft = (integrationId: string) => (leftUntil.get(integrationId) ?? 0) > performance.now();

  return async () => {
    const startedAt = performance.now();
    const round = { repositories: 0, found: 0, suspected: 0 };
    await addSweptRepositories(store);
    for (let more = true; more && !signal.aborted;) {
      const except = [...leftUntil.keys()].filter(isLeft);
      const taken = await takeDueSweeps(store, {
        intervalMs,
        limit: TAKEN_AT_ONCE,
        takeForMs: TAKE_FOR_MS,
        except,
      });
      more = taken.length > 0;
      for (const due of taken) {
        const isToBeSwept = !signal.aborted && !isLeft(due.integrationId);
        const swept = isToBeSwept ? await sweepRepository(due, options) : null;
        if (swept === null) {
          if (isToBeSwept) leftUntil.set(due.integrationId, performance.now() + LEAVE_FOR_MS);
          await releaseSweep(store, due.repositoryId);
          continue;
        }
        round.repositories += 1;
        round.found += swept.found;
        round.suspected += swept.suspected;
      }
    }
    const durationMs = Math.round(performance.now() - startedAt);
    if (round.repositories > 0) logger.info({ ...round, durationMs }, "sweep.round");
  };
}
