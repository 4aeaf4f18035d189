import type { CommitToLink } from "@sluice/store/commits-to-link";
import {
  commitKey,
  listBranchesOfCommits,
  listStoredPullRequestsOf,
  saveCommitLinks,
  type CommitBranch,
  type CommitLink,
} from "@sluice/store/commit-links";

import {
  ensurePullRequest,
  leaveShareOfLinks,
  type LinkedRepository,
  type LinkOptions,
} from "./link-commits-pull-request.ts";

/**
 * Links commits to the open pull requests from their branches, where Bitbucket cannot tell those of a commit: to what is
 * stored, else to what Bitbucket lists, asked once for each branch.
 * @returns the commits to be looked at again, when the webhooks of their pull requests have come.
 */
export async function linkCommitsByBranch(
  commits: readonly CommitToLink[],
  repository: LinkedRepository,
  options: LinkOptions,
): Promise<CommitToLink[]> {
  const { store } = options;
  const branches = await listBranchesOfCommits(store, commits);
  const stored = await listStoredPullRequestsOf(store, branches);
  await saveCommitLinks(
    store,
    stored.map((link) => ({ ...link, source: "branch" })),
  );
  const linked = new Set(stored.map(commitKey));
  const left = branches.filter((branch) => !linked.has(commitKey(branch)));
  const early = new Set<string>();
  for (const branch of new Set(left.map((one) => one.branch))) {
    const ofBranch = left.filter((one) => one.branch === branch);
    for (const commit of await linkBranch(branch, ofBranch, repository, options))
      early.add(commitKey(commit));
  }
  return commits.filter((commit) => early.has(commitKey(commit)));
}

/** Links commits of one branch to all its pull requests, or to none yet. @returns those that are to be looked at again. */
async function linkBranch(
  sourceBranch: string,
  branches: readonly CommitBranch[],
  repository: LinkedRepository,
  options: LinkOptions,
): Promise<readonly CommitBranch[]> {
  await leaveShareOfLinks(options, repository);
  const numbers: number[] = [];
  for (const facts of await repository.client.listOpenPullRequests(repository.facts, { sourceBranch })) {
    const { number, source } = facts;
    // A fork's branch has nothing to do with one of the same name here (rule 11).
    if (source.repository?.uuid !== repository.facts.uuid) continue;
    if (!(await ensurePullRequest({ number, facts }, repository, options))) return branches;
    numbers.push(number);
  }
  await saveCommitLinks(
    options.store,
    branches.flatMap(({ repositoryId, commitSha }) =>
      numbers.map((number): CommitLink => ({ repositoryId, commitSha, number, source: "branch" })),
    ),
  );
  return [];
}
