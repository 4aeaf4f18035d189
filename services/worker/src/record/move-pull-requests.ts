import { movePullRequest, type PullRequestState } from "@sluice/domain/pull-request";
import type { NewEvent } from "@sluice/store/events";
import { seenPullRequestKey, type NewPullRequest } from "@sluice/store/pull-requests";

/** The events of a batch, updates refined (rule 11), and the pull requests that they moved: to be saved. */
export interface MovedPullRequests {
  readonly events: readonly NewEvent[];
  readonly pullRequests: readonly NewPullRequest[];
}

/**
 * Moves each pull request through the batch's reports of it in their order (rule 13). `known`: what is stored of them, by
 * `seenPullRequestKey`, looked at under the locks of their repositories.
 */
export function movePullRequests(
  events: readonly NewEvent[],
  { known }: { readonly known: ReadonlyMap<string, PullRequestState> },
): MovedPullRequests {
  const moved = new Map<string, NewPullRequest>();
  const refined = events.map((one): NewEvent => {
    const { event, integrationId, repositoryId, sourceRepositoryId, sequence } = one;
    if (event.kind !== "pull_request" || repositoryId === null) return one;
    const { uuid } = event.repository;
    const key = seenPullRequestKey({ integrationId, uuid, number: event.pullRequest.number });
    const before = moved.get(key) ?? known.get(key) ?? null;
    const { state, action } = movePullRequest(before, event, sequence);
    if (state !== before) moved.set(key, { ...state, repositoryId, sourceRepositoryId });
    return { ...one, event: { ...event, action } };
  });
  return { events: refined, pullRequests: [...moved.values()] };
}
