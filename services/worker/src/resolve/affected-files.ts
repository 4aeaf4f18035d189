import type { DiffstatQuery, ListedFiles } from "@sluice/bitbucket/diffstat";
import { AppError } from "@sluice/domain/app-error";
import type { ChangedFiles } from "@sluice/domain/changed-files";
import { decisionNeedsFiles } from "@sluice/domain/decide";
import type { PushEvent } from "@sluice/domain/event";
import type { Target } from "@sluice/domain/target";

/** One way to learn what a push changed for a target: a comparison, or a conclusion that needs none. */
type Way =
  | { readonly kind: "compare"; readonly query: DiffstatQuery }
  | { readonly kind: "all"; readonly because: string };

/** Every path of a comparison, both names of a renamed file. */
export type GetDiffstat = (query: DiffstatQuery) => Promise<ListedFiles>;

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
  readonly getDiffstat: GetDiffstat;
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
      (await tryInTurn(waysToCompare(input.event, target, lastTracked), asked, input.getDiffstat));
    answers.set(key, answer);
    files.set(target.id, answer);
  }
  return files;
}

/**
 * How to compare, the best way first. The tracked branch: with the commit that it left, else with the one of the
 * target's newest tracked trigger; a branch that is new altogether holds nothing but new files. Another branch: with the commit that it
 * left, else (a new branch, or a commit that Bitbucket has dropped) with the tracked branch, from where they parted.
 */
export function waysToCompare(event: PushEvent, target: Target, lastTracked: string | null): readonly Way[] {
  const { newSha, oldSha, refName } = event;
  if (newSha === null) return [];
  const ways: Way[] = [];
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
  // Without the search for renamed files the comparison is cheaper: a last resort against a time-out.
  if (first?.kind === "compare") ways.push({ kind: "compare", query: { ...first.query, renames: false } });
  return ways;
}

async function tryInTurn(
  ways: readonly Way[],
  asked: Map<string, Promise<ChangedFiles>>,
  getDiffstat: GetDiffstat,
): Promise<ChangedFiles> {
  const failures: string[] = [];
  for (const way of ways) {
    if (way.kind === "all") return way;
    const key = JSON.stringify(way.query);
    const answer = asked.get(key) ?? compare(way.query, getDiffstat);
    asked.set(key, answer);
    const files = await answer;
    if (files.kind !== "unknown") return files;
    failures.push(files.because);
  }
  const because = failures.length > 0 ? failures.join("; ") : "Bitbucket sent no commit to compare with";
  return { kind: "unknown", because };
}

async function compare(query: DiffstatQuery, getDiffstat: GetDiffstat): Promise<ChangedFiles> {
  try {
    return await getDiffstat(query);
  } catch (error) {
    if (!(error instanceof AppError) || !NO_ANSWER.has(error.code)) throw error;
    const { spec, topic } = query;
    return {
      kind: "unknown",
      because: `diffstat ${spec.new}${topic ? "..." : ".."}${spec.old}: ${error.code}`,
    };
  }
}
