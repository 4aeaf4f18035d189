/** Whether a delivery says what it was recorded to say, and its events as they were before they were decided. */
import { assertNever } from "@sluice/domain/assert-never";
import type { Event, PullRequestAction, PullRequestEvent, PushEvent } from "@sluice/domain/event";
import type { PendingEvent } from "@sluice/store/pending-events";
import type { RecordedDelivery, RecordedEvent } from "@sluice/store/replayed-deliveries";

/** What an update may have been refined to (rule 11). */
const UPDATES: readonly PullRequestAction[] = ["updated", "synchronize", "edited"];

/**
 * The recorded events with the facts that the delivery is read to tell now, in the order of its body, and in the places
 * that they have. Null when it is read otherwise than it was.
 */
export function matchEvents(
  delivery: RecordedDelivery,
  recorded: readonly RecordedEvent[],
  told: readonly Event[],
): readonly PendingEvent[] | null {
  if (recorded.length !== told.length) return null;
  const matched: PendingEvent[] = [];
  for (const [place, stored] of recorded.entries()) {
    const event = told[place];
    const refined = event === undefined ? null : refine(event, stored);
    if (refined === null) return null;
    matched.push(toPending(delivery, stored, refined));
  }
  return matched;
}

function toPending(delivery: RecordedDelivery, stored: RecordedEvent, event: Event): PendingEvent {
  const { id, sequence, repositoryId, sourceRepositoryId, branchArrival } = stored;
  const { id: deliveryId, requestId, integrationId, receivedAt, source } = delivery;
  return {
    id,
    deliveryId,
    requestId,
    integrationId,
    sequence,
    receivedAt,
    repositoryId,
    sourceRepositoryId,
    branchArrival,
    // It was decided: so it has its place, whatever is open on its branch by now.
    isPlaced: true,
    isBranchToldAgain: false,
    source,
    event,
  };
}

/** The event with what was learned of it since it was told; null when it is another one than the recorded. */
function refine(event: Event, stored: RecordedEvent): Event | null {
  switch (event.kind) {
    case "unsupported":
      return stored.kind === "unsupported" && stored.eventKey === event.eventKey ? event : null;
    case "push":
      return refinePush(event, stored);
    case "pull_request":
      return refinePullRequest(event, stored);
    default:
      return assertNever(event);
  }
}

function refinePush(event: PushEvent, stored: RecordedEvent): PushEvent | null {
  const isSame =
    stored.kind === "push" &&
    stored.refKind === event.refKind &&
    stored.refName === event.refName &&
    stored.change === event.change &&
    isSameCommit(stored.oldSha, event.oldSha) &&
    isSameCommit(stored.newSha, event.newSha);
  if (!isSame) return null;
  return { ...event, repository: renamed(event, stored), newSha: stored.newSha };
}

function refinePullRequest(event: PullRequestEvent, stored: RecordedEvent): PullRequestEvent | null {
  const { pullRequest, action } = event;
  const { source } = pullRequest;
  const isUpdate = action === "updated" && stored.action !== null && UPDATES.includes(stored.action);
  const isSame =
    stored.kind === "pull_request" &&
    stored.pullRequestNumber === pullRequest.number &&
    (stored.action === action || isUpdate) &&
    isSameCommit(stored.newSha, source.sha);
  if (!isSame) return null;
  return {
    ...event,
    repository: renamed(event, stored),
    // A pull request that was never seen before is stored by now: the update was what told of its head.
    action: stored.action === "updated" ? "synchronize" : (stored.action ?? action),
    pullRequest: { ...pullRequest, source: { ...source, sha: stored.newSha } },
  };
}

/** By the name that the repository has now. */
function renamed(
  { repository }: PushEvent | PullRequestEvent,
  { repositoryName }: RecordedEvent,
): PushEvent["repository"] {
  return { ...repository, fullName: repositoryName ?? repository.fullName };
}

/** A hash may have been expanded since (rule 12). */
function isSameCommit(stored: string | null, told: string | null): boolean {
  return stored === told || (stored !== null && told !== null && stored.startsWith(told));
}
