import type { BitbucketClient } from "@sluice/bitbucket/client";
import { AppError } from "@sluice/domain/app-error";
import type { RepositoryFacts } from "@sluice/domain/event";
import type { BranchName } from "@sluice/store/branches";
import type { Store } from "@sluice/store/client";
import { findCommitsByPrefix } from "@sluice/store/recorded-commits";

/**
 * The 40 digits of a short hash (rule 12): from the pushes that are recorded of its branch, else from Bitbucket, which is
 * asked in each of `repositories` in turn, since a fork's commits may be known there alone. What was pushed to other
 * branches settles nothing: whoever makes two commits that begin alike could have one run for the other.
 * @returns null when none of them has the commit. @throws what the client throws for anything else.
 */
export async function expandSha(input: {
  readonly sha: string;
  /** Whose recorded pushes are looked at; null: nobody's. */
  readonly branch: BranchName | null;
  readonly repositories: readonly RepositoryFacts[];
  readonly store: Store;
  readonly clientOf: () => Promise<BitbucketClient>;
}): Promise<string | null> {
  const { sha, branch, repositories, store, clientOf } = input;
  const known = branch === null ? [] : await findCommitsByPrefix(store, branch, sha);
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
