/** Items that arrive while a commit is under way travel together in the next one. */
import { AppError } from "@sluice/domain/app-error";

/** How items are grouped and committed. `C` is what a commit answers: a result for each item in their order, or void. */
export interface GroupCommitOptions<T, C> {
  /** Of one commit. */
  readonly maxItems: number;
  /** Of one commit, as `weightOf` counts. An item that is larger on its own travels alone. Absent = unbounded. */
  readonly maxWeight?: number;
  readonly weightOf?: (item: T) => number;
  /** Of the items that wait, the lowest goes first, then as they came. Absent = as they came. */
  readonly orderOf?: (item: T) => number;
  /** Commits under way at once. Above 1, commits begin in order but may end in any. Default 1. */
  readonly maxInFlight?: number;
  /** Items that may wait for a commit; more are refused. Absent = unbounded. */
  readonly maxQueued?: number;
  /** As `weightOf` counts, of all items that wait; more are refused. One may always wait. Absent = unbounded. */
  readonly maxQueuedWeight?: number;
  /** All or nothing: its failure is the answer to every item that it was given. */
  readonly commit: (items: readonly T[]) => Promise<C>;
}

/** Groups single items into commits. */
export interface GroupCommit<T, R> {
  /**
   * Resolves with the item's own result, or rejects with the failure of the commit that carried it.
   * When `signal` is aborted while the item still waits, it leaves and is not committed; `signal.reason` is its answer.
   * @throws AppError `overloaded` when as many items, or as much weight, waits as may; the item was not taken.
   */
  add(item: T, options?: { readonly signal?: AbortSignal }): Promise<R>;
  /** Resolves when nothing waits and nothing is under way. Never rejects. */
  drain(): Promise<void>;
  /** Items that wait or are under way. */
  readonly size: number;
}

type AnyResult = readonly unknown[] | void;

interface Waiting<T> {
  readonly item: T;
  readonly weight: number;
  readonly order: number;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** From now on it cannot leave. */
  readonly stay: () => void;
}

/**
 * Commits at once when nothing is under way, so an item pays no waiting time at low load, and without a timer: the
 * duration of a commit is what gathers the next. First in, first out, unless the items have an order of their own.
 */
export function createGroupCommit<T>(options: GroupCommitOptions<T, void>): GroupCommit<T, void>;
export function createGroupCommit<T, R>(options: GroupCommitOptions<T, readonly R[]>): GroupCommit<T, R>;
export function createGroupCommit<T>(options: GroupCommitOptions<T, AnyResult>): GroupCommit<T, unknown> {
  const { maxInFlight = 1, maxQueued = Infinity, maxQueuedWeight = Infinity, weightOf, orderOf } = options;
  const queue: Waiting<T>[] = [];
  let queuedWeight = 0;
  let commits = 0;
  let itemsInFlight = 0;
  const onIdle: (() => void)[] = [];

  function startCommits(): void {
    while (queue.length > 0 && commits < maxInFlight) {
      const batch = takeBatch(queue, options);
      for (const { weight, stay } of batch) {
        queuedWeight -= weight;
        stay();
      }
      void commitBatch(batch);
    }
  }

  function isFull(weight: number): boolean {
    return queue.length >= maxQueued || (queue.length > 0 && queuedWeight + weight > maxQueuedWeight);
  }

  function wait(item: T, weight: number, signal: AbortSignal | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        queue.splice(queue.indexOf(waiting), 1);
        queuedWeight -= weight;
        reject(signal?.reason);
      };
      const stay = () => signal?.removeEventListener("abort", leave);
      const waiting: Waiting<T> = { item, weight, order: orderOf?.(item) ?? 0, resolve, reject, stay };
      signal?.addEventListener("abort", leave, { once: true });
      queue.splice(queue.findLastIndex(({ order }) => order <= waiting.order) + 1, 0, waiting);
      queuedWeight += weight;
    });
  }

  async function commitBatch(batch: readonly Waiting<T>[]): Promise<void> {
    commits++;
    itemsInFlight += batch.length;
    const answer = await answerOf(batch, options.commit);
    commits--;
    itemsInFlight -= batch.length;
    startCommits();
    answer();
    if (commits > 0) return;
    for (const resolve of onIdle.splice(0)) resolve();
  }

  return {
    async add(item, { signal } = {}) {
      signal?.throwIfAborted();
      const weight = weightOf?.(item) ?? 0;
      if (isFull(weight)) throw overloaded(queue.length);
      const answer = wait(item, weight, signal);
      startCommits();
      return answer;
    },
    drain: () =>
      commits === 0 ? Promise.resolve() : new Promise<void>((resolve) => void onIdle.push(resolve)),
    get size() {
      return queue.length + itemsInFlight;
    },
  };
}

function takeBatch<T>(
  queue: Waiting<T>[],
  { maxItems, maxWeight = Infinity }: GroupCommitOptions<T, AnyResult>,
): Waiting<T>[] {
  let count = 0;
  let weight = 0;
  for (const next of queue) {
    weight += next.weight;
    if (count > 0 && (count >= maxItems || weight > maxWeight)) break;
    count++;
  }
  return queue.splice(0, count);
}

/** What tells everyone in the batch how their commit ended. */
async function answerOf<T>(
  batch: readonly Waiting<T>[],
  commit: GroupCommitOptions<T, AnyResult>["commit"],
): Promise<() => void> {
  try {
    const results = await commit(batch.map(({ item }) => item));
    if (Array.isArray(results) && results.length !== batch.length) {
      throw new Error(`a commit of ${batch.length} items answered with ${results.length} results`);
    }
    return () => {
      for (const [index, { resolve }] of batch.entries()) resolve(results?.[index]);
    };
  } catch (error) {
    return () => {
      for (const { reject } of batch) reject(error);
    };
  }
}

function overloaded(waiting: number): AppError {
  return new AppError("overloaded", `${waiting} items wait for a commit already: try again later`);
}
