import { describe, expect, test } from "vitest";

import { refuseModuleVersions } from "./check-module-versions.ts";
import type { NamedDraft } from "./draft.ts";

/** A tracked trigger of the module `vpc` at a place. */
function aDraft(
  position: number,
  moduleVersion: string | null,
  change: { readonly targetId?: string; readonly runType?: "tracked" | "proposed" } = {},
): NamedDraft {
  const { targetId = "vpc", runType = "tracked" } = change;
  const eventId = `event-${String(position)}`;
  return {
    decision: {
      eventId,
      targetId,
      outcome: "trigger",
      runType,
      reason: "triggered",
      evidence: { trackedBranch: "main" },
    },
    trigger: {
      id: `trigger-${String(position)}`,
      targetId,
      repositoryId: "repository",
      sourceRepositoryId: "repository",
      eventId,
      runType,
      commitSha: String(position).padStart(40, "0"),
      branchArrival: position,
      refName: "main",
      baseSha: null,
      position,
      awaitsPush: false,
      moduleVersion,
      changes: {},
    },
  };
}

/** What became of each draft: its version, or the evidence of its refusal. */
function outcomes(
  drafts: readonly NamedDraft[],
  given: Parameters<typeof refuseModuleVersions>[1] = new Map(),
) {
  return refuseModuleVersions(drafts, given).map(
    ({ decision, trigger }) => trigger?.moduleVersion ?? decision.evidence.moduleVersion,
  );
}

const GIVEN = new Map([
  [
    "vpc",
    [
      { position: 10, version: "1.0.0" },
      { position: 30, version: "1.2.0" },
    ],
  ],
]);

describe("the version of a module's tracked trigger (rule 31)", () => {
  test("that is used again is refused, with its reason, and makes no trigger", () => {
    expect(refuseModuleVersions([aDraft(40, "1.2.0")], GIVEN)).toEqual([
      {
        decision: {
          eventId: "event-40",
          targetId: "vpc",
          outcome: "ignore",
          runType: null,
          reason: "module_version_refused",
          evidence: { trackedBranch: "main", moduleVersion: { version: "1.2.0", last: "1.2.0" } },
        },
        trigger: null,
      },
    ]);
  });

  test("that rises is given, and so is that of a late push between its neighbours", () => {
    expect(outcomes([aDraft(20, "1.1.0"), aDraft(40, "1.3.0")], GIVEN)).toEqual(["1.1.0", "1.3.0"]);
  });

  test("of a late push that is lower than an earlier one's, or not below a later one's, is refused", () => {
    expect(outcomes([aDraft(20, "0.9.0"), aDraft(20, "1.2.0")], GIVEN)).toEqual([
      { version: "0.9.0", last: "1.0.0" },
      { version: "1.2.0", last: "1.2.0", because: expect.stringContaining("later commit") },
    ]);
  });

  test("counts against those after it in one batch, and a refused one does not", () => {
    const drafts = [aDraft(1, "1.0.0"), aDraft(2, "1.0.0"), aDraft(3, "0.5.0"), aDraft(4, "1.0.1")];
    expect(outcomes(drafts)).toEqual([
      "1.0.0",
      { version: "1.0.0", last: "1.0.0" },
      { version: "0.5.0", last: "1.0.0" },
      "1.0.1",
    ]);
  });

  test("is the module's own: another module may have the same", () => {
    expect(outcomes([aDraft(1, "1.0.0"), aDraft(2, "1.0.0", { targetId: "dns" })])).toEqual([
      "1.0.0",
      "1.0.0",
    ]);
  });

  test("is asked of tracked modules alone", () => {
    const others = [
      aDraft(1, null),
      aDraft(2, null, { runType: "proposed" }),
      { ...aDraft(3, null), trigger: null },
    ];
    expect(refuseModuleVersions(others, GIVEN)).toEqual(others);
  });
});
