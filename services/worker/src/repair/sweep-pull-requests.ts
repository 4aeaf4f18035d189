import type { BitbucketClient } from "@sluice/bitbucket/client";
import { AppError } from "@sluice/domain/app-error";
import type { PullRequestFacts } from "@sluice/domain/event";
import { compareTimes } from "@sluice/domain/pull-request";
import { encodeDeliveries } from "@sluice/queue/delivery-codec";
import {
  listKnownPullRequests,
  savePullRequestBaselines,
  type KnownPullRequest,
} from "@sluice/store/open-pull-requests";

import { judgePullRequest, type PullRequestVerdict } from "./judge-pull-request.ts";
import { leaveShare } from "./leave-share.ts";
import { toPullRequestDelivery, type MissedPullRequest } from "./missed-pull-request.ts";
import {
  BACKLOG_MS,
  hasBacklog,
  startLook,
  type Look,
  type RunningLook,
  type SweepOptions,
  type SweptRepository,
} from "./sweep-options.ts";

/** A sweep of the pull requests of one repository. */
interface PullRequestSweep {
  readonly repository: SweptRepository;
  readonly client: BitbucketClient;
  readonly options: SweepOptions;
  readonly known: ReadonlyMap<number, KnownPullRequest>;
  readonly look: RunningLook;
}

/**
 * Compares Bitbucket's open pull requests of a repository with ours, and puts into the queue what is missing: one call for
 * 50 of them, and one for each that is to be told.
 */
export async function sweepPullRequests(
  repository: SweptRepository,
  client: BitbucketClient,
  options: SweepOptions,
): Promise<Look> {
  const { store } = options;
  await leaveShare(store, repository.integrationId);
  const listed = await client.listOpenPullRequests(repository);
  const seenUntil = latestOf(listed);
  const baseline = await savePullRequestBaselines(store, { repositoryId: repository.id, seenUntil });
  const numbers = listed.map(({ number }) => number);
  // After the list: what a webhook told meanwhile is known.
  const known = await listKnownPullRequests(store, repository.id, numbers);
  const sweep: PullRequestSweep = { repository, client, options, known, look: startLook() };
  for (const seen of listed) {
    const isBaseline = baseline !== null && compareTimes(seen.updatedOn, baseline) <= 0;
    await (isBaseline ? tellBaseline(sweep, seen) : compare(sweep, seen));
  }
  const open = new Set(numbers);
  const over = [...known.values()].filter(({ number, state }) => state === "OPEN" && !open.has(number));
  for (const { number } of over) await lookCloser(sweep, number);
  return sweep.look.result();
}

/**
 * For no target it can run, so nothing has to be waited for, and the list says enough: the first sweep of a repository costs
 * no call for each of its pull requests. Nothing is recovered by that, only begun.
 */
async function tellBaseline(sweep: PullRequestSweep, seen: PullRequestFacts): Promise<void> {
  const verdict = judge(sweep, seen, 0);
  if (verdict.kind === "missed") await tell(sweep, seen, { ...verdict, isBaseline: true });
}

async function compare(sweep: PullRequestSweep, seen: PullRequestFacts): Promise<void> {
  const verdict = judge(sweep, seen);
  if (verdict.kind === "suspected") sweep.look.suspected(verdict.lookAgainInMs);
  if (verdict.kind === "missed") await lookCloser(sweep, seen.number);
}

/** Judges a pull request as it is now, with its reviews, which lists leave out. */
async function lookCloser(sweep: PullRequestSweep, number: number): Promise<void> {
  const { repository, client, options, look } = sweep;
  await leaveShare(options.store, repository.integrationId);
  const pullRequest = await findPullRequest(client, repository, number);
  if (pullRequest === null) return;
  const verdict = judge(sweep, pullRequest);
  if (verdict.kind === "suspected") look.suspected(verdict.lookAgainInMs);
  if (verdict.kind !== "missed") return;
  if (await tell(sweep, pullRequest, { ...verdict, isBaseline: false })) look.found();
}

function judge(
  { known, options }: PullRequestSweep,
  seen: PullRequestFacts,
  graceMs = options.graceMs,
): PullRequestVerdict {
  return judgePullRequest({ seen, known: known.get(seen.number) ?? null, now: Date.now(), graceMs });
}

/** Puts into the queue what the webhook would have told. @returns false when that may wait there already. */
async function tell(
  { repository, options, look }: PullRequestSweep,
  pullRequest: PullRequestFacts,
  { eventKey, isBaseline }: Pick<MissedPullRequest, "eventKey"> & { readonly isBaseline: boolean },
): Promise<boolean> {
  if (await hasBacklog(options)) {
    look.suspected(BACKLOG_MS);
    return false;
  }
  const { integrationId, fullName } = repository;
  const foundAt = new Date().toISOString();
  const delivery = toPullRequestDelivery({ integrationId, repository, eventKey, pullRequest, foundAt });
  await options.deliveries.add(await encodeDeliveries([delivery]));
  const { id: deliveryId, requestId } = delivery;
  const { number } = pullRequest;
  options.logger.info(
    { deliveryId, requestId, repository: fullName, pullRequest: number, eventKey, isBaseline },
    "sweep.pull_request_told",
  );
  return true;
}

/** @returns null for one that Bitbucket has no more: that is no reason to give up the others. */
async function findPullRequest(
  client: BitbucketClient,
  repository: SweptRepository,
  number: number,
): Promise<PullRequestFacts | null> {
  try {
    return await client.getPullRequest(repository, number);
  } catch (error) {
    if (error instanceof AppError && error.code === "bitbucket_not_found") return null;
    throw error;
  }
}

/** Null when there is none. */
function latestOf(listed: readonly PullRequestFacts[]): string | null {
  return listed
    .map(({ updatedOn }) => updatedOn)
    .reduce<string | null>(
      (latest, time) => (latest === null || compareTimes(latest, time) < 0 ? time : latest),
      null,
    );
}
