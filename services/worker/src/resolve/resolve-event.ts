import type { BitbucketClient } from "@sluice/bitbucket/client";
import { AppError } from "@sluice/domain/app-error";
import { decisionNeedsFiles } from "@sluice/domain/decide";
import type { PushEvent } from "@sluice/domain/event";
import { isShort, needsHead } from "@sluice/domain/event-waits";
import type { Target } from "@sluice/domain/target";
import type { Store } from "@sluice/store/client";
import type { PendingEvent } from "@sluice/store/pending-events";
import { listBaselineTargetsOfPullRequest } from "@sluice/store/open-pull-requests";
import { listBaselineTargets } from "@sluice/store/swept-branches";
import { findLastTrackedCommits } from "@sluice/store/tracked-commits";

import { decideEvent, pushNeedsBitbucket, type DecidedEvent } from "../decide-event.ts";
import { findAffectedFiles } from "./affected-files.ts";
import { expandSha } from "./expand-sha.ts";
import { giveVersions } from "./give-versions.ts";
import { resolvePullRequest } from "./resolve-pull-request.ts";
import { settlePlace } from "./settle-branch.ts";

const WAIT_MS = 30_000;
/** All that wait for one repository are not to use up the calls of the others. */
const MAX_FORBIDDEN_WAIT_MS = 15 * 60_000;
/** Longer than a settled answer of Bitbucket is waited for (`settle-branch.ts`). */
const PROPOSAL_PATIENCE_MS = 3 * 60_000;

/** What an event is resolved with. */
interface Resolution {
  readonly pending: PendingEvent;
  readonly targets: readonly Target[];
  readonly store: Store;
  readonly clientOf: (integrationId: string) => Promise<BitbucketClient>;
  /** Gives jobs to events that are to be decided anew. */
  readonly enqueueRecovered: (ids: readonly string[]) => Promise<void>;
}

/**
 * Learns from Bitbucket what an event's targets need to know, and decides.
 * @returns null when another worker decided it meanwhile.
 * @throws AppError with `retry.afterMs` for anything that waiting can mend: the job holds no worker meanwhile.
 */
export async function resolveEvent(input: Resolution): Promise<DecidedEvent | null> {
  const { targets } = input;
  const pending = afterPatience(input.pending, targets);
  const { event, repositoryId } = pending;
  const baselineOf = await findBaselineTargets(input);
  const asking = targets.filter(({ id }) => !baselineOf.has(id));
  try {
    if (event.kind === "pull_request" && repositoryId !== null && targets.length > 0) {
      return await resolvePullRequest({ ...input, event, repositoryId, baselineOf });
    }
    // Its targets may have changed since it was given a job: what needs no credential must not wait for one.
    if (event.kind !== "push" || !pushNeedsBitbucket(pending, event, asking)) {
      const commitSha = event.kind === "push" && !isShort(event.newSha) ? event.newSha : null;
      return decideEvent({ pending, targets, files: new Map(), commitSha, baselineOf });
    }
    return await resolvePush({ ...input, pending, event, baselineOf });
  } catch (error) {
    throw waitInsteadOfFailing(error, Date.now() - Date.parse(pending.receivedAt));
  }
}

/**
 * A push to a branch that nobody tracks does not wait for its place for ever, as where there is no credential to ask with: a
 * proposed run of what may be gone does no harm.
 */
function afterPatience(pending: PendingEvent, targets: readonly Target[]): PendingEvent {
  const { event, isPlaced, receivedAt } = pending;
  if (event.kind !== "push" || isPlaced) return pending;
  const isTracked = targets.some(({ trackedBranch }) => trackedBranch === event.refName);
  const hasWaited = Date.now() - Date.parse(receivedAt) > PROPOSAL_PATIENCE_MS;
  return isTracked || !hasWaited ? pending : { ...pending, isPlaced: true };
}

/** Only what a sweep found can be a baseline (rule 34). */
async function findBaselineTargets({ pending, store }: Resolution): Promise<ReadonlySet<string>> {
  const { source, event, repositoryId } = pending;
  if (source !== "sweep" || repositoryId === null) return new Set();
  if (event.kind === "pull_request" && event.action !== "closed") {
    const { updatedOn } = event.pullRequest;
    return listBaselineTargetsOfPullRequest(store, { repositoryId, updatedOn });
  }
  if (event.kind !== "push") return new Set();
  return listBaselineTargets(store, { repositoryId, name: event.refName, ...event });
}

interface PushResolution extends Resolution {
  readonly event: PushEvent;
  readonly baselineOf: ReadonlySet<string>;
}

async function resolvePush(input: PushResolution): Promise<DecidedEvent | null> {
  const { event, targets, store, baselineOf } = input;
  const client = await input.clientOf(input.pending.integrationId);
  const pending = needsHead(input.pending, targets) ? await settlePlace({ ...input, client }) : input.pending;
  if (pending === null) return null;
  const newSha = await expandHead(input, event);
  const asking = targets.filter((target) =>
    decisionNeedsFiles(event, target, { pullRequest: null, isBaseline: baselineOf.has(target.id) }),
  );
  const files = await findAffectedFiles({
    event: { ...event, newSha },
    targets: asking,
    lastTracked: await findLastTrackedCommits(
      store,
      asking.filter(({ trackedBranch }) => trackedBranch === event.refName).map(({ id }) => id),
    ),
    diffstats: {
      getDiffstat: (query) => client.getDiffstat(event.repository, query),
      getPullRequestDiffstat: (number) => client.getPullRequestDiffstat(event.repository, number),
    },
  });
  const decided = decideEvent({ pending, targets, files, commitSha: newSha, baselineOf });
  if (newSha === null) return decided;
  const decisions = await giveVersions(decided.decisions, targets, (path) =>
    client.getFile(event.repository, { sha: newSha, path }),
  );
  return { ...decided, decisions };
}

/** Short hashes become 40 digits before anything is keyed on them (rule 12). */
async function expandHead(
  { pending, store, clientOf }: Resolution,
  { newSha, repository, refName: name }: PushEvent,
): Promise<string | null> {
  if (!isShort(newSha)) return newSha;
  const { repositoryId, integrationId } = pending;
  const sha = await expandSha({
    sha: newSha,
    branch: repositoryId === null ? null : { repositoryId, name },
    repositories: [repository],
    store,
    clientOf: () => clientOf(integrationId),
  });
  if (sha !== null) return sha;
  const message = `Bitbucket has no commit ${newSha} in ${repository.fullName}`;
  throw new AppError("commit_not_found", message, { retry: { afterMs: WAIT_MS } });
}

/**
 * Whatever Bitbucket answered, the event waits and asks again (rule 17): until it is decided, nothing later on its branch
 * is handed out, so it must never end among the failed jobs.
 */
function waitInsteadOfFailing(error: unknown, ageMs: number): unknown {
  if (
    !(error instanceof AppError) ||
    typeof error.retry === "object" ||
    !error.code.startsWith("bitbucket_")
  ) {
    return error;
  }
  const isForbidden = error.code === "bitbucket_forbidden";
  const afterMs = isForbidden ? Math.min(Math.max(ageMs, WAIT_MS), MAX_FORBIDDEN_WAIT_MS) : WAIT_MS;
  return new AppError(error.code, error.message, { retry: { afterMs }, cause: error.cause });
}
