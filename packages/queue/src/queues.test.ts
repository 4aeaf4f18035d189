import { describe, expect, test } from "vitest";
import { allQueues, eventsQueue, parsePayload } from "./queues.ts";

const event = { v: 1, eventId: "0197a3a0-5b1c-7d2e-8f3a-1b2c3d4e5f60" } as const;

describe("a job's payload", () => {
  test("is what was written", () => {
    expect(parsePayload(eventsQueue, { ...event, requestId: "r" })).toEqual({ ...event, requestId: "r" });
    expect(parsePayload(eventsQueue, event)).toEqual(event);
  });

  test("of another version is refused for good, saying what to do, whatever its shape", () => {
    const parse = (): unknown => parsePayload(eventsQueue, { v: 2, events: [] });
    expect(parse).toThrow(expect.objectContaining({ code: "job_version_unknown", retry: "never" }));
    expect(parse).toThrow(/has version 2 and this release reads version 1: retry the job/);
  });

  test.each([
    [null, /\(all of it\)/],
    [{}, /v, eventId/],
    [{ v: 1, eventId: "hunter2" }, /: eventId$/],
    [{ ...event, more: "hunter2" }, /\(all of it\)/],
  ])("of no version is refused for good without quoting it: %j", (data, reason) => {
    const parse = (): unknown => parsePayload(eventsQueue, data);
    expect(parse).toThrow(expect.objectContaining({ code: "job_malformed", retry: "never" }));
    expect(parse).toThrow(reason);
    expect(parse).not.toThrow(/hunter2/);
  });
});

test("no two queues share a name, and every name is one that BullMQ takes", () => {
  const names = allQueues.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z]+$/);
});
