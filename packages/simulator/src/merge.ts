/** The commit that a merge of a pull request puts on the destination branch. */
import { createCommit, toCommitAuthor, type Commit } from "./commit.ts";
import type { Account } from "./account.ts";
import { isAncestor } from "./commit-graph.ts";
import { destinationCommit, pullRequestBase, type PullRequestState } from "./pull-request-state.ts";
import type { SeededSource } from "./seeded-source.ts";
import { SimulatorError } from "./simulator-error.ts";
import { mergeTrees } from "./tree-merge.ts";

export type MergeStrategy = "merge_commit" | "squash" | "fast_forward";

/**
 * The destination's new head. `fast_forward` makes no commit: it is the source's head.
 * @throws SimulatorError merge_conflict; not_mergeable when the destination is gone or fast_forward is not possible
 */
export function createMergeResult(
  pull: PullRequestState,
  options: {
    readonly strategy: MergeStrategy;
    readonly by: Account;
    readonly message?: string;
    readonly source: SeededSource;
  },
): Commit {
  const destination = destinationCommit(pull);
  if (destination === null) {
    throw new SimulatorError("not_mergeable", `${pull.destinationBranch} is gone: pull request #${pull.id}`);
  }
  if (options.strategy === "fast_forward") {
    if (isAncestor(destination, pull.sourceCommit)) return pull.sourceCommit;
    throw new SimulatorError("not_mergeable", `${pull.destinationBranch} has commits that #${pull.id} lacks`);
  }
  return createCommit({
    parents: options.strategy === "squash" ? [destination] : [destination, pull.sourceCommit],
    tree: mergeTrees(pullRequestBase(pull)?.tree ?? null, destination.tree, pull.sourceCommit.tree),
    author: toCommitAuthor(options.by),
    message: options.message ?? mergeMessage(pull),
    date: options.source.now(),
    sequence: options.source.nextNumber(),
  });
}

function mergeMessage(pull: PullRequestState): string {
  const approvals = pull.participants
    .filter((participant) => participant.verdict === "approved")
    .map((participant) => `Approved-by: ${participant.account.displayName}\n`);
  const title = `Merged in ${pull.sourceBranch} (pull request #${pull.id})\n\n${pull.title}\n`;
  return approvals.length === 0 ? title : `${title}\n${approvals.join("")}`;
}
