import { decisionNeedsFiles } from "@sluice/domain/decide";
import type { PullRequestEvent } from "@sluice/domain/event";
import { movePullRequest, type PullRequestState } from "@sluice/domain/pull-request";
import type { Target } from "@sluice/domain/target";
import { findPullRequests, pullRequestKey } from "@sluice/store/pull-requests";

import { decideTargets, type DecidedEvent } from "../decide-event.ts";
import {
  decideLost,
  fetchAgain,
  findFiles,
  findHead,
  type PullRequestResolution,
} from "./ask-about-pull-request.ts";
import { resolveComment } from "./resolve-comment.ts";
import { resolveMerge } from "./resolve-merge.ts";

/**
 * Learns what an event of a pull request means for each target, by the pull request as it is known now (rules 11 to 13, 15
 * to 24).
 */
export async function resolvePullRequest(input: PullRequestResolution): Promise<DecidedEvent> {
  const { event } = input;
  switch (event.action) {
    case "merged":
      return resolveMerge(input);
    case "commented":
      return resolveComment({ ...input, pullRequest: await findStored(input) });
    default:
      return evaluate(input, await findPresent(input));
  }
}

/** What is stored; an update of a pull request that was never seen before is no news enough, so that one is fetched (rule 11). */
async function findPresent(input: PullRequestResolution): Promise<PullRequestState> {
  return input.event.action === "updated" ? fetchAgain(input) : findStored(input);
}

/** A closed one may be gone with its last events while this report came: that says itself how things are (decision 6). */
async function findStored({
  pending,
  event,
  repositoryId,
  store,
}: PullRequestResolution): Promise<PullRequestState> {
  const name = { repositoryId, number: event.pullRequest.number };
  const stored = (await findPullRequests(store, [name])).get(pullRequestKey(name));
  return stored ?? movePullRequest(null, event, pending.sequence).state;
}

async function evaluate(input: PullRequestResolution, pullRequest: PullRequestState): Promise<DecidedEvent> {
  const { pending, targets, baselineOf } = input;
  const event = asPresent(input.event, pullRequest);
  const known = ({ id }: Target) => ({ pullRequest, isBaseline: baselineOf.has(id) });
  const needsFiles = targets.some((target) => decisionNeedsFiles(event, target, known(target)));
  const files = needsFiles ? await findFiles(input, event) : null;
  const decisions = decideTargets(event, targets, (target) => ({ ...known(target), files }));
  if (decisions.every(({ decision }) => decision.outcome === "ignore")) {
    return { pending, commitSha: null, decisions };
  }
  const commitSha = await findHead(input, event.pullRequest.source);
  if (commitSha === null) return decideLost(input, event);
  return { pending: { ...pending, event }, commitSha, decisions };
}

/** What was never seen before is known by now: it has come to where it is. */
function asPresent(event: PullRequestEvent, pullRequest: PullRequestState): PullRequestEvent {
  return event.action === "updated" ? { ...event, action: "synchronize", pullRequest } : event;
}
