import { AppError } from "@sluice/domain/app-error";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createGroupCommit } from "./group-commit.ts";

/** A commit that the test ends by hand. */
function manualCommits() {
  const batches: (readonly number[])[] = [];
  const endings: PromiseWithResolvers<void>[] = [];
  return {
    batches,
    endings,
    commit: (items: readonly number[]): Promise<void> => {
      const ending = withResolvers();
      batches.push(items);
      endings.push(ending);
      return ending.promise;
    },
  };
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

function withResolvers(): PromiseWithResolvers<void> {
  let resolve: () => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

describe("a group commit", () => {
  test("commits an item at once and alone when nothing is under way", () => {
    const { batches, commit } = manualCommits();
    void createGroupCommit({ maxItems: 10, commit }).add(1);
    expect(batches).toEqual([[1]]);
  });

  test("gathers what arrives while a commit is under way into the next one", async () => {
    const { batches, endings, commit } = manualCommits();
    const group = createGroupCommit({ maxItems: 3, commit });
    const first = group.add(1);
    for (const item of [2, 3, 4, 5]) void group.add(item);
    expect(group.size).toBe(5);
    endings[0]!.resolve();
    await first;
    expect(batches).toEqual([[1], [2, 3, 4]]);
    expect(group.size).toBe(4);
  });

  test("commits the lowest of what waits first, and equals as they came", async () => {
    const items = fc.array(fc.record({ order: fc.nat(5), id: fc.nat() }), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(items, fc.integer({ min: 1, max: 4 }), async (waiting, maxItems) => {
        const committed: (typeof waiting)[number][] = [];
        const group = createGroupCommit<(typeof waiting)[number]>({
          maxItems,
          orderOf: ({ order }) => order,
          commit: async (batch) => void committed.push(...batch),
        });
        const first = { order: 9, id: 0 };
        await Promise.all([first, ...waiting].map((item) => group.add(item)));
        expect(committed).toEqual([first, ...waiting.toSorted((a, b) => a.order - b.order)]);
      }),
    );
  });

  test("refuses more than may wait, and takes items again afterwards", async () => {
    const { endings, commit } = manualCommits();
    const group = createGroupCommit({ maxItems: 1, maxQueued: 1, commit });
    const first = group.add(1);
    void group.add(2);
    await expect(group.add(3)).rejects.toThrow(AppError);
    await expect(group.add(3)).rejects.toMatchObject({ code: "overloaded" });
    endings[0]!.resolve();
    await first;
    void group.add(3);
    expect(group.size).toBe(2);
  });

  test("refuses more weight than may wait, though one item may wait whatever its size", async () => {
    const { endings, commit } = manualCommits();
    const group = createGroupCommit({ maxItems: 9, maxQueuedWeight: 10, weightOf: (item) => item, commit });
    const first = group.add(50);
    void group.add(6);
    await expect(group.add(5)).rejects.toMatchObject({ code: "overloaded" });
    void group.add(4);
    await expect(group.add(1)).rejects.toMatchObject({ code: "overloaded" });
    endings[0]!.resolve();
    await first;
    void group.add(99);
    await expect(group.add(1)).rejects.toMatchObject({ code: "overloaded" });
    expect(group.size).toBe(3);
  });

  test("lets an item leave while it waits, with its room, and not once it is under way", async () => {
    const { batches, endings, commit } = manualCommits();
    const group = createGroupCommit({ maxItems: 9, maxQueuedWeight: 10, weightOf: (item) => item, commit });
    const leaving = new AbortController();
    const { signal } = leaving;
    const first = group.add(1, { signal });
    const second = group.add(9, { signal });
    const third = group.add(1);
    leaving.abort(new Error("too late"));
    await expect(second).rejects.toThrow("too late");
    await expect(group.add(2, { signal })).rejects.toThrow("too late");
    void group.add(9);
    expect(group.size).toBe(3);
    endings[0]!.resolve();
    await first;
    expect(batches).toEqual([[1], [1, 9]]);
    endings[1]!.resolve();
    await third;
    expect(group.size).toBe(0);
  });

  test("lets an item that is larger than a commit travel alone", async () => {
    const { batches, endings, commit } = manualCommits();
    const group = createGroupCommit({ maxItems: 9, maxWeight: 10, weightOf: (item) => item, commit });
    const first = group.add(1);
    for (const item of [4, 6, 1, 50, 2]) void group.add(item);
    for (let index = 0; index < 4; index++) {
      endings[index]!.resolve();
      await first;
      await Promise.resolve();
    }
    expect(batches).toEqual([[1], [4, 6], [1], [50], [2]]);
  });

  test("drains when the last item has its answer, also when that is a failure", async () => {
    const { endings, commit } = manualCommits();
    const group = createGroupCommit({ maxItems: 1, commit });
    await group.drain();
    const failing = group.add(1);
    const drained = group.drain();
    endings[0]!.reject(new Error("no"));
    await expect(failing).rejects.toThrow("no");
    await drained;
    expect(group.size).toBe(0);
  });

  test("answers nobody when a commit answers for another number of items", async () => {
    const group = createGroupCommit({ maxItems: 5, commit: async () => ["one", "two"] });
    await expect(group.add(1)).rejects.toThrow("1 items answered with 2 results");
  });

  test("commits every item once, in order, within bounds, but those that left or were refused, and answers each with its own fate", async () => {
    const items = fc.array(
      fc.record({
        weight: fc.nat(20),
        arrivesAfterTurns: fc.nat(3),
        leavesAfterTurns: fc.option(fc.nat(6)),
      }),
      { maxLength: 60 },
    );
    const bounds = fc.record({
      maxItems: fc.integer({ min: 1, max: 7 }),
      maxWeight: fc.integer({ min: 1, max: 40 }),
      maxInFlight: fc.integer({ min: 1, max: 3 }),
      maxQueued: fc.integer({ min: 1, max: 30 }),
      maxQueuedWeight: fc.integer({ min: 1, max: 200 }),
      commitTurns: fc.integer({ min: 0, max: 5 }),
      failEvery: fc.integer({ min: 1, max: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(items, bounds, async (arrivals, bound) => {
        const batches: number[][] = [];
        let inFlight = 0;
        const group = createGroupCommit({
          ...bound,
          weightOf: (index: number) => arrivals[index]!.weight,
          async commit(batch: readonly number[]) {
            const number = batches.push([...batch]);
            expect(++inFlight).toBeLessThanOrEqual(bound.maxInFlight);
            await turns(bound.commitTurns);
            inFlight--;
            if (number % bound.failEvery === 0) throw new Error(`commit ${number}`);
            return batch.map((index) => `${index} in ${number}`);
          },
        });
        const answers: Promise<string>[] = [];
        for (const [index, { arrivesAfterTurns, leavesAfterTurns }] of arrivals.entries()) {
          await turns(arrivesAfterTurns);
          const leaving = new AbortController();
          const answer = group
            .add(index, { signal: leaving.signal })
            .catch((error: unknown) => String(error));
          answers.push(answer);
          if (leavesAfterTurns !== null) void turns(leavesAfterTurns).then(() => leaving.abort("left"));
        }
        await group.drain();
        expect(group.size).toBe(0);

        const fates = await Promise.all(answers);
        const isUncommitted = (fate: string) => fate === "left" || fate.startsWith("AppError");
        expect(batches.flat()).toEqual(
          arrivals.map((_, index) => index).filter((index) => !isUncommitted(fates[index]!)),
        );
        expect(fates.filter((_, index) => arrivals[index]!.leavesAfterTurns === null)).not.toContain("left");
        for (const [at, batch] of batches.entries()) {
          const weight = batch.reduce((sum, index) => sum + arrivals[index]!.weight, 0);
          expect(batch.length).toBeLessThanOrEqual(bound.maxItems);
          expect(batch.length === 1 || weight <= bound.maxWeight).toBe(true);
          for (const index of batch) {
            const failed = (at + 1) % bound.failEvery === 0;
            expect(await answers[index]).toBe(failed ? `Error: commit ${at + 1}` : `${index} in ${at + 1}`);
          }
        }
      }),
    );
  });
});

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
}
