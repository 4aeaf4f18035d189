import type { DiffstatQuery, ListedFiles } from "@sluice/bitbucket/diffstat";
import { AppError } from "@sluice/domain/app-error";
import type { PullRequestFacts, PushEvent } from "@sluice/domain/event";
import type { Target } from "@sluice/domain/target";
import { describe, expect, test } from "vitest";

import { findAffectedFiles, findPullRequestFiles, waysToCompare, type Diffstats } from "./affected-files.ts";

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
const describeWays = (event: PushEvent, target = aTarget(), lastTracked: string | null = null) =>
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
    expect(describeWays(event, aTarget(), lastTracked)).toEqual(expected);
  });
});

interface Asked {
  readonly queries: DiffstatQuery[];
  /** The pull requests that were asked for. */
  readonly numbers: number[];
  readonly diffstats: Diffstats;
}

function bitbucket(answer: (query: DiffstatQuery | null) => readonly string[] | AppError): Asked {
  const queries: DiffstatQuery[] = [];
  const numbers: number[] = [];
  const toListed = (paths: readonly string[] | AppError): Promise<ListedFiles> =>
    paths instanceof AppError
      ? Promise.reject(paths)
      : Promise.resolve({ kind: "listed", paths, spec: "spec" });
  return {
    queries,
    numbers,
    diffstats: {
      getDiffstat: (query) => {
        queries.push(query);
        return toListed(answer(query));
      },
      getPullRequestDiffstat: (number) => {
        numbers.push(number);
        return toListed(answer(null));
      },
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
      diffstats: asked.diffstats,
    });
    expect(asked.queries).toHaveLength(1);
    expect([...files.keys()]).toHaveLength(50);
  });

  test("targets that track other branches, or ran other commits last, are each answered for themselves", async () => {
    const refuse = new AppError("bitbucket_not_found", "no");
    const { diffstats } = bitbucket((query) =>
      query === null || query.spec.old === OLD ? refuse : [query.spec.old],
    );
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
    const files = await findAffectedFiles({ event: aPush(), targets, lastTracked, diffstats });
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
      const second = bitbucket((query) => (query?.topic === true ? ["network/main.tf"] : refuse));
      const event = aPush({ refName: "feature" });
      const input = { event, targets: [aTarget()], lastTracked: new Map<string, string>() };
      expect((await findAffectedFiles({ ...input, diffstats: second.diffstats })).get("t1")).toMatchObject({
        kind: "listed",
      });
      const never = bitbucket(() => refuse);
      const unknown = (await findAffectedFiles({ ...input, diffstats: never.diffstats })).get("t1");
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
      diffstats: asked.diffstats,
    });
    await expect(files).rejects.toMatchObject({ code });
    expect(asked.queries).toHaveLength(1);
  });
});

describe("the files of a pull request (rule 15)", () => {
  const pullRequest: PullRequestFacts = {
    number: 12,
    title: "Widen the network",
    state: "OPEN",
    isDraft: false,
    author: null,
    url: null,
    createdOn: null,
    updatedOn: "2026-11-24T10:00:00Z",
    source: { repository: { uuid: "{r}", fullName: "acme/infra" }, branch: "feature", sha: "b1b2b3b4b5b6" },
    destination: { branch: "main", sha: "a1a2a3a4a5a6" },
    mergeSha: null,
    reviews: [],
  };
  const refuse = new AppError("bitbucket_not_found", "no");

  test("are those since its head parted from its destination", async () => {
    const { queries, diffstats } = bitbucket(() => ["network/main.tf"]);
    const files = await findPullRequestFiles({ pullRequest, isFork: false, diffstats });
    expect(files).toMatchObject({ kind: "listed", paths: ["network/main.tf"] });
    expect(queries).toEqual([{ spec: { new: "b1b2b3b4b5b6", old: "a1a2a3a4a5a6" }, topic: true }]);
  });

  test("are asked for by the destination's branch where its commit is gone, and are unknown after that (rule 17)", async () => {
    const { queries, diffstats } = bitbucket(() => refuse);
    const files = await findPullRequestFiles({ pullRequest, isFork: false, diffstats });
    expect(files).toMatchObject({ kind: "unknown" });
    expect(queries.map(({ spec, renames }) => [spec.old, renames])).toEqual([
      ["a1a2a3a4a5a6", undefined],
      ["main", undefined],
      ["a1a2a3a4a5a6", false],
    ]);
  });

  test("of a fork are asked for by its number, since its commits may be there alone", async () => {
    const { queries, numbers, diffstats } = bitbucket(() => ["network/main.tf"]);
    const files = await findPullRequestFiles({ pullRequest, isFork: true, diffstats });
    expect(files).toMatchObject({ kind: "listed" });
    expect([queries, numbers]).toEqual([[], [12]]);
    const never = bitbucket(() => refuse);
    expect(
      await findPullRequestFiles({ pullRequest, isFork: true, diffstats: never.diffstats }),
    ).toMatchObject({
      kind: "unknown",
      because: expect.stringContaining("pull request 12") as string,
    });
  });

  test("are not known of a head that is gone", async () => {
    const { queries, diffstats } = bitbucket(() => ["x"]);
    const gone = { ...pullRequest, source: { ...pullRequest.source, sha: null } };
    expect(await findPullRequestFiles({ pullRequest: gone, isFork: false, diffstats })).toMatchObject({
      kind: "unknown",
    });
    expect(queries).toEqual([]);
  });
});
