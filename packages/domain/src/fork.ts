import type { Evidence, IgnoreDecision } from "./decide.ts";
import type { PullRequestEvent } from "./event.ts";
import { ignore } from "./ignore.ts";
import type { Target } from "./target.ts";

/**
 * The fork that a pull request comes from; null when it comes from the repository that it is to be merged into. A fork
 * that is gone cannot be told from any other, so it counts as one of nobody's.
 */
export function forkOf(
  event: Pick<PullRequestEvent, "repository" | "pullRequest">,
): NonNullable<Evidence["fork"]> | null {
  const source = event.pullRequest.source.repository;
  if (source === null) return { fullName: null };
  return source.uuid === event.repository.uuid ? null : { fullName: source.fullName };
}

/**
 * Refuses a pull request of a fork whose workspace the target does not name (rule 21): what is in a fork was written by
 * somebody who need not be allowed to write to the repository. Null: nothing is refused.
 */
export function refuseFork(
  fork: NonNullable<Evidence["fork"]> | null,
  target: Pick<Target, "allowedForkWorkspaces">,
  evidence: Evidence,
): IgnoreDecision | null {
  if (fork === null) return null;
  const workspace = workspaceOf(fork);
  const isAllowed = target.allowedForkWorkspaces.some((allowed) => allowed.toLowerCase() === workspace);
  return isAllowed ? null : ignore("fork_not_allowed", { ...evidence, fork });
}

/** Small, because Bitbucket does not tell the case of workspaces apart; null when the fork has no name. */
function workspaceOf({ fullName }: NonNullable<Evidence["fork"]>): string | null {
  return /^([^/]+)\//.exec(fullName ?? "")?.[1]?.toLowerCase() ?? null;
}
