/** Commits by their hashes, short ones too (rule 12). */
import type { CommitFacts } from "@sluice/domain/event";

import { getValue, invalidResponse } from "./answer-json.ts";
import { pathSegment, type RepositoryAddress, repositoryPath } from "./api-url.ts";
import { commitSchema } from "./bitbucket-schema.ts";
import { ENDPOINTS } from "./endpoint.ts";
import type { Transport } from "./transport.ts";

const FULL_HASH_LENGTH = 40;

/**
 * The commit that a hash of 7 to 40 digits stands for; its `sha` has all 40.
 * @throws BitbucketError `bitbucket_not_found`, also for a hash that two commits begin with.
 */
export async function getCommit(
  transport: Transport,
  repository: RepositoryAddress,
  sha: string,
): Promise<CommitFacts> {
  const url = transport.url(`${repositoryPath(repository)}/commit/${pathSegment(sha)}`);
  const commit = await getValue(transport, ENDPOINTS.commit, url, commitSchema);
  // The endpoint takes branch names as well: what it answered must be what was asked for.
  if (commit.sha.length !== FULL_HASH_LENGTH || !commit.sha.startsWith(sha.toLowerCase())) {
    throw invalidResponse(url, "hash: it is not the full hash of the commit that was asked for");
  }
  return commit;
}
