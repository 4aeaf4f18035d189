import {
  isOutOfChain,
  moveBranch,
  placePush,
  type BranchState,
  type RecordedPush,
} from "@sluice/domain/branch";
import { branchKey, findBranches, saveBranches, type BranchName } from "@sluice/store/branches";
import type { Database } from "@sluice/store/client";
import { findPushesAround, type NewEvent } from "@sluice/store/events";

/** A push to a branch, as far as the branch is concerned. */
interface BranchPush extends BranchName {
  readonly oldSha: string | null;
  readonly newSha: string | null;
}

/**
 * Moves each branch through the batch's events in their order, and tells each event where its branch arrived. A push that
 * is recorded late gets its number before the pushes that came after it (rule 14). The caller holds the locks of the
 * repositories.
 */
export async function moveBranches(tx: Database, events: readonly NewEvent[]): Promise<NewEvent[]> {
  const pushes = events.flatMap((event) => toBranchPush(event) ?? []);
  if (pushes.length === 0) return [...events];
  const known = await findBranches(tx, pushes);
  const moved = new Map<string, BranchName & BranchState>();
  const placed: NewEvent[] = [];
  for (const event of events) {
    const push = toBranchPush(event);
    if (push === null) {
      placed.push(event);
      continue;
    }
    const key = branchKey(push);
    const before = moved.get(key) ?? known.get(key) ?? null;
    const place = placePush(push, before, await findRecorded(tx, push, before, placed));
    if (place.kind === "repeated") {
      placed.push({ ...event, sequence: place.push.sequence, branchArrival: place.push.branchArrival });
    } else if (place.kind === "late") {
      const sequence = place.before.sequence - 1;
      placed.push({ ...event, sequence, branchArrival: sequence });
    } else {
      const after = moveBranch(before, { newSha: push.newSha, sequence: event.sequence });
      moved.set(key, { repositoryId: push.repositoryId, name: push.name, ...after });
      placed.push({ ...event, branchArrival: after.arrivalSequence });
    }
  }
  if (moved.size > 0) await saveBranches(tx, [...moved.values()]);
  return placed;
}

/** The pushes among which an unexpected one may belong: of this batch, and in the store; the newest first. */
async function findRecorded(
  tx: Database,
  push: BranchPush,
  known: BranchState | null,
  placed: readonly NewEvent[],
): Promise<RecordedPush[]> {
  if (!isOutOfChain(push, known)) return [];
  const { repositoryId, name: refName, oldSha, newSha } = push;
  const ofBatch = placed.flatMap((event) => {
    const other = toBranchPush(event);
    return other === null || branchKey(other) !== branchKey(push) ? [] : [{ ...other, ...event }];
  });
  const stored = await findPushesAround(tx, { repositoryId, refName, oldSha, newSha });
  return [...ofBatch, ...stored].toSorted((a, b) => b.sequence - a.sequence);
}

function toBranchPush({ repositoryId, event }: NewEvent): BranchPush | null {
  if (repositoryId === null || event.kind !== "push" || event.refKind !== "branch") return null;
  return { repositoryId, name: event.refName, oldSha: event.oldSha, newSha: event.newSha };
}
