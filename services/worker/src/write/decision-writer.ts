import { createGroupCommit } from "@sluice/queue/group-commit";
import type { Store } from "@sluice/store/client";
import { isTransientDatabaseError } from "@sluice/store/database-error";
import { withTransaction } from "@sluice/store/transaction";

import type { DecidedEvent } from "../decide-event.ts";
import { writeDecided } from "./write-decided.ts";

export interface DecisionWriter {
  /**
   * Resolves when the event's decisions and triggers are committed, by us or by another worker before us, with the number
   * of triggers that we made.
   */
  write(decided: DecidedEvent): Promise<number>;
  drain(): Promise<void>;
}

const MAX_EVENTS_PER_COMMIT = 100;
/** Bounds the rows of one transaction that events share. */
const MAX_DECISIONS_PER_COMMIT = 2_000;
/** An event of more takes a tenth of a second and longer: those of others are not to wait for it. */
const MAX_DECISIONS_OF_SMALL_EVENT = 500;

/**
 * Events that are decided while a transaction is under way share the next one. Large ones are written beside them, one at a
 * time.
 */
export function createDecisionWriter(store: Store): DecisionWriter {
  const commit = (batch: readonly DecidedEvent[]) => writeOrSplit(store, batch);
  const small = createGroupCommit<DecidedEvent, number | Error>({
    maxItems: MAX_EVENTS_PER_COMMIT,
    maxWeight: MAX_DECISIONS_PER_COMMIT,
    weightOf: ({ decisions }) => decisions.length,
    commit,
  });
  const large = createGroupCommit<DecidedEvent, number | Error>({ maxItems: 1, commit });
  return {
    async write(decided) {
      const lane = decided.decisions.length > MAX_DECISIONS_OF_SMALL_EVENT ? large : small;
      const written = await lane.add(decided);
      if (written instanceof Error) throw written;
      return written;
    },
    async drain() {
      await Promise.all([small.drain(), large.drain()]);
    },
  };
}

/** All together; where the database refuses that, one by one, so that a bad event fails alone. */
async function writeOrSplit(store: Store, batch: readonly DecidedEvent[]): Promise<(number | Error)[]> {
  try {
    return await withTransaction(store, (tx) => writeDecided(tx, batch));
  } catch (error) {
    if (batch.length === 1 || isTransientDatabaseError(error)) throw error;
    const results: (number | Error)[] = [];
    for (const decided of batch) {
      const alone = await writeOrSplit(store, [decided]).catch((cause: unknown) => [toError(cause)]);
      results.push(...alone);
    }
    return results;
  }
}

function toError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error("a decision could not be written", { cause });
}
