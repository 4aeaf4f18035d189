import type { BranchState } from "@sluice/domain/branch";
import type { Event, RepositoryFacts } from "@sluice/domain/event";
import type { PullRequestState } from "@sluice/domain/pull-request";
import type { Target } from "@sluice/domain/target";
import type { RawDelivery } from "@sluice/queue/delivery-codec";
import { findSeenBranches } from "@sluice/store/branches";
import type { Database } from "@sluice/store/client";
import { insertDeliveries, type DeliveryRow } from "@sluice/store/deliveries";
import { drawEvents, type NewEvent } from "@sluice/store/events";
import { listPendingEventsOfDeliveries, type PendingEvent } from "@sluice/store/pending-events";
import { findSeenPullRequests, type NewPullRequest } from "@sluice/store/pull-requests";
import {
  areSettled,
  lockKnownRepositories,
  lockSeenRepositories,
  lockSettledRepositories,
  repositoryKey,
  type LockedRepository,
} from "@sluice/store/repositories";
import { listTargetsOfSeen } from "@sluice/store/targets";
import { allAnswered } from "@sluice/store/transaction";

import { moveBranches, type MovedBranches } from "./move-branches.ts";
import { movePullRequests } from "./move-pull-requests.ts";
import type { ReadDelivery } from "./read-delivery.ts";

/** What the deliveries of a transaction bring, under the locks of their repositories. */
export interface PlacedDeliveries extends MovedBranches {
  /** Of the events' repositories, by repository id. */
  readonly targets: ReadonlyMap<string, readonly Target[]>;
  /** The pull requests in the state to which the batch brings them: to be saved. */
  readonly pullRequests: readonly NewPullRequest[];
  /**
   * Undecided events of deliveries that were recorded before: whoever recorded them may have died before it could pass
   * them on.
   */
  readonly leftBehind: readonly PendingEvent[];
}

/**
 * Writes deliveries, locks the repositories that they name, and finds the place of each event: the events themselves and
 * the branches that they move are not written yet. A delivery that is recorded already changes nothing. One wait for
 * Postgres, unless a delivery or a repository is not as expected.
 */
export async function placeDeliveries(
  tx: Database,
  deliveries: readonly ReadDelivery[],
): Promise<PlacedDeliveries> {
  const given = eachOnce(deliveries);
  const all = given.flatMap(toFound);
  const [newIds, first] = await allAnswered([
    insertDeliveries(tx, given.map(toDeliveryRow)),
    lockAndLook(tx, all, lockSettledRepositories),
  ]);
  const known = given.flatMap(({ raw }) => (newIds.has(raw.id) ? [] : [raw.id]));
  const leftBehind = known.length > 0 ? await listPendingEventsOfDeliveries(tx, known) : [];
  const found = all.filter(({ raw }) => newIds.has(raw.id));
  const look = areSettled(first.repositories, found.flatMap(repositoriesOf))
    ? first
    : await settleAndLook(tx, found);
  const { events, pullRequests } = movePullRequests(numberEvents(found, look), look);
  const moved = await moveBranches(tx, events, look.branches);
  return { ...moved, pullRequests, targets: look.targets, leftBehind };
}

/** An event of a delivery. */
interface FoundEvent {
  readonly raw: RawDelivery;
  readonly event: Event;
  readonly index: number;
}

/** What was seen once the repositories were locked. */
interface Look {
  readonly repositories: ReadonlyMap<string, LockedRepository>;
  /** For as many events as were found. */
  readonly drawn: readonly Pick<NewEvent, "id" | "sequence">[];
  readonly branches: ReadonlyMap<string, BranchState>;
  readonly known: ReadonlyMap<string, PullRequestState>;
  readonly targets: ReadonlyMap<string, readonly Target[]>;
}

/** One flight, in which the locks come first. */
async function lockAndLook(
  tx: Database,
  found: readonly FoundEvent[],
  lock: typeof lockKnownRepositories,
): Promise<Look> {
  if (found.length === 0)
    return { repositories: new Map(), drawn: [], branches: new Map(), known: new Map(), targets: new Map() };
  const seen = found.flatMap(repositoriesOf);
  const [repositories, drawn, branches, known, targets] = await allAnswered([
    lock(tx, seen),
    drawEvents(tx, found.length),
    findSeenBranches(tx, found.flatMap(branchOf)),
    findSeenPullRequests(tx, found.flatMap(pullRequestOf)),
    listTargetsOfSeen(tx, seen),
  ]);
  return { repositories, drawn, branches, known, targets };
}

/** For a repository that is seen for the first time, or under a new name: what was read without its lock is read again. */
async function settleAndLook(tx: Database, found: readonly FoundEvent[]): Promise<Look> {
  await lockSeenRepositories(tx, found.flatMap(repositoriesOf));
  return lockAndLook(tx, found, lockKnownRepositories);
}

function numberEvents(found: readonly FoundEvent[], { repositories, drawn }: Look): NewEvent[] {
  return found.map(({ raw, event, index }, place) => {
    const numbered = drawn[place];
    if (numbered === undefined) throw new Error("fewer numbers were drawn than there are events");
    const { id: deliveryId, integrationId, requestId, eventKey, receivedAt, hookId, attempt } = raw;
    const idOf = (repository: RepositoryFacts | null): string | null =>
      repository === null
        ? null
        : (repositories.get(repositoryKey({ integrationId, uuid: repository.uuid }))?.id ?? null);
    return {
      ...numbered,
      deliveryId,
      requestId,
      integrationId,
      index,
      eventKey,
      event,
      repositoryId: idOf(event.kind === "unsupported" ? null : event.repository),
      sourceRepositoryId: idOf(event.kind === "pull_request" ? event.pullRequest.source.repository : null),
      branchArrival: null,
      isPlaced: true,
      isBranchToldAgain: false,
      isToldAgain: false,
      receivedAt,
      hookId,
      attempt,
      source: sourceOf(raw),
    };
  });
}

/** The same request may be in one batch twice; its first place counts. */
function eachOnce(deliveries: readonly ReadDelivery[]): readonly ReadDelivery[] {
  const first = new Map<string, ReadDelivery>();
  for (const delivery of deliveries) {
    if (!first.has(delivery.raw.id)) first.set(delivery.raw.id, delivery);
  }
  return [...first.values()];
}

function toFound({ raw, events }: ReadDelivery): FoundEvent[] {
  return events.map((event, index) => ({ raw, event, index }));
}

/** Of a pull request also that of its source, which may be a fork. */
function repositoriesOf({ raw: { integrationId, receivedAt }, event }: FoundEvent) {
  if (event.kind === "unsupported") return [];
  const source = event.kind === "pull_request" ? event.pullRequest.source.repository : null;
  return [event.repository, ...(source === null ? [] : [source])].map((one) => ({
    integrationId,
    receivedAt,
    ...one,
  }));
}

function branchOf({ raw: { integrationId }, event }: FoundEvent) {
  if (event.kind !== "push" || event.refKind !== "branch") return [];
  return [{ integrationId, uuid: event.repository.uuid, name: event.refName }];
}

function pullRequestOf({ raw: { integrationId }, event }: FoundEvent) {
  if (event.kind !== "pull_request") return [];
  return [{ integrationId, uuid: event.repository.uuid, number: event.pullRequest.number }];
}

function toDeliveryRow({ raw, body, events, failure }: ReadDelivery): DeliveryRow {
  return { ...raw, source: sourceOf(raw), body, outcome: outcomeOf(events, failure), failure };
}

function sourceOf({ source }: RawDelivery): DeliveryRow["source"] {
  return source ?? "webhook";
}

function outcomeOf(events: ReadDelivery["events"], failure: ReadDelivery["failure"]): DeliveryRow["outcome"] {
  if (failure !== null) return "failed";
  if (events.length === 0) return "no_events";
  return events.some((event) => event.kind !== "unsupported") ? "events" : "unsupported";
}
