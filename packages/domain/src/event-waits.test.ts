import { describe, expect, test } from "vitest";

import type { PushEvent } from "./event.ts";
import { describeWaits, wantedFacts, type AskingStanding } from "./event-waits.ts";
import { aPullRequestEvent, aTarget } from "./test-pull-request.ts";

const SHA = "3f786850e387550fdab836ed7e6dc881de23001b";

function aPush(changes: Partial<PushEvent> = {}): PushEvent {
  return {
    kind: "push",
    repository: { uuid: "{0f5cb1f2}", fullName: "acme/infra" },
    actor: null,
    refKind: "branch",
    refName: "main",
    change: "updated",
    oldSha: null,
    newSha: SHA,
    forced: false,
    commit: null,
    ...changes,
  };
}

const placed = { isPlaced: true, isBranchToldAgain: false };
const unplaced = { isPlaced: false, isBranchToldAgain: false };
const everywhere = aTarget({ trackedBranch: "main", projectRoot: "", projectGlobs: [] });
const below = aTarget({ trackedBranch: "main", projectRoot: "infra", projectGlobs: [] });

describe("what an undecided event waits for", () => {
  test.each([
    ["a push of all files to a placed branch", { event: aPush(), ...placed }, [everywhere], []],
    ["one of a target that has a root", { event: aPush(), ...placed }, [below], ["changed_files"]],
    [
      "one with a short hash",
      { event: aPush({ newSha: SHA.slice(0, 12) }), ...placed },
      [everywhere],
      ["commit_hash"],
    ],
    ["one whose place is not known", { event: aPush(), ...unplaced }, [everywhere], ["branch_head"]],
    ["a repository without targets", { event: aPush(), ...unplaced }, [], []],
    [
      "a pull request",
      { event: aPullRequestEvent({ action: "opened" }), ...placed },
      [below],
      ["pull_request"],
    ],
    ["a merge", { event: aPullRequestEvent({ action: "merged" }), ...placed }, [below], ["merge_push"]],
    [
      "a key that is not acted on",
      { event: { kind: "unsupported", eventKey: "repo:fork" }, ...placed },
      [below],
      [],
    ],
  ] as const)("%s", (_, event, targets, wanted) => {
    expect(wantedFacts(event, targets)).toEqual(wanted);
  });

  test("a deletion of a branch that nobody tracks waits only when a push of it was told again", () => {
    const event = aPush({ refName: "feature", change: "deleted", newSha: null });
    expect(wantedFacts({ event, ...unplaced }, [everywhere])).toEqual([]);
    expect(wantedFacts({ event, isPlaced: false, isBranchToldAgain: true }, [everywhere])).toEqual([
      "branch_head",
    ]);
  });
});

describe("in words", () => {
  const standing: AskingStanding = {
    hasCredential: true,
    refused: null,
    blockedUntil: null,
    isBudgetSpent: false,
  };

  test("nothing that is wanted means a worker", () => {
    expect(describeWaits({ for: [], integration: null })).toContain("waits for a worker");
  });

  test("all that is wanted is named, and the first thing that keeps Bitbucket from being asked", () => {
    const wanted = ["commit_hash", "changed_files"] as const;
    const say = (integration: AskingStanding) => describeWaits({ for: wanted, integration });
    const words =
      "waits for the whole hash of its commit from Bitbucket, and for the list of changed files from Bitbucket";
    expect(say(standing)).toBe(words);
    expect(say({ ...standing, hasCredential: false })).toBe(
      `${words}; its integration has no credential: apply one`,
    );
    expect(say({ ...standing, blockedUntil: "2026-11-24T09:00:00.000Z", isBudgetSpent: true })).toBe(
      `${words}; Bitbucket allows no call before 2026-11-24T09:00:00.000Z (429)`,
    );
    expect(say({ ...standing, isBudgetSpent: true })).toContain("in an hour were made");
    const refused = { since: "2026-11-24T09:00:00.000Z", httpStatus: 401, nextCheckAt: null };
    expect(say({ ...standing, refused })).toContain("since 2026-11-24T09:00:00.000Z (401)");
  });
});
