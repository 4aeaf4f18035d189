import fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { PullRequestFacts } from "./event.ts";
import { compareTimes, isSameSha, movePullRequest, type PullRequestState } from "./pull-request.ts";

const HEAD = "1a2b3c4d5e6f";
const OTHER = "ffeeddccbbaa";
const BASE = "00112233aabb";
const AUTHOR = { uuid: "{author}", displayName: "Ann", kind: "user" };

const at = (microseconds: number) => `2026-11-24T10:00:00.${String(microseconds).padStart(6, "0")}+00:00`;

const aReport = (change: Partial<PullRequestFacts> = {}): PullRequestFacts => ({
  number: 12,
  title: "Widen the network",
  state: "OPEN",
  isDraft: false,
  author: AUTHOR,
  url: null,
  createdOn: at(0),
  updatedOn: at(1),
  source: { repository: { uuid: "{repository}", fullName: "acme/infra" }, branch: "feature", sha: HEAD },
  destination: { branch: "main", sha: BASE },
  mergeSha: null,
  reviews: [],
  ...change,
});
const withHead = (sha: string | null, change: Partial<PullRequestFacts> = {}) =>
  aReport({ ...change, source: { ...aReport().source, sha } });

function after(...reports: readonly PullRequestFacts[]): PullRequestState {
  let state: PullRequestState | null = null;
  for (const [place, pullRequest] of reports.entries()) {
    state = movePullRequest(state, { action: "updated", pullRequest }, place + 1).state;
  }
  return state!;
}
const actionOn = (before: PullRequestState | null, pullRequest: PullRequestFacts) =>
  movePullRequest(before, { action: "updated", pullRequest }, 99).action;

describe("an update (rule 11)", () => {
  const known = after(aReport());

  test.each([
    ["of a pull request that was never seen stays an update", null, aReport(), "updated"],
    ["that changed the title is an edit", known, aReport({ updatedOn: at(2), title: "Other" }), "edited"],
    ["that moved the head is a synchronize", known, withHead(OTHER, { updatedOn: at(2) }), "synchronize"],
    [
      "that told more digits of the head is an edit",
      known,
      withHead(`${HEAD}9`, { updatedOn: at(2) }),
      "edited",
    ],
    ["that lost the head is a synchronize", known, withHead(null, { updatedOn: at(2) }), "synchronize"],
    [
      "that moved the base is a synchronize",
      known,
      aReport({ updatedOn: at(2), destination: { branch: "main", sha: OTHER } }),
      "synchronize",
    ],
    [
      "that chose another destination is a synchronize",
      known,
      aReport({ updatedOn: at(2), destination: { branch: "release", sha: BASE } }),
      "synchronize",
    ],
    [
      "that is told late cannot be told from one that moved the head",
      known,
      aReport({ updatedOn: at(0) }),
      "synchronize",
    ],
  ])("%s", (_, before, report, action) => {
    expect(actionOn(before, report)).toBe(action);
  });

  test("other actions are what they were", () => {
    const { action } = movePullRequest(known, { action: "approved", pullRequest: withHead(OTHER) }, 99);
    expect(action).toBe("approved");
  });
});

describe("what is stored (rule 13)", () => {
  test("only moves forward in updated_on, to the microsecond", () => {
    const newer = withHead(OTHER, { updatedOn: at(11), title: "newer" });
    expect(after(newer, withHead(HEAD, { updatedOn: at(10) }))).toMatchObject({
      title: "newer",
      source: { sha: OTHER },
    });
    expect(after(withHead(HEAD, { updatedOn: at(10) }), newer)).toMatchObject({
      title: "newer",
      source: { sha: OTHER },
    });
  });

  test("of two reports of one time, the one that says that it is over is the later", () => {
    const merged = aReport({ state: "MERGED", mergeSha: OTHER });
    expect(after(merged, aReport()).state).toBe("MERGED");
    expect(after(aReport(), merged).state).toBe("MERGED");
  });

  test("of two reports of one time, the one in which somebody took part later is the later", () => {
    const participatedOn = at(5);
    const approved = aReport({ reviews: [{ userUuid: "{bob}", state: "approved", participatedOn }] });
    expect(after(approved, aReport()).reviews).toHaveLength(1);
    expect(after(aReport(), approved).reviews).toHaveLength(1);
  });

  test("keeps its reviews when a body leaves them out, and loses them when it says that there are none", () => {
    const approved = aReport({ reviews: [{ userUuid: "{bob}", state: "approved", participatedOn: null }] });
    expect(after(approved, aReport({ updatedOn: at(2), reviews: null })).reviews).toHaveLength(1);
    expect(after(approved, aReport({ updatedOn: at(2), reviews: [] })).reviews).toEqual([]);
  });

  test("keeps the longer of two hashes of one commit (rule 12)", () => {
    const sha = HEAD.padEnd(40, "7");
    expect(after(withHead(sha), withHead(HEAD, { updatedOn: at(2) }))).toMatchObject({ source: { sha } });
    expect(after(withHead(HEAD), withHead(sha, { updatedOn: at(2) }))).toMatchObject({ source: { sha } });
  });

  test("a head arrives once, and anew when it comes back", () => {
    const arrivals = [HEAD, HEAD, OTHER, OTHER, HEAD].map((_, place, heads) =>
      after(...heads.slice(0, place + 1).map((sha, number) => withHead(sha, { updatedOn: at(number) }))),
    );
    expect(arrivals.map(({ headArrival }) => headArrival)).toEqual([1, 1, 3, 3, 5]);
  });

  test("is the same in whatever order reports of different times come, apart from when its head arrived", () => {
    const reports = fc.uniqueArray(
      fc.record({
        updatedOn: fc.integer({ min: 0, max: 999_999 }).map(at),
        sha: fc.constantFrom(HEAD, OTHER, null),
        title: fc.string(),
        state: fc.constantFrom("OPEN", "MERGED", "DECLINED"),
      }),
      { selector: ({ updatedOn }) => updatedOn, minLength: 1, maxLength: 8 },
    );
    fc.assert(
      fc.property(
        reports.chain((all) =>
          fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
        ),
        ([inOrder, inAnyOrder]) => {
          const stateOf = (all: typeof inOrder) => {
            const { headArrival: _, ...state } = after(...all.map(({ sha, ...rest }) => withHead(sha, rest)));
            return state;
          };
          expect(stateOf(inAnyOrder)).toEqual(stateOf(inOrder));
        },
      ),
    );
  });
});

test("times are compared to the last digit, whatever their offsets and lengths", () => {
  const inOrder = [
    "2026-11-24T09:59:59.999999+00:00",
    "2026-11-24T11:00:00.000001+01:00",
    "2026-11-24T10:00:00.00001Z",
    "2026-11-24T10:00:01Z",
  ];
  expect(inOrder.toReversed().toSorted(compareTimes)).toEqual(inOrder);
  expect(compareTimes("2026-11-24T10:00:00Z", "2026-11-24T11:00:00.000000+01:00")).toBe(0);
  expect(compareTimes("soon", "0001-01-01T00:00:00Z")).toBeLessThan(0);
  expect(compareTimes("0001-01-01T00:00:00Z", "soon")).toBeGreaterThan(0);
});

test("hashes are of one commit when one begins with the other (rule 12)", () => {
  expect(isSameSha("1a2b3c4", HEAD)).toBe(true);
  expect(isSameSha(HEAD, "1a2b3c4")).toBe(true);
  expect(isSameSha(HEAD, OTHER)).toBe(false);
  expect(isSameSha(HEAD, null)).toBe(false);
  expect(isSameSha(null, null)).toBe(true);
});
