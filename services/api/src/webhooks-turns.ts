/** Work on many things, a few at a time, while there is time. */

/**
 * The results in the order of the items: of the first ones, as many as could be started. The first `concurrency` always
 * are, unless `mayStart` is asked for them too (`isStrict`). Once one has failed no other is started.
 * @throws what the first of them threw, when those under way have ended too.
 */
export async function inTurns<Item, Result>(
  items: readonly Item[],
  options: {
    readonly concurrency: number;
    readonly mayStart: () => boolean;
    readonly isStrict?: boolean;
  },
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const { concurrency, mayStart, isStrict = false } = options;
  const results: Result[] = [];
  let next = 0;
  let hasFailed = false;
  const takeTurns = async (): Promise<void> => {
    for (;;) {
      const item = items[next];
      if (item === undefined || hasFailed || ((isStrict || next >= concurrency) && !mayStart())) return;
      const at = next;
      next += 1;
      try {
        results[at] = await work(item);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: concurrency }, takeTurns));
  const failed = ends.find((end) => end.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return results;
}
