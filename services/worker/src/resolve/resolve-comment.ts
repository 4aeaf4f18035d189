import { commandEvidence, readComment, type CommandFacts } from "@sluice/domain/comment-command-decision";
import { decisionNeedsFiles } from "@sluice/domain/decide";
import { ignore } from "@sluice/domain/ignore";
import type { PullRequestState } from "@sluice/domain/pull-request";
import type { Store } from "@sluice/store/client";
import {
  findCommitsByPrefix,
  findHeadOfPullRequest,
  findPushOfCommit,
  wasCommentTold,
} from "@sluice/store/recorded-commits";

import { decideTargets, type DecidedEvent } from "../decide-event.ts";
import { decideLost, findFiles, findHead, type PullRequestResolution } from "./ask-about-pull-request.ts";
import { giveVersions } from "./give-versions.ts";

/** Of a hash, in the body of a pull request event. */
const TOLD_DIGITS = 12;
/** Sluice writes no comments yet, so none can be its own. */
const OWN_UUID = null;

/** What a comment means: a command to some targets, which always runs anew, or nothing (rule 24). */
export async function resolveComment(
  input: PullRequestResolution & { readonly pullRequest: PullRequestState },
): Promise<DecidedEvent> {
  const { pending, event, targets, pullRequest } = input;
  const meaning = readComment({ event, targets, ownUuid: OWN_UUID });
  if (meaning.kind === "decided") {
    return { pending, commitSha: null, decisions: [{ targetId: null, decision: meaning.decision }] };
  }
  if (await isRepeated(input)) {
    const because = "the comment was told before, and its command is carried out once";
    const decision = ignore("command_refused", commandEvidence(event, because));
    return { pending, commitSha: null, decisions: [{ targetId: null, decision }] };
  }
  const known = { pullRequest, command: { command: meaning.command, ...(await findHeadFacts(input)) } };
  const needsFiles = targets.some((target) => decisionNeedsFiles(event, target, known));
  const files = needsFiles ? await findFiles(input, event) : null;
  const decisions = decideTargets(event, targets, () => ({ ...known, files }));
  if (decisions.every(({ decision }) => decision.outcome === "ignore")) {
    return { pending, commitSha: null, decisions };
  }
  const commitSha = await findHead(input, pullRequest.source);
  if (commitSha === null) return decideLost(input, event);
  const given = await giveVersions(decisions, targets, async (path) => {
    const client = await input.clientOf(pending.integrationId);
    return client.getFile(event.repository, { sha: commitSha, path });
  });
  return { pending, commitSha, decisions: given, isForced: true };
}

/** Another hook told of it, or somebody has resent it under a new name. */
async function isRepeated({ pending, event, repositoryId, store }: PullRequestResolution): Promise<boolean> {
  if (event.comment === null) return false;
  const { number } = event.pullRequest;
  return wasCommentTold(store, {
    repositoryId,
    number,
    commentId: event.comment.id,
    before: pending.sequence,
  });
}

/**
 * Whether pushes told of two commits that begin like the head does. Pull requests tell 12 digits, and whoever makes two
 * commits that share them could have one approved and the other run.
 */
async function isAmbiguous(store: Store, repositoryId: string, sha: string): Promise<boolean> {
  return (
    (await findCommitsByPrefix(store, { repositoryId, name: null }, sha.slice(0, TOLD_DIGITS))).length > 1
  );
}

/** Who pushed the present head, and who has approved it since, and still does. */
async function findHeadFacts({
  pending,
  repositoryId,
  pullRequest,
  store,
}: PullRequestResolution & { readonly pullRequest: PullRequestState }): Promise<
  Omit<CommandFacts, "command">
> {
  const { number, source, headArrival, reviews } = pullRequest;
  const { sourceRepositoryId } = pending;
  if (source.sha === null || sourceRepositoryId === null) {
    return { approvals: [], pusherUuid: null, headSeenAt: null };
  }
  const branch = { repositoryId: sourceRepositoryId, name: source.branch };
  const push = (await isAmbiguous(store, sourceRepositoryId, source.sha))
    ? null
    : await findPushOfCommit(store, branch, source.sha);
  const head = await findHeadOfPullRequest(store, { repositoryId, number, sha: source.sha, headArrival });
  const approving = new Set(
    reviews.flatMap(({ userUuid, state }) => (state === "approved" && userUuid !== null ? [userUuid] : [])),
  );
  return {
    approvals: head.approvals.filter(({ userUuid }) => userUuid !== null && approving.has(userUuid)),
    pusherUuid: push?.pusherUuid ?? null,
    headSeenAt: head.seenAt,
  };
}
