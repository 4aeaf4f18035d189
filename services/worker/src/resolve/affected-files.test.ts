import type { DiffstatQuery, ListedFiles } from "@sluice/bitbucket/diffstat";
import { AppError } from "@sluice/domain/app-error";
import type { PushEvent } from "@sluice/domain/event";
import type { Target } from "@sluice/domain/target";
import { describe, expect, test } from "vitest";

import { findAffectedFiles, waysToCompare } from "./affected-files.ts";

const OLD = "a".repeat(40);
const NEW = "b".repeat(40);
const RAN = "c".repeat(40);

const aPush = (change: Partial<PushEvent> = {}): PushEvent => ({
  kind: "push",
  repository: { uuid: "{r}", fullName: "acme/infra" },
  actor: null,
  refKind: "branch",
  refName: "main",
  change: "updated",
  oldSha: OLD,
  newSha: NEW,
  forced: false,
  commit: null,
  ...change,
});

const aTarget = (change: Partial<Target> = {}): Target => ({
  id: "t1",
  kind: "stack",
  name: "network",
  state: "active",
  trackedBranch: "main",
  projectRoot: "network",
  projectGlobs: [],
  onUnknownFiles: null,
  allowedForkWorkspaces: [],
  deployers: [],
  moduleVersionSource: null,
  ...change,
});

const created = { change: "created", oldSha: null } as const;
const queries = (event: PushEvent, target = aTarget(), lastTracked: string | null = null) =>
  waysToCompare(event, target, lastTracked).map((way) =>
    way.kind === "all"
      ? "all"
      : `${way.query.spec.new[0] ?? ""}${way.query.topic ? "..." : ".."}${way.query.spec.old.slice(0, 4)}${way.query.renames === false ? " without renames" : ""}`,
  );

describe("the ways to compare, the best first (rules 15, 17)", () => {
  test.each([
    ["an update of the tracked branch", aPush(), null, ["b..aaaa", "b..aaaa without renames"]],
    ["the same after a run", aPush(), RAN, ["b..aaaa", "b..cccc", "b..aaaa without renames"]],
    ["the same when it was the last run", aPush(), OLD, ["b..aaaa", "b..aaaa without renames"]],
    ["a new tracked branch", aPush(created), null, ["all"]],
    ["a tracked branch that came back", aPush(created), RAN, ["b..cccc", "b..cccc without renames"]],
    ["one that came back to what ran last", aPush(created), NEW, ["all"]],
    [
      "an update of another branch",
      aPush({ refName: "x" }),
      RAN,
      ["b..aaaa", "b...main", "b..aaaa without renames"],
    ],
    ["a new branch", aPush({ refName: "x", ...created }), null, ["b...main", "b...main without renames"]],
    ["an update without a usable old commit", aPush({ oldSha: null }), null, []],
    ["a deleted branch", aPush({ newSha: null }), null, []],
  ])("%s", (_, event, lastTracked, expected) => {
    expect(queries(event, aTarget(), lastTracked)).toEqual(expected);
  });
});

interface Asked {
  readonly queries: DiffstatQuery[];
  readonly getDiffstat: (query: DiffstatQuery) => Promise<ListedFiles>;
}

function bitbucket(answer: (query: DiffstatQuery) => readonly string[] | AppError): Asked {
  const asked: DiffstatQuery[] = [];
  return {
    queries: asked,
    getDiffstat: (query) => {
      asked.push(query);
      const paths = answer(query);
      return paths instanceof AppError
        ? Promise.reject(paths)
        : Promise.resolve({ kind: "listed", paths, spec: "spec" });
    },
  };
}

describe("asking Bitbucket", () => {
  test("each comparison is made once, whatever the number of targets; who needs none asks none (rule 16)", async () => {
    const asked = bitbucket(() => ["network/main.tf"]);
    const targets = [
      ...Array.from({ length: 50 }, (_, index) => aTarget({ id: `t${String(index)}` })),
      aTarget({ id: "no-root", projectRoot: "" }),
      aTarget({ id: "off", state: "disabled" }),
    ];
    const files = await findAffectedFiles({
      event: aPush(),
      targets,
      lastTracked: new Map(),
      getDiffstat: asked.getDiffstat,
    });
    expect(asked.queries).toHaveLength(1);
    expect([...files.keys()]).toHaveLength(50);
  });

  test("targets that track other branches, or ran other commits last, are each answered for themselves", async () => {
    const refuse = new AppError("bitbucket_not_found", "no");
    const { getDiffstat } = bitbucket(({ spec }) => (spec.old === OLD ? refuse : [spec.old]));
    const targets = [
      aTarget({ id: "never ran" }),
      aTarget({ id: "ran" }),
      aTarget({ id: "ran too" }),
      aTarget({ id: "ran another" }),
      aTarget({ id: "tracks another", trackedBranch: "live" }),
    ];
    const lastTracked = new Map([
      ["ran", RAN],
      ["ran too", RAN],
      ["ran another", NEW.replace("b", "d")],
      ["tracks another", RAN],
    ]);
    const files = await findAffectedFiles({ event: aPush(), targets, lastTracked, getDiffstat });
    const pathsOf = (id: string) => {
      const seen = files.get(id);
      return seen?.kind === "listed" ? seen.paths : seen?.kind;
    };
    expect(targets.map(({ id }) => pathsOf(id))).toEqual([
      "unknown",
      [RAN],
      [RAN],
      [NEW.replace("b", "d")],
      ["live"],
    ]);
  });

  test.each(["bitbucket_not_found", "bitbucket_diff_timeout", "bitbucket_too_many_pages"])(
    "%s is asked a second way before the files count as unknown (rule 17)",
    async (code) => {
      const refuse = new AppError(code, "no");
      const second = bitbucket((query) => (query.topic ? ["network/main.tf"] : refuse));
      const event = aPush({ refName: "feature" });
      const input = { event, targets: [aTarget()], lastTracked: new Map<string, string>() };
      expect(
        (await findAffectedFiles({ ...input, getDiffstat: second.getDiffstat })).get("t1"),
      ).toMatchObject({
        kind: "listed",
      });
      const never = bitbucket(() => refuse);
      const unknown = (await findAffectedFiles({ ...input, getDiffstat: never.getDiffstat })).get("t1");
      expect(unknown).toMatchObject({ kind: "unknown", because: expect.stringContaining(code) as string });
      expect(never.queries).toHaveLength(3);
    },
  );

  test.each([
    "bitbucket_unauthorized",
    "bitbucket_forbidden",
    "bitbucket_rate_limited",
    "bitbucket_unavailable",
  ])("%s is not unknown: the event waits (rule 17)", async (code) => {
    const asked = bitbucket(() => new AppError(code, "no"));
    const files = findAffectedFiles({
      event: aPush(),
      targets: [aTarget()],
      lastTracked: new Map(),
      getDiffstat: asked.getDiffstat,
    });
    await expect(files).rejects.toMatchObject({ code });
    expect(asked.queries).toHaveLength(1);
  });
});
