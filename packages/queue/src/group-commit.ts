/** Items that arrive while a commit is under way travel together in the next one. */
import { AppError } from "@sluice/domain/app-error";

/** How items are grouped and committed. `C` is what a commit answers: a result for each item in their order, or void. */
export interface GroupCommitOptions<T, C> {
  /** Of one commit. */
  readonly maxItems: number;
  /** Of one commit, as `sizeOf` counts. An item that is larger on its own travels alone. Absent = unbounded. */
  readonly maxBytes?: number;
  readonly sizeOf?: (item: T) => number;
  /** Commits under way at once. Above 1, commits begin in order but may end in any. Default 1. */
  readonly maxInFlight?: number;
  /** Items that may wait for a commit; more are refused. Absent = unbounded. */
  readonly maxQueued?: number;
  /** As `sizeOf` counts, of all items that wait; more are refused. One may always wait. Absent = unbounded. */
  readonly maxQueuedBytes?: number;
  /** All or nothing: its failure is the answer to every item that it was given. */
  readonly commit: (items: readonly T[]) => Promise<C>;
}

/** Groups single items into commits. */
export interface GroupCommit<T, R> {
  /**
   * Resolves with the item's own result, or rejects with the failure of the commit that carried it.
   * When `signal` is aborted while the item still waits, it leaves and is not committed; `signal.reason` is its answer.
   * @throws AppError `overloaded` when as many items or bytes wait as may; the item was not taken.
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
  readonly bytes: number;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** From now on it cannot leave. */
  readonly stay: () => void;
}

/**
 * Commits at once when nothing is under way, so an item pays no waiting time at low load, and without a timer: the
 * duration of a commit is what gathers the next. First in, first out.
 */
export function createGroupCommit<T>(options: GroupCommitOptions<T, void>): GroupCommit<T, void>;
export function createGroupCommit<T, R>(options: GroupCommitOptions<T, readonly R[]>): GroupCommit<T, R>;
export function createGroupCommit<T>(options: GroupCommitOptions<T, AnyResult>): GroupCommit<T, unknown> {
  const { maxInFlight = 1, maxQueued = Infinity, maxQueuedBytes = Infinity, sizeOf } = options;
  const queue: Waiting<T>[] = [];
  let queuedBytes = 0;
  let commits = 0;
  let itemsInFlight = 0;
  const onIdle: (() => void)[] = [];

  function startCommits(): void {
    while (queue.length > 0 && commits < maxInFlight) {
      const batch = takeBatch(queue, options);
      for (const { bytes, stay } of batch) {
        queuedBytes -= bytes;
        stay();
      }
      void commitBatch(batch);
    }
  }

  function isFull(bytes: number): boolean {
    return queue.length >= maxQueued || (queue.length > 0 && queuedBytes + bytes > maxQueuedBytes);
  }

  function wait(item: T, bytes: number, signal: AbortSignal | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        queue.splice(queue.indexOf(waiting), 1);
        queuedBytes -= bytes;
        reject(signal?.reason);
      };
      const stay = () => signal?.removeEventListener("abort", leave);
      const waiting: Waiting<T> = { item, bytes, resolve, reject, stay };
      signal?.addEventListener("abort", leave, { once: true });
      queue.push(waiting);
      queuedBytes += bytes;
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
      const bytes = sizeOf?.(item) ?? 0;
      if (isFull(bytes)) throw overloaded(queue.length);
      const answer = wait(item, bytes, signal);
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
  { maxItems, maxBytes = Infinity }: GroupCommitOptions<T, AnyResult>,
): Waiting<T>[] {
  let count = 0;
  let bytes = 0;
  for (const next of queue) {
    bytes += next.bytes;
    if (count > 0 && (count >= maxItems || bytes > maxBytes)) break;
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
