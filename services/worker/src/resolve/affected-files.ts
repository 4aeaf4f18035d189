import type { DiffstatQuery, ListedFiles } from "@sluice/bitbucket/diffstat";
import { AppError } from "@sluice/domain/app-error";
import type { ChangedFiles } from "@sluice/domain/changed-files";
import { decisionNeedsFiles } from "@sluice/domain/decide";
import type { PullRequestFacts, PushEvent } from "@sluice/domain/event";
import type { Target } from "@sluice/domain/target";

/** One way to learn what an event changed for a target: a comparison, or a conclusion that needs none. */
type Way =
  | Comparison
  /** As Bitbucket shows the pull request now, which it can also for a fork. */
  | { readonly kind: "pull_request"; readonly number: number }
  | Conclusion;

interface Comparison {
  readonly kind: "compare";
  readonly query: DiffstatQuery;
}

interface Conclusion {
  readonly kind: "all";
  readonly because: string;
}

/** What lists every path of a comparison, both names of a renamed file. */
export interface Diffstats {
  readonly getDiffstat: (query: DiffstatQuery) => Promise<ListedFiles>;
  readonly getPullRequestDiffstat: (number: number) => Promise<ListedFiles>;
}

/** Answers after which a comparison is asked for in a second way, since waiting would not help (rule 17). */
const NO_ANSWER: ReadonlySet<string> = new Set([
  "bitbucket_not_found",
  "bitbucket_diff_timeout",
  "bitbucket_too_many_pages",
  "bitbucket_response_too_large",
  "bitbucket_bad_request",
  "bitbucket_invalid_name",
]);

/**
 * The changed files as each target sees them (rules 15 to 17), by target id; targets that need none are absent. Each
 * comparison is made once, whatever the number of targets.
 * @throws AppError of the client for anything that waiting can mend: 401, 403, 429, an outage.
 */
export async function findAffectedFiles(input: {
  readonly event: PushEvent;
  readonly targets: readonly Target[];
  /** By target: the commit of its newest tracked trigger. */
  readonly lastTracked: ReadonlyMap<string, string>;
  readonly diffstats: Diffstats;
}): Promise<ReadonlyMap<string, ChangedFiles>> {
  const asked = new Map<string, Promise<ChangedFiles>>();
  const answers = new Map<string, ChangedFiles>();
  const files = new Map<string, ChangedFiles>();
  for (const target of input.targets) {
    if (!decisionNeedsFiles(input.event, target)) continue;
    const lastTracked = input.lastTracked.get(target.id) ?? null;
    // All of a target that the ways depend on: thousands of targets have few of these between them.
    const key = `${lastTracked ?? "none"} ${target.trackedBranch}`;
    const answer =
      answers.get(key) ??
      (await tryInTurn(waysToCompare(input.event, target, lastTracked), asked, input.diffstats));
    answers.set(key, answer);
    files.set(target.id, answer);
  }
  return files;
}

/**
 * The files that a pull request changes, which are the same for every target (rule 15): from where it parted from its
 * destination.
 * @throws AppError as `findAffectedFiles` does.
 */
export async function findPullRequestFiles(input: {
  readonly pullRequest: PullRequestFacts;
  readonly isFork: boolean;
  readonly diffstats: Diffstats;
}): Promise<ChangedFiles> {
  const { pullRequest, isFork, diffstats } = input;
  return tryInTurn(waysToComparePullRequest(pullRequest, isFork), new Map(), diffstats);
}

function waysToComparePullRequest(
  { number, source, destination }: PullRequestFacts,
  isFork: boolean,
): readonly Way[] {
  if (isFork) return [{ kind: "pull_request", number }];
  const { sha } = source;
  if (sha === null) return [];
  const ways: Way[] = [destination.sha, destination.branch].flatMap((old) =>
    old === null ? [] : [{ kind: "compare", query: { spec: { new: sha, old }, topic: true } }],
  );
  const [first] = ways;
  return first?.kind === "compare" ? [...ways, withoutRenames(first.query)] : ways;
}

/** Without the search for renamed files a comparison is cheaper: a last resort against a time-out. */
function withoutRenames(query: DiffstatQuery): Comparison {
  return { kind: "compare", query: { ...query, renames: false } };
}

/**
 * How to compare, the best way first. The tracked branch: with the commit that it left, else with the one of the
 * target's newest tracked trigger; a branch that is new altogether holds nothing but new files. Another branch: with the commit that it
 * left, else (a new branch, or a commit that Bitbucket has dropped) with the tracked branch, from where they parted.
 */
export function waysToCompare(
  event: PushEvent,
  target: Target,
  lastTracked: string | null,
): readonly (Comparison | Conclusion)[] {
  const { newSha, oldSha, refName } = event;
  if (newSha === null) return [];
  const ways: (Comparison | Conclusion)[] = [];
  if (oldSha !== null)
    ways.push({ kind: "compare", query: { spec: { new: newSha, old: oldSha }, topic: false } });
  if (refName !== target.trackedBranch) {
    ways.push({ kind: "compare", query: { spec: { new: newSha, old: target.trackedBranch }, topic: true } });
  } else if (lastTracked !== null && lastTracked !== oldSha && lastTracked !== newSha) {
    ways.push({ kind: "compare", query: { spec: { new: newSha, old: lastTracked }, topic: false } });
  } else if (event.change === "created") {
    const because = lastTracked === null ? "is new" : "came back to the commit that ran last";
    ways.push({ kind: "all", because: `the tracked branch ${refName} ${because}` });
  }
  const [first] = ways;
  if (first?.kind === "compare") ways.push(withoutRenames(first.query));
  return ways;
}

async function tryInTurn(
  ways: readonly Way[],
  asked: Map<string, Promise<ChangedFiles>>,
  diffstats: Diffstats,
): Promise<ChangedFiles> {
  const failures: string[] = [];
  for (const way of ways) {
    if (way.kind === "all") return way;
    const key = JSON.stringify(way);
    const answer = asked.get(key) ?? compare(way, diffstats);
    asked.set(key, answer);
    const files = await answer;
    if (files.kind !== "unknown") return files;
    failures.push(files.because);
  }
  const because = failures.length > 0 ? failures.join("; ") : "Bitbucket sent no commit to compare with";
  return { kind: "unknown", because };
}

async function compare(way: Exclude<Way, { kind: "all" }>, diffstats: Diffstats): Promise<ChangedFiles> {
  try {
    return way.kind === "compare"
      ? await diffstats.getDiffstat(way.query)
      : await diffstats.getPullRequestDiffstat(way.number);
  } catch (error) {
    if (!(error instanceof AppError) || !NO_ANSWER.has(error.code)) throw error;
    return { kind: "unknown", because: `diffstat ${nameOf(way)}: ${error.code}` };
  }
}

function nameOf(way: Exclude<Way, { kind: "all" }>): string {
  if (way.kind === "pull_request") return `of pull request ${String(way.number)}`;
  const { spec, topic } = way.query;
  return `${spec.new}${topic ? "..." : ".."}${spec.old}`;
}
