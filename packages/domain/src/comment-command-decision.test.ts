import { describe, expect, test } from "vitest";

import { readComment, type CommandFacts } from "./comment-command-decision.ts";
import type { RunCommand } from "./comment-command.ts";
import type { ChangedFiles } from "./changed-files.ts";
import { decide as decideForTarget, decisionNeedsFiles } from "./decide.ts";
import type { Actor, PullRequestEvent, PullRequestFacts, RepositoryFacts } from "./event.ts";
import type { PullRequestState } from "./pull-request.ts";
import type { Target } from "./target.ts";
import { aTarget as aStack } from "./test-pull-request.ts";

const DEPLOYER = "{d}";
const REPOSITORY: RepositoryFacts = { uuid: "{r}", fullName: "acme/infra" };
const HEAD = "a14c0d9e7b4c";
const anActor = (uuid: string | null): Actor => ({ uuid, displayName: "Someone", kind: "user" });

const PULL_REQUEST: PullRequestFacts = {
  number: 17,
  title: "A change",
  state: "OPEN",
  isDraft: false,
  author: anActor("{author}"),
  url: null,
  createdOn: null,
  updatedOn: "2026-11-20T10:05:00Z",
  source: { repository: REPOSITORY, branch: "feature/x", sha: HEAD },
  destination: { branch: "main", sha: "b27e91c33333" },
  mergeSha: null,
  reviews: [],
};

function aComment(text: string, change: Partial<PullRequestEvent> = {}): PullRequestEvent {
  return {
    kind: "pull_request",
    action: "commented",
    repository: REPOSITORY,
    actor: anActor(DEPLOYER),
    pullRequest: PULL_REQUEST,
    comment: {
      id: 1,
      text,
      author: anActor(DEPLOYER),
      createdOn: null,
      isDeleted: false,
      parentId: null,
      isInline: false,
    },
    ...change,
  };
}

const aTarget = (change: Partial<Target> = {}): Target =>
  aStack({ id: "t", deployers: [DEPLOYER], ...change });

const TARGETS = [aTarget(), aTarget({ id: "t2", name: "dns" })];
const PROPOSE: RunCommand = { kind: "propose", targets: ["network"] };
const PROPOSE_ALL: RunCommand = { kind: "propose", targets: [] };
const DEPLOY: RunCommand = { kind: "deploy", target: "network" };
const elsewhere: ChangedFiles = { kind: "listed", paths: ["dns/zone.tf"], spec: "pull request 17" };
const inside: ChangedFiles = { kind: "listed", paths: ["network/main.tf"], spec: "pull request 17" };

/** One command and one target. */
interface Question extends CommandFacts {
  readonly event: PullRequestEvent;
  readonly target: Target;
  readonly pullRequest: PullRequestState;
}
const aQuestion = (command: RunCommand, change: Partial<Question> = {}): Question => ({
  event: aComment("/sluice …"),
  command,
  target: aTarget(),
  pullRequest: { ...PULL_REQUEST, reviews: [], headArrival: 1 },
  approvals: [{ userUuid: "{reviewer}", at: "2026-11-20T10:04:00Z" }],
  pusherUuid: "{pusher}",
  headSeenAt: "2026-11-20T10:00:00Z",
  ...change,
});
const decide = ({ event, target, pullRequest, ...command }: Question, files: ChangedFiles | null = inside) =>
  decideForTarget(event, target, { files, pullRequest, command });
const needsFiles = ({ event, target, pullRequest, ...command }: Question) =>
  decisionNeedsFiles(event, target, { pullRequest, command });
const read = (event: PullRequestEvent, ownUuid: string | null = "{own}") =>
  readComment({ event, targets: TARGETS, ownUuid });

describe("a comment as a whole (rule 24)", () => {
  test("that is a command is one", () => {
    expect(read(aComment("/sluice deploy network"))).toEqual({ kind: "command", command: DEPLOY });
    expect(read(aComment("/sluice propose"))).toEqual({ kind: "command", command: PROPOSE_ALL });
  });

  test("that is none is no command, and is not quoted", () => {
    const { decision } = expectDecided(read(aComment("Looks good")));
    expect(decision).toMatchObject({ reason: "not_a_command", evidence: { pullRequest: { number: 17 } } });
    expect(JSON.stringify(decision)).not.toContain("Looks good");
  });

  test("of our own account triggers nothing", () => {
    for (const own of [
      aComment("/sluice deploy network", { actor: anActor("{own}") }),
      aComment("/sluice propose", {
        comment: { ...aComment("/sluice propose").comment!, author: anActor("{OWN}") },
      }),
    ]) {
      expect(expectDecided(read(own)).decision).toMatchObject({ reason: "not_a_command" });
    }
    expect(read(aComment("/sluice propose"), null)).toMatchObject({ kind: "command" });
  });

  test.each([
    ["/sluice help", "does not write yet"],
    ["/sluice unlock network", "does not write yet"],
    ["/sluice status", "does not write yet"],
    ["/sluice aply", '"aply" is not a command'],
    ["/sluice propose network netwrok dnss", 'no target of the repository is named "netwrok", "dnss"'],
    ["/sluice deploy Network", 'no target of the repository is named "Network"'],
  ])("%j is refused for all targets, with what was typed and why", (text, because) => {
    expect(expectDecided(read(aComment(text))).decision).toMatchObject({
      outcome: "ignore",
      reason: "command_refused",
      evidence: { command: { text, because: expect.stringContaining(because) } },
    });
  });

  test("cannot deploy a name that a stack and a module have, and can propose both", () => {
    const targets = [aTarget(), aTarget({ id: "m", kind: "module" })];
    const event = aComment("/sluice deploy network");
    expect(expectDecided(readComment({ event, targets, ownUuid: null })).decision).toMatchObject({
      reason: "command_refused",
      evidence: { command: { because: "2 targets of the repository have that name" } },
    });
    const proposing = aComment("/sluice propose network");
    expect(readComment({ event: proposing, targets, ownUuid: null })).toMatchObject({ kind: "command" });
  });
});

describe("propose (rule 24)", () => {
  test("makes a proposed run of a target that it names, affected or not, and says what changed", () => {
    for (const [files, total] of [
      [inside, 1],
      [elsewhere, 0],
    ] as const) {
      expect(decide(aQuestion(PROPOSE), files)).toMatchObject({
        outcome: "trigger",
        runType: "proposed",
        evidence: { command: { text: "/sluice …" }, files: { known: true, total } },
      });
    }
  });

  test("makes one also when the changed files are not known, and says that they are not", () => {
    const unknown: ChangedFiles = { kind: "unknown", because: "diffstat timed out" };
    expect(decide(aQuestion(PROPOSE), unknown)).toMatchObject({
      outcome: "trigger",
      evidence: { files: { known: false, because: "diffstat timed out" } },
    });
  });

  test("without names is for those that are affected", () => {
    expect(decide(aQuestion(PROPOSE_ALL), inside)).toMatchObject({ outcome: "trigger", runType: "proposed" });
    expect(decide(aQuestion(PROPOSE_ALL), elsewhere)).toMatchObject({ reason: "outside_project_root" });
  });

  test("needs no deployer and no approval", () => {
    const question = aQuestion(PROPOSE, { target: aTarget({ deployers: [] }), approvals: [] });
    expect(decide(question)).toMatchObject({ outcome: "trigger" });
  });
});

describe("deploy (rule 24)", () => {
  test("of a pull request that is merged is refused, which propose is not", () => {
    const merged = { pullRequest: { ...PULL_REQUEST, state: "MERGED", reviews: [], headArrival: 1 } };
    expect(decide(aQuestion(DEPLOY, merged), null)).toMatchObject({ reason: "closed" });
    expect(decide(aQuestion(PROPOSE, merged), null)).toMatchObject({
      reason: "triggered",
    });
  });

  test("makes a tracked run of the one target that it names", () => {
    expect(decide(aQuestion(DEPLOY), elsewhere)).toMatchObject({ outcome: "trigger", runType: "tracked" });
  });

  test.each<[string, Partial<Question>]>([
    ["nobody may deploy the target", { target: aTarget({ deployers: [] }) }],
    ["the commenter may not", { target: aTarget({ deployers: ["{somebody}"] }) }],
    ["the head is not approved", { approvals: [] }],
    ["the pusher is not known", { pusherUuid: null }],
    ["the pusher alone approved", { pusherUuid: "{reviewer}" }],
    ["the time of the head is not known", { headSeenAt: null }],
    ["somebody else brought the comment", { event: aComment("/sluice …", { actor: anActor("{other}") }) }],
    [
      "the author of the pull request is not known",
      { pullRequest: { ...PULL_REQUEST, author: null, reviews: [], headArrival: 1 } },
    ],
  ])("is refused when %s", (_, change) => {
    expect(decide(aQuestion(DEPLOY, change))).toMatchObject({
      outcome: "ignore",
      reason: "command_refused",
      evidence: { command: { because: expect.stringMatching(/\w/) } },
    });
  });
});

describe.each([
  ["propose", PROPOSE],
  ["deploy", DEPLOY],
] as const)("%s runs nothing, and asks Bitbucket nothing,", (_, command) => {
  const fork = { uuid: "{f}", fullName: "contoso/infra" };
  const fromFork = aComment("/sluice …", {
    pullRequest: { ...PULL_REQUEST, source: { ...PULL_REQUEST.source, repository: fork } },
  });
  const stored = (change: Partial<PullRequestFacts>) => ({
    pullRequest: { ...PULL_REQUEST, ...change, reviews: [], headArrival: 1 },
  });
  test.each<[string, Partial<Question>, string]>([
    ["of a target that it does not name", { target: aTarget({ name: "dns" }) }, "not_a_command"],
    ["of a detached target (rule 5)", { target: aTarget({ state: "detached" }) }, "integration_detached"],
    ["of a disabled target", { target: aTarget({ state: "disabled" }) }, "target_disabled"],
    ["for a fork that the target does not allow (rule 21)", { event: fromFork }, "fork_not_allowed"],
    ["for a pull request that was declined", stored({ state: "DECLINED" }), "closed"],
    [
      "when the head has moved since the comment",
      stored({ source: { ...PULL_REQUEST.source, sha: "c".repeat(40) } }),
      "stale",
    ],
    ["when the branch is gone", stored({ source: { ...PULL_REQUEST.source, sha: null } }), "branch_deleted"],
  ])("%s", (__, change, reason) => {
    const question = aQuestion(command, change);
    expect(needsFiles(question)).toBe(false);
    expect(decide(question, null)).toMatchObject({ outcome: "ignore", reason });
  });

  test("for a fork that the target allows it runs (rule 21)", () => {
    const target = aTarget({ allowedForkWorkspaces: ["contoso"] });
    expect(decide(aQuestion(command, { event: fromFork, target }))).toMatchObject({ outcome: "trigger" });
  });
});

test("a target without a project root needs no files (rule 16)", () => {
  const target = aTarget({ projectRoot: "" });
  expect(needsFiles(aQuestion(PROPOSE, { target }))).toBe(false);
  expect(decide(aQuestion(PROPOSE, { target }), null).evidence.files).toBeUndefined();
  expect(needsFiles(aQuestion(PROPOSE))).toBe(true);
});

function expectDecided(meaning: ReturnType<typeof readComment>) {
  expect(meaning.kind).toBe("decided");
  if (meaning.kind !== "decided") throw new Error("it is a command");
  return meaning;
}
