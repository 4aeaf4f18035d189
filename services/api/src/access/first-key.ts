/** The first key of an installation, made when there is none. */
import { setTimeout as sleep } from "node:timers/promises";

import type { Logger } from "@sluice/runtime/logger";
import { insertFirstApiKey } from "@sluice/store/api-keys";
import type { Database } from "@sluice/store/client";
import { isTransientDatabaseError } from "@sluice/store/database-error";

import { makeApiKey } from "./api-key.ts";

const NAME = "first key";
const RETRY_MS = 1_000;

/**
 * Makes the key of an admin of the root, unless there ever was one, and gives it to `show`, once. Waits for the database,
 * which may be away or not migrated when a process starts; ends with `signal`.
 *
 * Whoever loses it sets SLUICE_BOOTSTRAP_KEY and makes another. Should the process die between the two lines, the same
 * helps.
 */
export async function makeFirstKey(input: {
  readonly db: Database;
  readonly show: (text: string) => void;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { db, show, logger, signal } = input;
  const { key, prefix, digest } = makeApiKey();
  while (!signal.aborted) {
    try {
      const isFirst = await insertFirstApiKey(db, { name: NAME, prefix, digest });
      if (!isFirst) return;
      logger.info({ prefix }, "api.first_key_made");
      show(
        `\nThe first key of this API, an admin of the root space. It is shown this once:\n\n  ${key}\n\n` +
          "Make others with it (POST /v1/api-keys), then revoke it.\n\n",
      );
      return;
    } catch (error) {
      if (!isTransientDatabaseError(error)) throw error;
      logger.debug({ err: error }, "api.first_key_waits");
    }
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}
