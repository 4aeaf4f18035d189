import { AppError } from "@sluice/domain/app-error";
import { assertNever } from "@sluice/domain/assert-never";
import { adviseOnCommitLinks, type CommitLinks } from "@sluice/domain/commit-links";
import { commitKey, saveCommitLinks, saveRepositoryLinks } from "@sluice/store/commit-links";
import { askLater, finishCommitsToLink, type CommitToLink } from "@sluice/store/commits-to-link";

import { linkCommitsByBranch } from "./link-commits-by-branch.ts";
import {
  ensurePullRequest,
  leaveShareOfLinks,
  type LinkedRepository,
  type LinkOptions,
} from "./link-commits-pull-request.ts";

/** Answers of the integration's, not of the commit's: everything of the integration waits, and no attempt is used up. */
const LATER: ReadonlySet<string> = new Set([
  "bitbucket_unauthorized",
  "bitbucket_rate_limited",
  "bitbucket_budget_exhausted",
  "bitbucket_unavailable",
  "bitbucket_timeout",
  "bitbucket_unreachable",
  "credential_missing",
  "credential_refused",
  "sweep_share_used",
]);
/** After a 403, which may be of the repository alone: it must not hold up the others of the integration. */
const FORBIDDEN_FOR_MS = 60 * 60_000;
/** After as many answers that say nothing, a commit is linked by its branch. */
const MAX_ATTEMPTS = 4;
const FIRST_BACKOFF_MS = 2 * 60_000;

/** At least one, all of one repository. */
export type CommitsOfRepository = readonly [CommitToLink, ...CommitToLink[]];

/** What Bitbucket said of a commit. */
type Answer =
  /** Its links are saved; there may be none. */
  | "told"
  /** Bitbucket does not have it. */
  | "gone"
  /** Bitbucket is still looking. */
  | "indexing"
  /** A pull request has just changed whose webhook is on its way. */
  | "early"
  /** This commit is not told of, others may be. */
  | "not_told"
  | "not_installed";

/**
 * Asks Bitbucket about commits that were taken, links them, and says when to ask again about the others.
 * @returns false when the integration is to be left alone for a while: the commits are due as before.
 */
export async function linkCommitsOfRepository(
  commits: CommitsOfRepository,
  options: LinkOptions,
): Promise<boolean> {
  const { store, logger } = options;
  const [{ repositoryId: id, integrationId, uuid, fullName }] = commits;
  const left = new Map(commits.map((commit) => [commitKey(commit), commit]));
  const settle = async (those: readonly CommitToLink[]) => {
    for (const commit of those) left.delete(commitKey(commit));
    await finishCommitsToLink(store, those);
  };
  const wait = async (those: readonly CommitToLink[], afterMs: number) => {
    for (const commit of those) left.delete(commitKey(commit));
    await askLater(store, those, afterMs);
  };
  try {
    const client = await options.clientOf(integrationId);
    const repository = { id, integrationId, facts: { uuid, fullName }, client };
    const byBranch = await linkByAnswers(commits, repository, { ...options, settle, wait });
    const early = await linkCommitsByBranch(byBranch, repository, options);
    await wait(early, options.graceMs);
    await settle(byBranch.filter((commit) => !early.includes(commit)));
    return true;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const { code } = error;
    const isForbidden = code === "bitbucket_forbidden";
    if (isForbidden || LATER.has(code)) {
      logger.info({ repository: fullName, code }, "commit_links.postponed");
      await askLater(store, [...left.values()], isForbidden ? FORBIDDEN_FOR_MS : 0);
      return isForbidden;
    }
    logger.warn({ repository: fullName, err: error }, "commit_links.failed");
    for (const commit of left.values()) {
      if (commit.attempts + 1 >= MAX_ATTEMPTS) await finishCommitsToLink(store, [commit]);
      else await askLater(store, [oneMoreAttempt(commit)], backoffMs(commit));
    }
    return true;
  }
}

/**
 * Asks about one commit after the other, until the app turns out to be missing. Within a day of an answer the app is there,
 * and a 404 is about the commit; a missing app is asked for again after a day.
 * @returns the commits that are to be linked by their branch.
 */
async function linkByAnswers(
  commits: CommitsOfRepository,
  repository: LinkedRepository,
  options: LinkOptions & {
    readonly settle: (commits: readonly CommitToLink[]) => Promise<void>;
    readonly wait: (commits: readonly CommitToLink[], afterMs: number) => Promise<void>;
  },
): Promise<CommitToLink[]> {
  const byBranch: CommitToLink[] = [];
  const [{ commitLinks, isChecked }] = commits;
  let app = isChecked ? commitLinks : null;
  for (const commit of commits) {
    const answer = app === "not_installed" ? app : await askAbout(commit, repository, options, app);
    if (answer === "told" || answer === "early" || answer === "indexing") app = "available";
    switch (answer) {
      case "told":
      case "gone":
        await options.settle([commit]);
        break;
      case "early":
        await options.wait([commit], options.graceMs);
        break;
      case "indexing":
        if (commit.attempts + 1 >= MAX_ATTEMPTS) byBranch.push(commit);
        else await options.wait([oneMoreAttempt(commit)], backoffMs(commit));
        break;
      case "not_installed":
        app = answer;
        byBranch.push(commit);
        break;
      case "not_told":
        byBranch.push(commit);
        break;
      default:
        assertNever(answer);
    }
  }
  return byBranch;
}

async function askAbout(
  commit: CommitToLink,
  repository: LinkedRepository,
  options: LinkOptions,
  app: CommitLinks | null,
): Promise<Answer> {
  const { store, logger } = options;
  const { id, facts, client } = repository;
  await leaveShareOfLinks(options, repository);
  const answer = await client.listCommitPullRequests(facts, commit.commitSha);
  if (answer.kind === "not_available") {
    return app === "available" ? "not_told" : judgeNotFound(commit, repository, options);
  }
  const { fullName } = facts;
  if (await saveRepositoryLinks(store, id, "available")) {
    logger.info({ repository: fullName }, "commit_links.available");
  }
  if (answer.kind === "indexing") return "indexing";
  const numbers = answer.pullRequests.map(({ id: number }) => number);
  for (const number of numbers) {
    if (!(await ensurePullRequest({ number, facts: null }, repository, options))) return "early";
  }
  const { commitSha } = commit;
  await saveCommitLinks(
    store,
    numbers.map((number) => ({ repositoryId: id, commitSha, number, source: "bitbucket" })),
  );
  return "told";
}

/** What a 404 means where nothing was told within a day: the app is missing, unless the commit is. */
async function judgeNotFound(
  { commitSha }: CommitToLink,
  repository: LinkedRepository,
  options: LinkOptions,
): Promise<Answer> {
  const { store, logger } = options;
  const { id, facts, client } = repository;
  await leaveShareOfLinks(options, repository);
  try {
    await client.getCommit(facts, commitSha);
  } catch (error) {
    if (error instanceof AppError && error.code === "bitbucket_not_found") return "gone";
    throw error;
  }
  if (await saveRepositoryLinks(store, id, "not_installed")) {
    const { fullName } = facts;
    logger.warn(
      { repository: fullName, advice: adviseOnCommitLinks(fullName) },
      "commit_links.not_installed",
    );
  }
  return "not_installed";
}

function oneMoreAttempt(commit: CommitToLink): CommitToLink {
  return { ...commit, attempts: commit.attempts + 1 };
}

/** 2, 8 and 32 minutes. */
function backoffMs({ attempts }: CommitToLink): number {
  return FIRST_BACKOFF_MS * 4 ** attempts;
}
