import type { BitbucketClient } from "@sluice/bitbucket/client";
import type { PullRequestFacts, RepositoryFacts } from "@sluice/domain/event";
import type { Logger } from "@sluice/runtime/logger";
import type { Store } from "@sluice/store/client";
import { findPullRequests, pullRequestKey } from "@sluice/store/pull-requests";

import { fetchPullRequest } from "../resolve/fetch-pull-request.ts";
import { leaveShare } from "./leave-share.ts";

/** What links are looked for with. */
export interface LinkOptions {
  readonly store: Store;
  readonly logger: Logger;
  readonly clientOf: (integrationId: string) => Promise<BitbucketClient>;
  /** How long the webhook of a pull request may be on its way. */
  readonly graceMs: number;
}

/** Of the calls of an hour, as many are left to events and, of those that are not for events, half to sweeps. */
const SHARE_OF_OTHERS = 0.75;

/** To be called before each call. @throws AppError `sweep_share_used`. */
export function leaveShareOfLinks(
  { store }: Pick<LinkOptions, "store">,
  { integrationId }: Pick<LinkedRepository, "integrationId">,
): Promise<void> {
  return leaveShare(store, integrationId, SHARE_OF_OTHERS);
}

/** A repository whose commits are linked, and a client that may ask about it. */
export interface LinkedRepository {
  readonly id: string;
  readonly integrationId: string;
  readonly facts: RepositoryFacts;
  readonly client: BitbucketClient;
}

/**
 * Makes sure that a pull request is stored before a commit is linked to it: one that no webhook has told of is fetched.
 * `facts`: as Bitbucket has just told them; null: only its number is known.
 * @returns false when it has just changed and nothing is stored of it: it is left to the webhook of that, for which what
 * is fetched here would be no news.
 */
export async function ensurePullRequest(
  { number, facts }: { readonly number: number; readonly facts: PullRequestFacts | null },
  linked: LinkedRepository,
  options: LinkOptions,
): Promise<boolean> {
  const { store, graceMs } = options;
  const { id: repositoryId, integrationId, facts: repository, client } = linked;
  const name = { repositoryId, number };
  if ((await findPullRequests(store, [name])).has(pullRequestKey(name))) return true;
  await leaveShareOfLinks(options, linked);
  const { updatedOn } = facts ?? (await client.getPullRequest(repository, number));
  if (Date.now() - Date.parse(updatedOn) < graceMs) return false;
  await fetchPullRequest({ store, client, integrationId, repositoryId, repository, number });
  return true;
}
