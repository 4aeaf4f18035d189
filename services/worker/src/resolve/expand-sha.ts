import type { BitbucketClient } from "@sluice/bitbucket/client";
import { AppError } from "@sluice/domain/app-error";
import type { RepositoryFacts } from "@sluice/domain/event";
import type { Store } from "@sluice/store/client";
import { findCommitsByPrefix } from "@sluice/store/recorded-commits";

/**
 * The 40 digits of a short hash (rule 12): from the pushes that are recorded, else from Bitbucket, which is asked in each of
 * `repositories` in turn, since a fork's commits may be known there alone.
 * @returns null when none of them has the commit. @throws what the client throws for anything else.
 */
export async function expandSha(input: {
  readonly sha: string;
  /** Whose recorded pushes are looked at; null: none. */
  readonly repositoryId: string | null;
  readonly repositories: readonly RepositoryFacts[];
  readonly store: Store;
  readonly clientOf: () => Promise<BitbucketClient>;
}): Promise<string | null> {
  const { sha, repositoryId, repositories, store, clientOf } = input;
  const known = repositoryId === null ? [] : await findCommitsByPrefix(store, repositoryId, sha);
  const [only] = known;
  if (only !== undefined && known.length === 1) return only;
  const client = await clientOf();
  for (const repository of repositories) {
    try {
      return (await client.getCommit(repository, sha)).sha;
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "bitbucket_not_found") throw error;
    }
  }
  return null;
}
