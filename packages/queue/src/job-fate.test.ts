import { AppError } from "@sluice/domain/app-error";
import { UnrecoverableError } from "bullmq";
import { describe, expect, test } from "vitest";
import { decideJobFate, failureReason, storableError } from "./job-fate.ts";

const first = { attempt: 1, attempts: 3 };
const last = { attempt: 3, attempts: 3 };
const never = new AppError("payload_invalid", "it is not a push", { retry: "never" });
const later = new AppError("rate_limited", "the budget is used up", { retry: { afterMs: 90_000 } });

describe("a job whose handler has thrown", () => {
  test.each([
    ["an unknown error is retried", new Error("boom"), first, { kind: "retry" }],
    ["something that is no error is retried", "boom", first, { kind: "retry" }],
    ["an AppError is retried unless it says otherwise", new AppError("a", "b"), first, { kind: "retry" }],
    ["the last attempt is not retried", new Error("boom"), last, { kind: "fail" }],
    ["retry never fails at once", never, first, { kind: "fail" }],
    ["a known time postpones", later, first, { kind: "postpone", afterMs: 90_000 }],
    ["a known time postpones also the last attempt", later, last, { kind: "postpone", afterMs: 90_000 }],
  ])("%s", (_title, error, attempts, fate) => {
    expect(decideJobFate(error, attempts)).toEqual(fate);
  });
});

describe("the reason that is stored", () => {
  test("names the code of an AppError", () => {
    expect(failureReason(never)).toBe("payload_invalid: it is not a push");
  });

  test("holds nothing that PostgreSQL refuses, and not more than a screen", () => {
    const stored = storableError(new Error(`a\0b\ud800${"c".repeat(9_000)}`), { permanent: false });
    expect(stored.message).toMatch(/^a\uFFFDb\uFFFDc+$/);
    expect(stored.message.length).toBeLessThan(3_000);
    expect(stored.stack).not.toContain("\0");
  });

  test("keeps the stack of the original", () => {
    expect(storableError(never, { permanent: true }).stack).toBe(never.stack);
    expect(storableError(never, { permanent: true })).toBeInstanceOf(UnrecoverableError);
  });
});
