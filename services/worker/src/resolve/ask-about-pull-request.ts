/** What is asked about a pull request, whatever happened to it. */
import type { BitbucketClient } from "@sluice/bitbucket/client";
import { AppError } from "@sluice/domain/app-error";
import type { ChangedFiles } from "@sluice/domain/changed-files";
import { decideOldNews, pullRequestEvidence } from "@sluice/domain/decide-pull-request";
import type { PullRequestEvent, PullRequestSource } from "@sluice/domain/event";
import { isShort } from "@sluice/domain/event-waits";
import { forkOf } from "@sluice/domain/fork";
import { ignore } from "@sluice/domain/ignore";
import type { PullRequestState } from "@sluice/domain/pull-request";
import type { Target } from "@sluice/domain/target";
import type { Store } from "@sluice/store/client";
import type { PendingEvent } from "@sluice/store/pending-events";

import type { DecidedEvent } from "../decide-event.ts";
import { findPullRequestFiles } from "./affected-files.ts";
import { expandSha } from "./expand-sha.ts";
import { fetchPullRequest } from "./fetch-pull-request.ts";

/** How long a head that Bitbucket does not know is asked for: what was told a moment ago may not be everywhere yet. */
const HEAD_PATIENCE_MS = 10 * 60_000;
const ASK_AGAIN_MS = 30_000;

/** A pull request event and what it is resolved with. */
export interface PullRequestResolution {
  readonly pending: PendingEvent;
  readonly event: PullRequestEvent;
  readonly repositoryId: string;
  readonly targets: readonly Target[];
  /** Ids of those for which the event is a baseline (rule 34). */
  readonly baselineOf: ReadonlySet<string>;
  readonly store: Store;
  readonly clientOf: (integrationId: string) => Promise<BitbucketClient>;
}

/** What is stored once Bitbucket was asked for the pull request as it is now. */
export async function fetchAgain(input: PullRequestResolution): Promise<PullRequestState> {
  const { pending, event, repositoryId, store, clientOf } = input;
  const { integrationId } = pending;
  const client = await clientOf(integrationId);
  const { repository, pullRequest } = event;
  return fetchPullRequest({
    store,
    client,
    integrationId,
    repositoryId,
    repository,
    number: pullRequest.number,
  });
}

/** The files that a pull request changes, from where it parted from its destination (rule 15). */
export async function findFiles(
  { pending, clientOf }: Pick<PullRequestResolution, "pending" | "clientOf">,
  { repository, pullRequest }: Pick<PullRequestEvent, "repository" | "pullRequest">,
): Promise<ChangedFiles> {
  const client = await clientOf(pending.integrationId);
  return findPullRequestFiles({
    pullRequest,
    isFork: forkOf({ repository, pullRequest }) !== null,
    diffstats: {
      getDiffstat: (query) => client.getDiffstat(repository, query),
      getPullRequestDiffstat: (number) => client.getPullRequestDiffstat(repository, number),
    },
  });
}

/** The 40 digits of a head; null when Bitbucket does not know it (any more). */
export async function findHead(
  {
    pending,
    event,
    store,
    clientOf,
  }: Pick<PullRequestResolution, "pending" | "event" | "store" | "clientOf">,
  { sha, repository, branch: name }: PullRequestSource,
): Promise<string | null> {
  if (sha === null || !isShort(sha)) return sha;
  const repositories = [
    event.repository,
    ...(forkOf(event) === null || repository === null ? [] : [repository]),
  ];
  const { sourceRepositoryId: repositoryId, integrationId } = pending;
  const branch = repositoryId === null ? null : { repositoryId, name };
  return expandSha({ sha, branch, repositories, store, clientOf: () => clientOf(integrationId) });
}

/** What an event means whose head Bitbucket does not know: it has moved on, or never comes. */
export async function decideLost(
  input: PullRequestResolution,
  event: PullRequestEvent,
): Promise<DecidedEvent> {
  const { pending, targets } = input;
  const now = await fetchAgain(input);
  const evidence = pullRequestEvidence(event);
  const oldNews = decideOldNews(event, now);
  if (oldNews === null && Date.now() - Date.parse(pending.receivedAt) < HEAD_PATIENCE_MS) {
    const { number, source } = event.pullRequest;
    const message = `Bitbucket has no commit ${source.sha ?? ""}, the head of pull request ${String(number)}`;
    throw new AppError("pull_request_head_not_found", message, { retry: { afterMs: ASK_AGAIN_MS } });
  }
  const decision = oldNews ?? ignore("stale", evidence);
  return { pending, commitSha: null, decisions: targets.map(({ id }) => ({ targetId: id, decision })) };
}
