import {
  continuesChain,
  placePush,
  SWEEP_HOOK,
  type BranchMove,
  type BranchState,
  type RecordedPush,
} from "@sluice/domain/branch";
import { listRecentPushes, rearrangePushes } from "@sluice/store/branch-pushes";
import { branchKey, type BranchName } from "@sluice/store/branches";
import type { Database } from "@sluice/store/client";
import type { NewEvent } from "@sluice/store/events";
import { lockOutClaims } from "@sluice/store/triggers";

/** The events of a batch in their places, and the branches in the state to which the batch brings them: to be saved. */
export interface MovedBranches {
  readonly events: readonly NewEvent[];
  readonly moved: readonly (BranchName & BranchState)[];
  /** Events of the store that were duplicates, and now wait for decisions of their own. */
  readonly recoveredIds: readonly string[];
}

/** A branch while a batch moves it. */
interface BranchInMotion {
  readonly name: BranchName;
  state: BranchState | null;
  /** Those of its pushes in the store that the last one which did not go on from the head had to be looked for among. */
  stored: readonly RecordedPush[];
  /** Pushes of this batch, by the places of their events. */
  readonly ofBatch: Map<number, RecordedPush>;
  readonly recoveredIds: string[];
}

/**
 * Moves each branch through the batch's events in their order, and tells each event its place and where its branch
 * arrived; a push that comes late takes the place of those that came after it (rule 14). The caller holds the locks of the
 * repositories, and looked after that what is `known` of the branches, by `branchKey`.
 */
export async function moveBranches(
  tx: Database,
  events: readonly NewEvent[],
  known: ReadonlyMap<string, BranchState>,
): Promise<MovedBranches> {
  const branches = new Map<string, BranchInMotion>();
  for (const [place, event] of events.entries()) {
    const name = branchNameOf(event);
    if (name === null) continue;
    const key = branchKey(name);
    const branch = branches.get(key) ?? {
      name,
      state: known.get(key) ?? null,
      stored: [],
      ofBatch: new Map(),
      recoveredIds: [],
    };
    branches.set(key, branch);
    await moveBranch(tx, branch, place, event);
  }
  const placed = new Map(
    [...branches.values()].flatMap(({ state, ofBatch }) =>
      [...ofBatch].map(([place, { sequence, branchArrival, isToldAgain }]) => [
        place,
        { sequence, branchArrival, isToldAgain, isPlaced: state?.chain !== "unsure" },
      ]),
    ),
  );
  return {
    events: events.map((event, place) => ({ ...event, ...placed.get(place) })),
    moved: [...branches.values()].flatMap(({ name, state }) =>
      state === null ? [] : [{ ...name, ...state }],
    ),
    recoveredIds: [...branches.values()].flatMap(({ recoveredIds }) => recoveredIds),
  };
}

async function moveBranch(
  tx: Database,
  branch: BranchInMotion,
  index: number,
  newEvent: NewEvent,
): Promise<void> {
  const { event, sequence, hookId, attempt } = newEvent;
  if (event.kind !== "push") return;
  const { oldSha, newSha, change, commit } = event;
  const push = { oldSha, newSha, change, committedAt: commit?.date ?? null, hookId, attempt, sequence };
  const isAwaited = hookId === SWEEP_HOOK;
  if (!continuesChain(push, branch.state)) branch.stored = await listRecentPushes(tx, branch.name, push);
  const place = placePush(push, branch.state, [...branch.stored, ...branch.ofBatch.values()]);
  if (place.kind === "moved") {
    branch.ofBatch.set(index, { ...push, branchArrival: sequence, isToldAgain: false, isAwaited });
    await rearrange(tx, branch, place);
    branch.state = place.branch;
    return;
  }
  const { sequence: same, branchArrival } = place.push;
  branch.state = place.branch;
  branch.ofBatch.set(
    index,
    place.kind === "repeated"
      ? { ...push, sequence: same, branchArrival, isToldAgain: false, isAwaited }
      : { ...push, branchArrival, isToldAgain: true, isAwaited },
  );
}

/** Of the pushes that are in the store, and of those that will be. */
async function rearrange(tx: Database, branch: BranchInMotion, move: BranchMove): Promise<void> {
  const { recovered, sequences } = move;
  if (recovered.length === 0 && sequences.size === 0) return;
  const own = new Set(recovered.map(({ sequence }) => sequence));
  const isTouched = ({ sequence, isToldAgain }: RecordedPush) =>
    isToldAgain ? own.has(sequence) : sequences.has(sequence);
  const rearranged = (push: RecordedPush): RecordedPush => {
    if (!isTouched(push)) return push;
    const sequence = sequences.get(push.sequence) ?? push.sequence;
    return push.isToldAgain
      ? { ...push, isToldAgain: false, branchArrival: push.sequence, sequence }
      : { ...push, sequence };
  };
  if (branch.stored.some(isTouched)) {
    await lockOutClaims(tx);
    branch.recoveredIds.push(...(await rearrangePushes(tx, branch.name, move)));
    branch.stored = branch.stored.map(rearranged);
  }
  for (const [index, push] of branch.ofBatch) branch.ofBatch.set(index, rearranged(push));
}

function branchNameOf({ repositoryId, event }: NewEvent): BranchName | null {
  if (repositoryId === null || event.kind !== "push" || event.refKind !== "branch") return null;
  return { repositoryId, name: event.refName };
}
