/** What an event that is not decided waits for, as far as the store knows. */
import { decisionNeedsFiles, decisionNeedsVersion } from "@sluice/domain/decide";
import type { PullRequestEvent, PushEvent } from "@sluice/domain/event";
import type { Target } from "@sluice/domain/target";
import type { Database } from "@sluice/store/client";
import { findPendingEvent, type PendingEvent } from "@sluice/store/pending-events";
import { findIntegrationStanding, type IntegrationStanding } from "@sluice/store/integration-standing";
import { listTargetsByRepository } from "@sluice/store/targets";
import { isShort, needsHead } from "@sluice/worker/decide-event";

/** What only Bitbucket knows, or has still to tell. */
type WantedFact =
  "branch_head" | "commit_hash" | "changed_files" | "module_version" | "pull_request" | "merge_push";

/** Why an event is not decided. */
export interface EventWaits {
  /** What Bitbucket has to be asked for; empty: nothing, so a worker has only not come to it. */
  readonly for: readonly WantedFact[];
  /** What can keep Bitbucket from being asked; null when it is not to be asked. */
  readonly integration: IntegrationStanding | null;
}

/** @returns null when the event is decided. */
export async function findEventWaits(db: Database, eventId: string): Promise<EventWaits | null> {
  const pending = await findPendingEvent(db, eventId);
  if (pending === null) return null;
  const { event, repositoryId } = pending;
  if (event.kind === "unsupported" || repositoryId === null) return { for: [], integration: null };
  const targets = (await listTargetsByRepository(db, [repositoryId])).get(repositoryId) ?? [];
  if (targets.length === 0) return { for: [], integration: null };
  const wanted = event.kind === "push" ? wantedByPush(pending, event, targets) : [wantedByReport(event)];
  const integration = wanted.length === 0 ? null : await findIntegrationStanding(db, pending.integrationId);
  return { for: wanted, integration };
}

function wantedByPush(pending: PendingEvent, event: PushEvent, targets: readonly Target[]): WantedFact[] {
  return [
    ...(needsHead(pending, targets) ? (["branch_head"] as const) : []),
    ...(isShort(event.newSha) ? (["commit_hash"] as const) : []),
    ...(targets.some((target) => decisionNeedsFiles(event, target)) ? (["changed_files"] as const) : []),
    ...(targets.some((target) => decisionNeedsVersion(event, target)) ? (["module_version"] as const) : []),
  ];
}

function wantedByReport({ action }: PullRequestEvent): WantedFact {
  return action === "merged" ? "merge_push" : "pull_request";
}

/** The same in words, as the end of a sentence. */
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

function describeObstacle(integration: IntegrationStanding | null): string | null {
  if (integration === null) return null;
  if (!integration.hasCredential) return "its integration has no credential: apply one";
  if (integration.blockedUntil !== null) {
    return `Bitbucket allows no call before ${integration.blockedUntil} (429)`;
  }
  return integration.isBudgetSpent ? "all calls that its integration may make in an hour were made" : null;
}
