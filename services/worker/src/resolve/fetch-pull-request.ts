import type { BitbucketClient } from "@sluice/bitbucket/client";
import type { RepositoryFacts } from "@sluice/domain/event";
import { movePullRequest, type PullRequestState } from "@sluice/domain/pull-request";
import type { Store } from "@sluice/store/client";
import { drawEvents } from "@sluice/store/events";
import { findPullRequests, pullRequestKey, savePullRequests } from "@sluice/store/pull-requests";
import { lockKnownRepositories, lockSeenRepositories, repositoryKey } from "@sluice/store/repositories";
import { withTransaction } from "@sluice/store/transaction";

/**
 * Asks Bitbucket for a pull request, and moves what is stored of it by the answer (rules 11, 13).
 * @returns what is stored then. @throws what the client throws.
 */
export async function fetchPullRequest(input: {
  readonly store: Store;
  readonly client: BitbucketClient;
  readonly integrationId: string;
  readonly repositoryId: string;
  readonly repository: RepositoryFacts;
  readonly number: number;
}): Promise<PullRequestState> {
  const { store, client, integrationId, repositoryId, repository, number } = input;
  const pullRequest = await client.getPullRequest(repository, number);
  const source = pullRequest.source.repository;
  const seen = [repository, ...(source === null ? [] : [source])].map((one) => ({ integrationId, ...one }));
  return withTransaction(store, async (tx) => {
    await lockSeenRepositories(tx, seen);
    const repositories = await lockKnownRepositories(tx, seen);
    const name = { repositoryId, number };
    const before = (await findPullRequests(tx, [name])).get(pullRequestKey(name)) ?? null;
    const [drawn] = await drawEvents(tx, 1);
    if (drawn === undefined) throw new Error("no number was drawn");
    const { state } = movePullRequest(before, { action: "updated", pullRequest }, drawn.sequence);
    if (state === before) return state;
    const sourceRepositoryId =
      source === null
        ? null
        : (repositories.get(repositoryKey({ integrationId, uuid: source.uuid }))?.id ?? null);
    await savePullRequests(tx, [{ ...state, repositoryId, sourceRepositoryId }]);
    return state;
  });
}
