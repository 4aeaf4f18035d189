import type { PullRequestFacts } from "@sluice/domain/event";
import type { KnownPullRequest } from "@sluice/store/open-pull-requests";
import { describe, expect, test } from "vitest";

import { judgePullRequest } from "./judge-pull-request.ts";

const GRACE_MS = 120_000;
const AT = "2026-11-24T10:00:00.000002+00:00";
const BEFORE = "2026-11-24T10:00:00.000001Z";
const NOW = Date.parse("2026-11-24T10:05:00Z");

const SEEN: PullRequestFacts = {
  number: 17,
  title: "Widen the network",
  state: "OPEN",
  isDraft: false,
  author: null,
  url: null,
  createdOn: null,
  updatedOn: AT,
  source: {
    repository: { uuid: "{4c1a}", fullName: "acme/infra" },
    branch: "feature",
    sha: "1a2b3c4d5e6f",
  },
  destination: { branch: "main", sha: "00112233aabb" },
  mergeSha: null,
  reviews: null,
};

const KNOWN: KnownPullRequest = {
  number: 17,
  state: "OPEN",
  updatedOn: BEFORE,
  source: { branch: "feature", sha: `1a2b3c4d5e6f${"0".repeat(28)}` },
  destination: { branch: "main" },
};

const judge = (
  seen: Partial<PullRequestFacts> = {},
  known: KnownPullRequest | null = KNOWN,
  now: number = NOW,
) => judgePullRequest({ seen: { ...SEEN, ...seen }, known, now, graceMs: GRACE_MS });

const withHead = (sha: string | null) => ({ source: { ...SEEN.source, sha } });
const OTHER_HEAD = withHead("ffeeddccbbaa");

describe("a look at a pull request (rule 34)", () => {
  test("shows nothing where Bitbucket has it as we do, or where it was only talked about", () => {
    expect(judge()).toEqual({ kind: "same" });
    expect(judge({ destination: { branch: "main", sha: "a1b2c3d4e5f6" } })).toEqual({ kind: "same" });
    expect(judge({ title: "Another" })).toEqual({ kind: "same" });
  });

  test.each<[string, Partial<PullRequestFacts>, string]>([
    ["another head", OTHER_HEAD, "pullrequest:updated"],
    ["no head", withHead(null), "pullrequest:updated"],
    ["another destination", { destination: { branch: "live", sha: null } }, "pullrequest:updated"],
    ["a merge", { state: "MERGED" }, "pullrequest:fulfilled"],
    ["a decline", { state: "DECLINED" }, "pullrequest:rejected"],
    ["a successor", { state: "SUPERSEDED" }, "pullrequest:rejected"],
    ["a state of the future", { state: "FROZEN" }, "pullrequest:updated"],
  ])("shows %s, once Bitbucket's time is later than ours", (_, change, eventKey) => {
    expect(judge(change)).toEqual({ kind: "missed", eventKey });
    expect(judge(change, { ...KNOWN, updatedOn: "2026-11-24T10:00:01Z" })).toEqual({ kind: "same" });
  });

  test("of one time shows nothing, unless it is over", () => {
    const known = { ...KNOWN, updatedOn: AT };
    expect(judge(OTHER_HEAD, known)).toEqual({ kind: "same" });
    expect(judge({ state: "DECLINED" }, known)).toMatchObject({ kind: "missed" });
    expect(judge({ state: "OPEN" }, { ...known, state: "DECLINED" })).toEqual({ kind: "same" });
  });

  test("shows one that nobody told of as what it is now", () => {
    expect(judge({}, null)).toEqual({ kind: "missed", eventKey: "pullrequest:created" });
    expect(judge({ state: "MERGED" }, null)).toEqual({ kind: "missed", eventKey: "pullrequest:fulfilled" });
  });

  test("is too early while the webhook may be on its way", () => {
    const soon = Date.parse(AT) + GRACE_MS - 1;
    expect(judge(OTHER_HEAD, KNOWN, soon)).toEqual({ kind: "suspected", lookAgainInMs: 1 });
    expect(judge({}, null, soon)).toEqual({ kind: "suspected", lookAgainInMs: 1 });
    expect(judge({}, KNOWN, soon)).toEqual({ kind: "same" });
    expect(judge(OTHER_HEAD, KNOWN, soon + 1)).toMatchObject({ kind: "missed" });
  });
});
