import type { BitbucketClient } from "@sluice/bitbucket/client";
import { AppError } from "@sluice/domain/app-error";
import type { BranchState } from "@sluice/domain/branch";
import type { CommitFacts } from "@sluice/domain/event";
import { encodeDeliveries, type DeliveriesPayload } from "@sluice/queue/delivery-codec";
import type { Producer } from "@sluice/queue/producer";
import type { Logger } from "@sluice/runtime/logger";
import { findCallBudget } from "@sluice/store/call-budget";
import type { Store } from "@sluice/store/client";
import { lockKnownRepositories, lockSeenRepositories, repositoryKey } from "@sluice/store/repositories";
import { finishSweep, type DueSweep } from "@sluice/store/sweeps";
import { deleteOtherSuspicions, forgetBaselinesOfRepository } from "@sluice/store/swept-branches";
import { withTransaction } from "@sluice/store/transaction";

import { toDelivery, type MissedPush } from "./missed-push.ts";
import { judgeBranch } from "./sweep-branch.ts";

/** While webhooks wait in the queue for longer than that, a push that seems to be missing may be among them. */
const BACKLOG_MS = 30_000;
/** Of the calls of an hour, as many are left to events. */
const SHARE_OF_EVENTS = 0.5;

/** Nothing is wrong with the repository: it waits for another round. */
const LATER: ReadonlySet<string> = new Set([
  "bitbucket_rate_limited",
  "bitbucket_budget_exhausted",
  "bitbucket_unavailable",
  "bitbucket_timeout",
  "bitbucket_unreachable",
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

export interface SweepOptions {
  readonly store: Store;
  readonly logger: Logger;
  readonly deliveries: Pick<Producer<DeliveriesPayload>, "add">;
  readonly clientOf: (integrationId: string) => Promise<BitbucketClient>;
  /** How long the oldest delivery has been in the queue; null: none is there. */
  readonly deliveryAgeMs: () => Promise<number | null>;
  /** How long the webhook of a push may be on its way. */
  readonly graceMs: number;
}

/** What a sweep saw in a repository. */
export interface Swept {
  /** Pushes that it recovered. */
  readonly found: number;
  /** Branches of which it is too soon to say whether a push is missing. */
  readonly suspected: number;
}

const NOTHING: Swept & { readonly lookAgainInMs: null } = { found: 0, suspected: 0, lookAgainInMs: null };

/**
 * Looks at the tracked branches of a repository, and puts into the queue what is missing.
 * @returns null when that has to wait for another round: nothing is lost then.
 */
export async function sweepRepository(due: DueSweep, options: SweepOptions): Promise<Swept | null> {
  const { store, logger } = options;
  const { repositoryId, fullName } = due;
  try {
    const swept = await sweepBranches(due, options);
    await finishSweep(store, { repositoryId, ...swept, failure: null });
    return swept;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const { code, message } = error;
    if (LATER.has(code)) {
      logger.info({ repository: fullName, code }, "sweep.postponed");
      return null;
    }
    logger.warn({ repository: fullName, err: error }, "sweep.failed");
    if (UNREADABLE.has(code)) await forgetBaselinesOfRepository(store, repositoryId);
    await finishSweep(store, { repositoryId, ...NOTHING, failure: { code, message } });
    return NOTHING;
  }
}

async function sweepBranches(
  due: DueSweep,
  options: SweepOptions,
): Promise<Swept & { readonly lookAgainInMs: number | null }> {
  const { store, graceMs } = options;
  const client = await options.clientOf(due.integrationId);
  const repository = await identify(due, client, store);
  if (repository === null) return NOTHING;
  await deleteOtherSuspicions(store, repository.id, due.branches);
  let found = 0;
  const lookAgainInMs: number[] = [];
  for (const name of due.branches) {
    await leaveShare(store, due.integrationId);
    const headSha = await client.getBranch(repository, name);
    const branch = { repositoryId: repository.id, name };
    const verdict = await judgeBranch(store, { branch, headSha, graceMs });
    if (verdict.kind === "suspected") lookAgainInMs.push(verdict.lookAgainInMs);
    if (verdict.kind !== "missed") continue;
    const place = { integrationId: due.integrationId, repository, branch: name };
    if (await recover(place, verdict.known, headSha, client, options)) found += 1;
    else lookAgainInMs.push(BACKLOG_MS);
  }
  return {
    found,
    suspected: lookAgainInMs.length,
    lookAgainInMs: lookAgainInMs.length === 0 ? null : Math.min(...lookAgainInMs),
  };
}

/**
 * The uuid by which Bitbucket knows a repository that no delivery has named yet.
 * @returns null when it is known already, by another name: its targets are there now, and are swept with it.
 * @throws AppError `repository_renamed`.
 */
async function identify(
  { repositoryId, integrationId, uuid, fullName }: DueSweep,
  client: BitbucketClient,
  store: Store,
): Promise<MissedPush["repository"] | null> {
  if (uuid !== null) return { id: repositoryId, uuid, fullName };
  await leaveShare(store, integrationId);
  const now = await client.getRepository({ uuid: null, fullName });
  if (now.fullName.toLowerCase() !== fullName.toLowerCase()) {
    throw new AppError(
      "repository_renamed",
      `${fullName} is called ${now.fullName} now: name it so in the targets`,
      { retry: "never" },
    );
  }
  const seen = { integrationId, uuid: now.uuid, fullName: now.fullName };
  const id = await withTransaction(store, async (tx) => {
    await lockKnownRepositories(tx, [seen]);
    await lockSeenRepositories(tx, [seen]);
    return (await lockKnownRepositories(tx, [seen])).get(repositoryKey(seen))?.id;
  });
  return id === repositoryId ? { id, uuid: now.uuid, fullName: now.fullName } : null;
}

/** @throws AppError `sweep_share_used` when what is left of the hour's calls is for events. */
async function leaveShare(store: Store, integrationId: string): Promise<void> {
  const budget = await findCallBudget(store, integrationId);
  if (budget === null || budget.remaining >= budget.perHour * SHARE_OF_EVENTS) return;
  throw new AppError("sweep_share_used", "what is left of the hour's calls is for events");
}

/** Puts the push to the head into the queue. @returns false when it is too soon for that. */
async function recover(
  place: Pick<MissedPush, "integrationId" | "repository" | "branch">,
  known: BranchState,
  headSha: string | null,
  client: BitbucketClient,
  { store, deliveries, logger, deliveryAgeMs }: SweepOptions,
): Promise<boolean> {
  if (((await deliveryAgeMs()) ?? 0) > BACKLOG_MS) return false;
  await leaveShare(store, place.integrationId);
  const head = headSha === null ? null : await findCommit(client, place.repository, headSha);
  if (headSha !== null && head === null) return false;
  const delivery = toDelivery({
    ...place,
    oldSha: known.headSha,
    arrivalSequence: known.arrivalSequence,
    head,
    foundAt: new Date().toISOString(),
  });
  await deliveries.add(await encodeDeliveries([delivery]));
  const { id: deliveryId, requestId } = delivery;
  const repository = place.repository.fullName;
  logger.info({ deliveryId, requestId, repository, branch: place.branch }, "sweep.push_recovered");
  return true;
}

/** @returns null for a commit that is gone: the branch has moved on since it was looked at. */
async function findCommit(
  client: BitbucketClient,
  repository: MissedPush["repository"],
  sha: string,
): Promise<CommitFacts | null> {
  try {
    return await client.getCommit(repository, sha);
  } catch (error) {
    if (error instanceof AppError && error.code === "bitbucket_not_found") return null;
    throw error;
  }
}
