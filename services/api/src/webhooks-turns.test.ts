import { describe, expect, test } from "vitest";

import { inTurns } from "./webhooks-turns.ts";

const always = (): boolean => true;
const late = (): boolean => false;
const itself = (item: number): Promise<number> => Promise.resolve(item);

describe("turns", () => {
  test.each([1, 2, 3, 10])(
    "give every result in the order of the items, at most %i at a time",
    async (concurrency) => {
      let running = 0;
      let most = 0;
      const items = [3, 0, 2, 1, 5, 0, 0, 4];
      const results = await inTurns(items, { concurrency, mayStart: always }, async (ticks) => {
        most = Math.max(most, (running += 1));
        for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve();
        running -= 1;
        return ticks;
      });
      expect(results).toEqual(items);
      expect(most).toBeLessThanOrEqual(concurrency);
    },
  );

  test("start the first ones whatever the time, and then only in time", async () => {
    const items = [1, 2, 3, 4, 5];
    expect(await inTurns(items, { concurrency: 2, mayStart: late }, itself)).toEqual([1, 2]);
    expect(await inTurns(items, { concurrency: 2, mayStart: late, isStrict: true }, itself)).toEqual([]);
    let left = 3;
    const threeMore = (): boolean => (left -= 1) >= 0;
    expect(await inTurns(items, { concurrency: 1, mayStart: threeMore }, itself)).toEqual([1, 2, 3, 4]);
  });

  test("end with the first failure", async () => {
    const failing = inTurns([1, 2], { concurrency: 2, mayStart: always }, (item) =>
      item === 1 ? Promise.reject(new Error("first")) : itself(item),
    );
    await expect(failing).rejects.toThrow("first");
  });
});

test("turns of which one fails: no other is started, and it is told when those under way have ended", async () => {
  const started: number[] = [];
  const ended: number[] = [];
  const turns = inTurns([1, 2, 3, 4, 5], { concurrency: 2, mayStart: always }, async (item) => {
    started.push(item);
    if (item === 1) throw new Error("the first one failed");
    for (let tick = 0; tick < 20; tick += 1) await Promise.resolve();
    ended.push(item);
  });
  await expect(turns).rejects.toThrow("the first one failed");
  expect({ started, ended }).toEqual({ started: [1, 2], ended: [2] });
});
