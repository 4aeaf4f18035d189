/** The pushes of a branch in the order that they themselves tell (rule 14). */
import { orderMoves } from "./branch-order.ts";
import {
  distinctPushes,
  isOfSweep,
  originOf,
  toMove,
  type BranchPush,
  type RecordedPush,
} from "./branch-push.ts";

/** As many pushes as a late one is looked for among, unless it touches one that is older. */
const WINDOW = 12;

/** Pushes in their order, and what that changes of them. */
export interface Arrangement {
  /** Pushes that were told again and turned out to be pushes of their own: each is an arrival, by its own sequence. */
  readonly recovered: readonly RecordedPush[];
  /** Old to new: pushes that change their places, the recovered ones included. To be done after those are recovered. */
  readonly sequences: ReadonlyMap<number, number>;
  /** What the first push left, when all that are recorded were put in order. */
  readonly origin: string | null;
  readonly last: RecordedPush | null;
  readonly gaps: number;
  readonly isCircle: boolean;
  /** Whether a push that was told again would fit in as another one, and lead to another head. */
  readonly couldEndElsewhere: boolean;
  /** See `BranchState` in branch.ts, as far as the pushes tell. */
  readonly chain: "whole" | "broken" | "unsure";
}

/** As many pushes that were told again as are looked at, the latest first. */
const MAX_TOLD_AGAIN = 4;

/**
 * Arranges the pushes, with those told again that fit in: a hook tells each push once. `head`: where the branch ends, when
 * that is known. `late`: the push that is looked for a place for.
 */
export function arrangePushes(
  recorded: readonly RecordedPush[],
  head: string | null,
  late?: BranchPush,
): Arrangement {
  const toldAgain = recorded
    .filter(({ isToldAgain }) => isToldAgain)
    .toSorted((a, b) => b.sequence - a.sequence)
    .slice(0, MAX_TOLD_AGAIN);
  let pushes = distinctPushes(recorded);
  let best = orderPushes(pushes, head, late);
  const recovered: RecordedPush[] = [];
  const fitsIn = (longer: OrderedPushes) => {
    if (longer.gaps !== best.gaps) return longer.gaps < best.gaps;
    if (head !== null) return endsAt(longer, head) || !endsAt(best, head);
    return !best.isCircle && longer.last?.newSha === best.last?.newSha;
  };
  for (let left = toldAgain, found = true; found;) {
    found = false;
    for (const again of left) {
      const own = { ...again, isToldAgain: false, branchArrival: again.sequence };
      const longer = distinctPushes([...pushes, own]);
      const ordered = orderPushes(longer, head, late);
      if (!fitsIn(ordered)) continue;
      [pushes, best, found] = [longer, ordered, true];
      recovered.push(own);
      left = left.filter((other) => other !== again);
    }
  }
  const others = toldAgain.filter(({ sequence }) => !recovered.some((own) => own.sequence === sequence));
  const couldEndElsewhere = others.some((again) => {
    const { gaps, last } = orderPushes(
      distinctPushes([...pushes, { ...again, isToldAgain: false }]),
      null,
      late,
    );
    return gaps <= best.gaps && last?.newSha !== best.last?.newSha;
  });
  const isAwaiting = pushes.some((push) => isOfSweep(push) && push.isAwaited);
  const isWhole = best.gaps === 0 && others.length === 0 && !isAwaiting;
  const chain = isWhole ? "whole" : best.gaps > 0 || couldEndElsewhere ? "unsure" : "broken";
  return { ...best, recovered, couldEndElsewhere, chain };
}

function endsAt({ last }: OrderedPushes, head: string): boolean {
  return last !== null && toMove(last).to === head;
}

type OrderedPushes = Pick<Arrangement, "origin" | "last" | "gaps" | "isCircle" | "sequences">;

/** The pushes take each other's places: the numbers stay the same. */
function orderPushes(all: readonly RecordedPush[], head: string | null, late?: BranchPush): OrderedPushes {
  const from = startOfWindow(all, late);
  const window = all.slice(from);
  const start = all[from - 1];
  const { order, gaps, isCircle } = orderMoves(window.map(toMove), {
    start: start === undefined ? null : toMove(start).to,
    head,
  });
  const sequences = new Map<number, number>();
  for (const [place, index] of order.entries()) {
    const push = window[index];
    const sequence = window[place]?.sequence;
    if (push !== undefined && sequence !== undefined && push.sequence !== sequence) {
      sequences.set(push.sequence, sequence);
    }
  }
  const [first, last] = [window[order[0] ?? -1], window[order.at(-1) ?? -1]];
  const origin = start === undefined && first !== undefined ? originOf(first) : null;
  // A longer one was not told from its middle.
  const isShortCircle = gaps === 0 && isCircle && all.length <= WINDOW;
  return { origin, last: last ?? null, gaps, isCircle: isShortCircle, sequences };
}

/** The latest pushes, and older ones back to the first that a late one may stand beside. */
function startOfWindow(all: readonly RecordedPush[], late: BranchPush | undefined): number {
  const recent = Math.max(0, all.length - WINDOW);
  if (late === undefined) return recent;
  const { from, to } = toMove(late);
  const beside = all.findIndex((push) => toMove(push).to === from || toMove(push).from === to);
  return beside === -1 ? recent : Math.min(recent, beside);
}
