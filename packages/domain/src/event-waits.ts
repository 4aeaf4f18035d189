/** What an event that is not decided waits for. */
import { decisionNeedsFiles, decisionNeedsVersion } from "./decide.ts";
import type { Event, PullRequestEvent, PushEvent } from "./event.ts";
import type { Target } from "./target.ts";

/** What only Bitbucket knows, or has still to tell. */
export type WantedFact =
  "branch_head" | "commit_hash" | "changed_files" | "module_version" | "pull_request" | "merge_push";

/** Whether Bitbucket may be asked on behalf of an integration. */
export interface AskingStanding {
  readonly hasCredential: boolean;
  /** Why nobody calls with the credential (rule 17); null while it is used. */
  readonly refused: RefusedCredential | null;
  /** RFC 3339: after a 429, no call before; null when that is over, or never was. */
  readonly blockedUntil: string | null;
  /** Whether all calls of the last hour that are allowed were made. */
  readonly isBudgetSpent: boolean;
}

/** A credential that Bitbucket does not accept. Times are RFC 3339. */
export interface RefusedCredential {
  readonly since: string;
  /** The status that Bitbucket refused it with; null: it was not kept. */
  readonly httpStatus: number | null;
  /** When it is tried again; null: in a moment. */
  readonly nextCheckAt: string | null;
}

/** Why an event is not decided. */
export interface EventWaits {
  /** What Bitbucket has to be asked for; empty: nothing, so a worker has only not come to it. */
  readonly for: readonly WantedFact[];
  /** What can keep Bitbucket from being asked; null when it is not to be asked. */
  readonly integration: AskingStanding | null;
}

/** An event, and what its branch tells of its place. */
export interface PlacedEvent {
  readonly event: Event;
  /** False for a push whose place among those of its branch Bitbucket has to be asked about (rule 14). */
  readonly isPlaced: boolean;
  /**
   * Of a deletion that is not placed: whether the same hook told a push of the branch twice. The second may be another push,
   * by which the branch was made again. False for everything else.
   */
  readonly isBranchToldAgain: boolean;
}

/** What is wanted before an event of a repository with these targets can be decided. */
export function wantedFacts(placed: PlacedEvent, targets: readonly Target[]): WantedFact[] {
  const { event } = placed;
  if (event.kind === "unsupported" || targets.length === 0) return [];
  return event.kind === "push" ? wantedByPush(placed, event, targets) : [wantedByReport(event)];
}

function wantedByPush(placed: PlacedEvent, event: PushEvent, targets: readonly Target[]): WantedFact[] {
  return [
    ...(needsHead(placed, targets) ? (["branch_head"] as const) : []),
    ...(isShort(event.newSha) ? (["commit_hash"] as const) : []),
    ...(targets.some((target) => decisionNeedsFiles(event, target)) ? (["changed_files"] as const) : []),
    ...(targets.some((target) => decisionNeedsVersion(event, target)) ? (["module_version"] as const) : []),
  ];
}

function wantedByReport({ action }: PullRequestEvent): WantedFact {
  return action === "merged" ? "merge_push" : "pull_request";
}

/**
 * Whether the place of a push is not known, and matters: tracked triggers have an order, and a proposed one must not be made
 * for a branch that has moved on or is gone. Where nobody tracks it, a deletion comes last as a rule: Bitbucket is asked
 * about one only if a push was told again, by which the branch may have been made again.
 */
export function needsHead(
  { event, isPlaced, isBranchToldAgain }: PlacedEvent,
  targets: readonly Target[],
): boolean {
  if (event.kind !== "push" || isPlaced) return false;
  const mayRunLast = event.newSha !== null || isBranchToldAgain;
  return targets.some(
    ({ trackedBranch, state }) => trackedBranch === event.refName || (mayRunLast && state === "active"),
  );
}

/** Whether a hash has to be expanded to its 40 digits before anything is keyed on it (rule 12). */
export function isShort(sha: string | null): sha is string {
  return sha !== null && sha.length < 40;
}

/** What an event waits for in words, as the end of a sentence. */
export function describeWaits({ for: wanted, integration }: EventWaits): string {
  if (wanted.length === 0) return "waits for a worker (has its job failed? `sluice queue failed events`)";
  const what = wanted.map((fact) => FACT_WORDS[fact]).join(", and for ");
  const obstacle = describeObstacle(integration);
  return `waits for ${what}${obstacle === null ? "" : `; ${obstacle}`}`;
}

const FACT_WORDS: Readonly<Record<WantedFact, string>> = {
  branch_head: "Bitbucket's head of the branch, since its pushes do not say in which order they were made",
  commit_hash: "the whole hash of its commit from Bitbucket",
  changed_files: "the list of changed files from Bitbucket",
  module_version: "the version of a module, from a file that Bitbucket has",
  pull_request: "a worker, or for what Bitbucket says of the pull request",
  merge_push: "the push of the merge commit to be told and decided",
};

function describeObstacle(integration: AskingStanding | null): string | null {
  if (integration === null) return null;
  if (!integration.hasCredential) return "its integration has no credential: apply one";
  if (integration.refused !== null) return describeRefused(integration.refused);
  if (integration.blockedUntil !== null) {
    return `Bitbucket allows no call before ${integration.blockedUntil} (429)`;
  }
  return integration.isBudgetSpent ? "all calls that its integration may make in an hour were made" : null;
}

/** What to do about it too: it goes on by itself then. */
function describeRefused({ since, httpStatus, nextCheckAt }: RefusedCredential): string {
  const status = httpStatus === null ? "" : ` (${String(httpStatus)})`;
  const remedy =
    httpStatus === 403
      ? "it is let into no repository: look at its permissions, its owner's access and the addresses that the workspace allows"
      : "it is wrong, expired or revoked: give the integration a new one";
  const next = nextCheckAt === null ? "in a moment" : `at ${nextCheckAt}`;
  return `Bitbucket refuses the credential of its integration since ${since}${status}, ${remedy}; it is tried again ${next}`;
}
