/** Tells how credentials stand: in metrics always, in the log before they expire. */
import type { Logger } from "@sluice/runtime/logger";
import type { Store } from "@sluice/store/client";
import { type CredentialStanding, listCredentialStandings } from "@sluice/store/credential-checks";

import { runEvery, type Recurring } from "./run-every.ts";

const INTERVAL_MS = 15_000;
/** Days before a credential expires on which the log says so; 0: it has expired. */
const WARN_AT_DAYS = [0, 1, 3, 7, 14] as const;

/** What credentials are told of with. */
export interface StandingOptions {
  readonly store: Store;
  readonly logger: Logger;
  /** Takes the place of what it was given before. */
  readonly show: (standings: readonly CredentialStanding[]) => void;
}

/** Looks every 15 seconds, beside everything else. */
export function startCredentialStandings(options: StandingOptions): Recurring {
  return runEvery({
    name: "credential-standings",
    intervalMs: INTERVAL_MS,
    logger: options.logger,
    work: createCredentialStandings(options),
  });
}

/** Looks each time that it is called. Each warning comes once, and once more after a start. */
export function createCredentialStandings({ store, logger, show }: StandingOptions): () => Promise<void> {
  const warnedAt = new Map<string, number>();
  return async () => {
    const standings = await listCredentialStandings(store);
    show(standings);
    for (const { integrationId, integration, expiresAt, expiresInDays } of standings) {
      const days = expiresInDays === null ? null : warningAt(expiresInDays);
      const key = `${integrationId} ${expiresAt ?? ""}`;
      if (days === null || warnedAt.get(key) === days) continue;
      warnedAt.set(key, days);
      logger.warn(
        { integrationId, integration, expiresAt },
        days === 0 ? "credential.expired" : "credential.expires",
      );
    }
  };
}

/** Which warning is due when a credential expires in so many days; null: none yet. */
export function warningAt(expiresInDays: number): number | null {
  return WARN_AT_DAYS.find((days) => expiresInDays <= days) ?? null;
}
