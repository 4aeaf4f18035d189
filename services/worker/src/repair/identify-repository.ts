import type { BitbucketClient } from "@sluice/bitbucket/client";
import { AppError } from "@sluice/domain/app-error";
import type { Store } from "@sluice/store/client";
import { lockKnownRepositories, lockSeenRepositories, repositoryKey } from "@sluice/store/repositories";
import type { DueSweep } from "@sluice/store/sweeps";
import { withTransaction } from "@sluice/store/transaction";

import { leaveShare } from "./leave-share.ts";
import type { SweptRepository } from "./sweep-options.ts";

/**
 * The uuid by which Bitbucket knows a repository that no delivery has named yet.
 * @returns null when it is known already, by another name: its targets are there now, and are swept with it.
 * @throws AppError `repository_renamed`.
 */
export async function identifyRepository(
  { repositoryId, integrationId, uuid, fullName }: DueSweep,
  client: BitbucketClient,
  store: Store,
): Promise<SweptRepository | null> {
  if (uuid !== null) return { id: repositoryId, integrationId, uuid, fullName };
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
    await lockSeenRepositories(tx, [seen]);
    return (await lockKnownRepositories(tx, [seen])).get(repositoryKey(seen))?.id;
  });
  return id === repositoryId ? { id, ...seen } : null;
}
