import type { BitbucketClient } from "@sluice/bitbucket/client";
import { AppError } from "@sluice/domain/app-error";
import type { BranchState } from "@sluice/domain/branch";
import type { CommitFacts } from "@sluice/domain/event";
import { encodeDeliveries } from "@sluice/queue/delivery-codec";
import { deleteOtherSuspicions } from "@sluice/store/swept-branches";

import { leaveShare } from "./leave-share.ts";
import { toDelivery } from "./missed-push.ts";
import { judgeBranch } from "./sweep-branch.ts";
import {
  BACKLOG_MS,
  hasBacklog,
  startLook,
  type Look,
  type SweepOptions,
  type SweptRepository,
} from "./sweep-options.ts";

/** Looks at the tracked branches of a repository, and puts the pushes into the queue that are missing. */
export async function sweepBranches(
  repository: SweptRepository,
  branches: readonly string[],
  client: BitbucketClient,
  options: SweepOptions,
): Promise<Look> {
  const { store, graceMs } = options;
  await deleteOtherSuspicions(store, repository.id, branches);
  const look = startLook();
  for (const name of branches) {
    await leaveShare(store, repository.integrationId);
    const headSha = await client.getBranch(repository, name);
    const branch = { repositoryId: repository.id, name };
    const verdict = await judgeBranch(store, { branch, headSha, graceMs });
    if (verdict.kind === "suspected") look.suspected(verdict.lookAgainInMs);
    if (verdict.kind !== "missed") continue;
    const missed = { repository, branch: name, known: verdict.known, headSha };
    if (await recover(missed, client, options)) look.found();
    else look.suspected(BACKLOG_MS);
  }
  return look.result();
}

/** Puts the push to the head into the queue. @returns false when it is too soon for that. */
async function recover(
  missed: {
    readonly repository: SweptRepository;
    readonly branch: string;
    readonly known: BranchState;
    readonly headSha: string | null;
  },
  client: BitbucketClient,
  options: SweepOptions,
): Promise<boolean> {
  const { repository, branch, known, headSha } = missed;
  if (await hasBacklog(options)) return false;
  await leaveShare(options.store, repository.integrationId);
  const head = headSha === null ? null : await findCommit(client, repository, headSha);
  if (headSha !== null && head === null) return false;
  const delivery = toDelivery({
    integrationId: repository.integrationId,
    repository,
    branch,
    oldSha: known.headSha,
    arrivalSequence: known.arrivalSequence,
    head,
    foundAt: new Date().toISOString(),
  });
  await options.deliveries.add(await encodeDeliveries([delivery]));
  const { id: deliveryId, requestId } = delivery;
  options.logger.info(
    { deliveryId, requestId, repository: repository.fullName, branch },
    "sweep.push_recovered",
  );
  return true;
}

/** @returns null for a commit that is gone: the branch has moved on since it was looked at. */
async function findCommit(
  client: BitbucketClient,
  repository: SweptRepository,
  sha: string,
): Promise<CommitFacts | null> {
  try {
    return await client.getCommit(repository, sha);
  } catch (error) {
    if (error instanceof AppError && error.code === "bitbucket_not_found") return null;
    throw error;
  }
}
