import { AppError } from "@sluice/domain/app-error";
import type { Logger } from "@sluice/runtime/logger";
import { forgetPullRequestBaselines } from "@sluice/store/open-pull-requests";
import { finishSweep, type DueSweep, type SweepFailure } from "@sluice/store/sweeps";
import { forgetBaselinesOfRepository } from "@sluice/store/swept-branches";

import { identifyRepository } from "./identify-repository.ts";
import { sweepBranches } from "./sweep-branches.ts";
import type { Look, SweepOptions } from "./sweep-options.ts";
import { sweepPullRequests } from "./sweep-pull-requests.ts";

/** Nothing is wrong with the repository: it waits for another round. */
const LATER: ReadonlySet<string> = new Set([
  "bitbucket_rate_limited",
  "bitbucket_budget_exhausted",
  "bitbucket_unavailable",
  "bitbucket_timeout",
  "bitbucket_unreachable",
  "credential_refused",
  "queue_unavailable",
  "sweep_share_used",
]);
/** What happens in a repository that cannot be read is not made up for later: it begins anew. */
const UNREADABLE: ReadonlySet<string> = new Set([
  "bitbucket_unauthorized",
  "bitbucket_forbidden",
  "bitbucket_not_found",
  "credential_missing",
]);

const NOTHING: Look = { found: 0, suspected: 0, lookAgainInMs: null };

/** What a sweep saw. */
interface Swept extends Look {
  /** Why it could not see everything; null: it could. */
  readonly failure: SweepFailure | null;
}

/**
 * Looks at the tracked branches and the open pull requests of a repository, and puts into the queue what is missing.
 * @returns null when that has to wait for another round: nothing is lost then.
 */
export async function sweepRepository(due: DueSweep, options: SweepOptions): Promise<Look | null> {
  const { store, logger } = options;
  const { repositoryId, fullName } = due;
  try {
    const { failure, ...look } = await attempt(() => sweepAll(due, options), {
      onUnreadable: () => forgetBaselinesOfRepository(store, repositoryId),
      fullName,
      logger,
    });
    const { found, lookAgainInMs } = look;
    await finishSweep(store, { repositoryId, found, lookAgainInMs, failure });
    return look;
  } catch (error) {
    if (!(error instanceof AppError) || !LATER.has(error.code)) throw error;
    logger.info({ repository: fullName, code: error.code }, "sweep.postponed");
    return null;
  }
}

async function sweepAll(due: DueSweep, options: SweepOptions): Promise<Swept> {
  const { store, logger } = options;
  const client = await options.clientOf(due.integrationId);
  const repository = await identifyRepository(due, client, store);
  if (repository === null) return { ...NOTHING, failure: null };
  const branches = await sweepBranches(repository, due.branches, client, options);
  // A token may read the repository and not its pull requests: the pushes are recovered all the same.
  const pullRequests = await attempt(() => sweepPullRequests(repository, client, options), {
    onUnreadable: () => forgetPullRequestBaselines(store, repository.id),
    fullName: repository.fullName,
    logger,
  });
  return {
    found: branches.found + pullRequests.found,
    suspected: branches.suspected + pullRequests.suspected,
    lookAgainInMs: earliest(branches.lookAgainInMs, pullRequests.lookAgainInMs),
    failure: pullRequests.failure,
  };
}

/** @returns what `look` saw; nothing, and why, when it failed. @throws what another round may mend. */
async function attempt(
  look: () => Promise<Look & Partial<Swept>>,
  context: {
    readonly onUnreadable: () => Promise<void>;
    readonly fullName: string;
    readonly logger: Logger;
  },
): Promise<Swept> {
  try {
    return { failure: null, ...(await look()) };
  } catch (error) {
    if (!(error instanceof AppError) || LATER.has(error.code)) throw error;
    const { code, message } = error;
    context.logger.warn({ repository: context.fullName, err: error }, "sweep.failed");
    if (UNREADABLE.has(code)) await context.onUnreadable();
    return { ...NOTHING, failure: { code, message } };
  }
}

/** Null: never. */
function earliest(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}
