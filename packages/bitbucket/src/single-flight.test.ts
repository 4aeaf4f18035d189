import { expect, it } from "vitest";

import { createSingleFlight } from "./single-flight.ts";

it("makes work that is asked for while it runs once, and gives all the same value", async () => {
  const flight = createSingleFlight<object>();
  let runs = 0;
  const work = () => Promise.resolve({ run: (runs += 1) });
  const [first, second, other] = await Promise.all([
    flight.run("a", work),
    flight.run("a", work),
    flight.run("b", work),
  ]);
  expect(second).toBe(first);
  expect(other).not.toBe(first);
  expect(runs).toBe(2);
});

it("keeps neither a value nor an error once the work has settled", async () => {
  const flight = createSingleFlight<string>();
  await expect(flight.run("a", () => Promise.reject(new Error("first")))).rejects.toThrow("first");
  expect(await flight.run("a", () => Promise.resolve("second"))).toBe("second");
  expect(await flight.run("a", () => Promise.resolve("third"))).toBe("third");
});

it("gives an error to all that waited for it, also one that is thrown at once", async () => {
  const flight = createSingleFlight<string>();
  const failure = new Error("no");
  const work = () => {
    throw failure;
  };
  const results = await Promise.allSettled([flight.run("a", work), flight.run("a", work)]);
  expect(results.map((result) => result.status === "rejected" && result.reason === failure)).toEqual([
    true,
    true,
  ]);
});
