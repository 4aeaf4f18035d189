/** Asks Bitbucket whether credentials that it refused, or that nobody has tried, are accepted now (rule 17). */
import type { BitbucketClient } from "@sluice/bitbucket/client";
import { assertNever } from "@sluice/domain/assert-never";
import type { Logger } from "@sluice/runtime/logger";
import type { Store } from "@sluice/store/client";
import { closeBreaker, keepBreakerOpen, openBreaker } from "@sluice/store/credential-breaker";
import {
  claimDueChecks,
  type DueCheck,
  finishCheck,
  listEventsOfIntegration,
  listProbedRepositories,
  postponeCheck,
} from "@sluice/store/credential-checks";

import { FIRST_CHECK_AFTER_MS } from "../resolve/guard-credential.ts";
import { type Probe, probeCredential } from "./check-credentials-probe.ts";
import { runEvery, type Recurring } from "./run-every.ts";

/** How soon a new credential is tried. */
const INTERVAL_MS = 3_000;
/** Checks that a worker takes at once: what is left is for the others. */
const TAKEN_AT_ONCE = 10;
/** Far longer than a check takes. What failed, or was a worker's that died, is taken again then. */
const TAKE_FOR_MS = 2 * 60_000;
const MAX_CHECK_AFTER_MS = 15 * 60_000;
/** Calls of a check at most, all of which only a 403 needs. */
const MAX_REPOSITORIES = 5;
const EVENTS_PER_PAGE = 1_000;

/** What credentials are checked with. */
export interface CheckOptions {
  readonly store: Store;
  readonly logger: Logger;
  /** Of clients that no guard keeps from asking. */
  readonly clientOf: (integrationId: string) => Promise<Pick<BitbucketClient, "getRepository">>;
  /** Has events that wait for a time of their own go on now. @returns how many did wait. */
  readonly goOn: (eventIds: readonly string[]) => Promise<number>;
}

/** Checks what is due every few seconds, beside everything else. */
export function startCredentialChecks(options: CheckOptions): Recurring {
  return runEvery({
    name: "check-credentials",
    intervalMs: INTERVAL_MS,
    logger: options.logger,
    work: createCredentialChecks(options),
  });
}

/**
 * One round each time that it is called: the checks that are due, each by one worker. When a check passes, what waits for
 * the credential goes on.
 */
export function createCredentialChecks(options: CheckOptions): () => Promise<void> {
  const { store, logger } = options;
  return async () => {
    for (let more = true; more;) {
      const due = await claimDueChecks(store, { takeForMs: TAKE_FOR_MS, limit: TAKEN_AT_ONCE });
      more = due.length === TAKEN_AT_ONCE;
      const settled = await Promise.allSettled(due.map((check) => checkOne(check, options)));
      for (const [place, result] of settled.entries()) {
        const check = due[place];
        if (result.status === "fulfilled" || check === undefined) continue;
        const { integrationId, integration } = check;
        logger.warn({ integrationId, integration, err: result.reason }, "credential.check_failed");
      }
    }
  };
}

/** From a check that did not pass to the next: about as long as it has been refused, 30 seconds to 15 minutes. */
export function nextCheckInMs({ forMs }: Pick<DueCheck, "forMs">): number {
  return Math.round(Math.min(Math.max(forMs, FIRST_CHECK_AFTER_MS), MAX_CHECK_AFTER_MS));
}

async function checkOne(check: DueCheck, options: CheckOptions): Promise<void> {
  const { store, clientOf } = options;
  const { integrationId } = check;
  if (check.because === "passed") {
    await letEventsGoOn(integrationId, options);
    await finishCheck(store, integrationId);
    return;
  }
  const repositories = await listProbedRepositories(store, integrationId, MAX_REPOSITORIES);
  const probe = await probeCredential(await clientOf(integrationId), repositories);
  switch (probe.kind) {
    case "accepted":
      return accept(check, options);
    case "refused":
      return refuse(check, probe, options);
    case "unknown":
      return askLater(check, probe, options);
    default:
      return assertNever(probe);
  }
}

async function accept(check: DueCheck, options: CheckOptions): Promise<void> {
  const { integrationId, integration, credential, because, forMs } = check;
  const credentialCiphertext = credential.ciphertext;
  const wasRefused = await closeBreaker(options.store, { integrationId, credentialCiphertext });
  // After a doubt those who wait are answered 403 one by one, and would be again.
  const events = because === "doubted" ? 0 : await letEventsGoOn(integrationId, options);
  if (!wasRefused) return;
  const refusedForMs = Math.round(forMs);
  options.logger.info({ integrationId, integration, refusedForMs, events }, "credential.accepted");
}

async function refuse(
  check: DueCheck,
  { httpStatus, message }: Extract<Probe, { kind: "refused" }>,
  { store, logger }: CheckOptions,
): Promise<void> {
  const { integrationId, integration, credential, because } = check;
  const isKnown = because === "refused";
  const refusal = {
    integrationId,
    credentialCiphertext: credential.ciphertext,
    httpStatus,
    message,
    nextCheckInMs: nextCheckInMs(isKnown ? check : { forMs: 0 }),
  };
  if (isKnown) return keepBreakerOpen(store, refusal);
  const opened = await openBreaker(store, refusal);
  if (opened === null) return;
  logger.warn({ integrationId, integration, httpStatus, reason: message }, "credential.refused");
}

async function askLater(
  check: DueCheck,
  { because: reason, retryAfterMs }: Extract<Probe, { kind: "unknown" }>,
  { store, logger }: CheckOptions,
): Promise<void> {
  const { integrationId, integration } = check;
  const againInMs = Math.max(nextCheckInMs(check), retryAfterMs ?? 0);
  await postponeCheck(store, integrationId, againInMs);
  logger.info({ integrationId, integration, reason, againInMs }, "credential.check_unknown");
}

/** Whatever the events wait for: those that it is too early for wait again. */
async function letEventsGoOn(integrationId: string, { store, goOn }: CheckOptions): Promise<number> {
  let events = 0;
  for (let afterId: string | null = null; ;) {
    const page: readonly string[] = await listEventsOfIntegration(store, {
      integrationId,
      afterId,
      limit: EVENTS_PER_PAGE,
    });
    events += await goOn(page);
    if (page.length < EVENTS_PER_PAGE) return events;
    afterId = page.at(-1) ?? null;
  }
}
