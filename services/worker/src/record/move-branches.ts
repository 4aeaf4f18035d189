import { continuesChain, placePush, type BranchMove, type BranchState } from "@sluice/domain/branch";
import { isOfSweep, type RecordedPush } from "@sluice/domain/branch-push";
import { listRecentPushes, rearrangePushes } from "@sluice/store/branch-pushes";
import { branchKey, type BranchName } from "@sluice/store/branches";
import type { Database } from "@sluice/store/client";
import type { NewEvent } from "@sluice/store/events";
import { lockOutClaims } from "@sluice/store/triggers";

/** The events of a batch in their places, and the branches in the state to which the batch brings them: to be saved. */
export interface MovedBranches {
  readonly events: readonly NewEvent[];
  readonly moved: readonly (BranchName & BranchState)[];
  /** Branches whose pushes had left it open where they are, and now tell: what was recorded of them waits no longer. */
  readonly closed: readonly BranchName[];
  /** Events of the store that were duplicates, and now wait for decisions of their own. */
  readonly recoveredIds: readonly string[];
}

/** A branch while a batch moves it. */
interface BranchInMotion {
  readonly name: BranchName;
  state: BranchState | null;
  /** Its pushes in the store; null until one comes that has to be looked for among them. */
  stored: StoredPush[] | null;
  /** Pushes of this batch, by the places of their events. */
  readonly ofBatch: Map<number, RecordedPush>;
}

/** A push as it is in the store, and as the batch leaves it. */
interface StoredPush {
  readonly before: RecordedPush;
  now: RecordedPush;
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
      stored: null,
      ofBatch: new Map(),
    };
    branches.set(key, branch);
    await moveBranch(tx, branch, place, event);
  }
  const recoveredIds: string[] = [];
  for (const branch of branches.values()) recoveredIds.push(...(await rearrangeStored(tx, branch)));
  const placed = new Map([...branches.values()].flatMap(placesOf));
  return {
    events: events.map((event, place) => ({ ...event, ...placed.get(place) })),
    moved: [...branches.values()].flatMap(({ name, state }) =>
      state === null ? [] : [{ ...name, ...state }],
    ),
    closed: [...branches].flatMap(([key, { name, state }]) =>
      known.get(key)?.chain === "unsure" && state?.chain !== "unsure" ? [name] : [],
    ),
    recoveredIds,
  };
}

/** What the batch's events of a branch are told, by their places. */
function placesOf({ state, stored, ofBatch }: BranchInMotion) {
  const isPlaced = state?.chain !== "unsure";
  const pushes = [...(stored ?? []).map(({ now }) => now), ...ofBatch.values()];
  const hasToldAgain = !isPlaced && pushes.some(({ isToldAgain }) => isToldAgain);
  return [...ofBatch].map(([place, { sequence, branchArrival, isToldAgain, change }]) => {
    const isBranchToldAgain = hasToldAgain && change === "deleted";
    return [place, { sequence, branchArrival, isToldAgain, isPlaced, isBranchToldAgain }] as const;
  });
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
  const isAwaited = isOfSweep(push);
  if (!continuesChain(push, branch.state)) branch.stored ??= await listStored(tx, branch.name);
  const stored = branch.stored?.map(({ now }) => now) ?? [];
  const place = placePush(push, branch.state, [...stored, ...branch.ofBatch.values()]);
  branch.state = place.branch;
  if (place.kind === "moved") {
    branch.ofBatch.set(index, { ...push, branchArrival: sequence, isToldAgain: false, isAwaited });
    for (const one of branch.stored ?? []) one.now = afterMove(one.now, place);
    for (const [at, one] of branch.ofBatch) branch.ofBatch.set(at, afterMove(one, place));
    return;
  }
  const { sequence: same, branchArrival } = place.push;
  branch.ofBatch.set(
    index,
    place.kind === "repeated"
      ? { ...push, sequence: same, branchArrival, isToldAgain: false, isAwaited }
      : { ...push, branchArrival, isToldAgain: true, isAwaited },
  );
}

async function listStored(tx: Database, name: BranchName): Promise<StoredPush[]> {
  return (await listRecentPushes(tx, name)).map((push) => ({ before: push, now: push }));
}

function afterMove(push: RecordedPush, { recovered, sequences }: BranchMove): RecordedPush {
  const isRecovered = push.isToldAgain && recovered.some(({ sequence }) => sequence === push.sequence);
  if (push.isToldAgain && !isRecovered) return push;
  const sequence = sequences.get(push.sequence) ?? push.sequence;
  return isRecovered
    ? { ...push, isToldAgain: false, branchArrival: push.sequence, sequence }
    : { ...push, sequence };
}

/** Writes what became of pushes in the store, once for the whole batch. @returns ids of events that wait anew. */
async function rearrangeStored(tx: Database, { name, stored }: BranchInMotion): Promise<readonly string[]> {
  const touched = (stored ?? []).filter(({ before, now }) => before !== now);
  const recovered = touched.filter(({ before, now }) => before.isToldAgain && !now.isToldAgain);
  const sequences = new Map(
    touched.flatMap(({ before, now }) =>
      before.sequence === now.sequence ? [] : [[before.sequence, now.sequence] as const],
    ),
  );
  if (recovered.length === 0 && sequences.size === 0) return [];
  await lockOutClaims(tx);
  return rearrangePushes(tx, name, { recovered: recovered.map(({ before }) => before), sequences });
}

function branchNameOf({ repositoryId, event }: NewEvent): BranchName | null {
  if (repositoryId === null || event.kind !== "push" || event.refKind !== "branch") return null;
  return { repositoryId, name: event.refName };
}
