/** Pull requests over HTTP: opened, moved, reviewed and declined, of a branch and of a fork. */
import type { User } from "@sluice/simulator/account";
import type { Repository } from "@sluice/simulator/repository";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { decisionOn, decisionsIn } from "./test-api-reader.ts";
import { startWholePath, testQueues, type WholePath } from "./test-whole-path.ts";

describe.each(testQueues(inject("redisUrl")))("a pull request, on $name", (queue) => {
  let path: WholePath;
  let grace: User;
  let repository: Repository;

  beforeAll(async () => {
    path = await startWholePath(inject("postgresUrl"), queue);
    grace = path.bitbucket.createUser("Grace Hopper");
  });

  afterAll(() => path.close());

  beforeEach(async () => {
    repository = path.aRepository({ "network/main.tf": "1", "database/main.tf": "1" });
    await path.declare(repository, {
      stacks: [
        { name: "network", project_root: "network", allowed_fork_workspaces: ["Grace-Labs"] },
        { name: "database", project_root: "database" },
      ],
    });
  });

  const push = (text: string, more: { readonly to?: Repository; readonly file?: string } = {}) =>
    (more.to ?? repository).push({
      branch: "feature",
      files: { [more.file ?? "network/main.tf"]: text },
    });

  const open = (from = repository) =>
    repository.openPullRequest({ title: "Larger network", source: "feature", from });

  /** Of a branch that was pushed; both are told. */
  async function anOpenPullRequest() {
    await path.tell(() => push("2"));
    await path.tell(() => open());
    return repository.pullRequest(1);
  }

  test("of a pushed branch repeats no run, and the run tells of it (rules 22, 26)", async () => {
    await path.tell(() => push("2"));
    const [opened] = await path.tell(() => open());
    expect(decisionsIn(opened)).toEqual({ database: "outside_project_root", network: "duplicate" });
    const [run, ...others] = await path.triggersOf(repository);
    expect(others).toEqual([]);
    expect(run).toMatchObject({ run_type: "proposed", pull_requests: [{ number: 1, state: "OPEN" }] });
    expect(decisionOn(opened, "network")?.evidence).toMatchObject({ duplicate_of: { trigger_id: run?.id } });
  });

  test("with a new title runs nothing, and asks Bitbucket nothing (rules 16, 22)", async () => {
    const pull = await anOpenPullRequest();
    path.server.clearCalls();
    const [edited] = await path.tell(() => pull.edit({ title: "A larger network" }));
    expect(edited?.events).toMatchObject([{ action: "edited" }]);
    expect(decisionsIn(edited)).toEqual({ database: "metadata_only", network: "metadata_only" });
    expect(path.server.calls).toEqual([]);
  });

  test.each([
    ["its push", "as_sent", ["proposed run", "duplicate"]],
    ["its update", "reversed", ["duplicate", "proposed run"]],
  ] as const)(
    "with a new head supersedes the queued run of the old one, once, when %s is told first (rules 11, 22, 26, 27)",
    async (_, order, reasons) => {
      await anOpenPullRequest();
      const [pushed, updated] = await path.tell(() => push("3"), { order });
      expect(updated?.events).toMatchObject([{ action: "synchronize" }]);
      expect([pushed, updated].map((told) => decisionsIn(told)["network"])).toEqual(reasons);
      expect(decisionsIn(updated)["database"]).toBe("outside_project_root");
      const [old, present, ...others] = await path.triggersOf(repository);
      expect(others).toEqual([]);
      expect(old).toMatchObject({
        state: "superseded",
        message: expect.stringContaining(`${present?.id ?? ""} is of a newer`),
      });
      expect(present).toMatchObject({
        state: "queued",
        checkout: { sha: repository.head("feature") },
        pull_requests: [{ number: 1 }],
      });
    },
  );

  test("whose push is lost is run by its update alone (rules 11, 22, 27)", async () => {
    await anOpenPullRequest();
    const mend = path.bitbucket.webhooks.injectFault(
      { kind: "lose" },
      { match: ({ event }) => event.eventKey === "repo:push" },
    );
    const [updated] = await path.tellAtOnce(() => push("3"));
    mend();
    expect(decisionsIn(updated)).toEqual({ database: "outside_project_root", network: "proposed run" });
    const states = (await path.triggersOf(repository)).map(({ state }) => state);
    expect(states).toEqual(["superseded", "queued"]);
  });

  test("with a new base is looked at anew: the head is the same, so is the run (rules 11, 26)", async () => {
    const pull = await anOpenPullRequest();
    await path.tell(() => repository.push({ branch: "release", from: "main", files: { notes: "1" } }));
    const [moved] = await path.tell(() => pull.edit({ destination: "release" }));
    expect(moved?.events).toMatchObject([{ action: "synchronize" }]);
    expect(decisionsIn(moved)).toEqual({ database: "outside_project_root", network: "duplicate" });
  });

  test("that is approved, unapproved and to be changed is looked at each time, and runs once (rules 13, 22)", async () => {
    const pull = await anOpenPullRequest();
    const [run] = await path.triggersOf(repository);
    const reviews = [
      ["approved", () => pull.approve(grace), "approved"],
      ["unapproved", () => pull.unapprove(grace), "none"],
      ["changes_requested", () => pull.requestChanges(grace), "changes_requested"],
      ["changes_request_removed", () => pull.withdrawChangesRequest(grace), "none"],
    ] as const;
    for (const [action, review, verdict] of reviews) {
      const [told] = await path.tell(review);
      expect(told?.events).toMatchObject([{ action }]);
      expect(decisionsIn(told)).toEqual({ database: "outside_project_root", network: "duplicate" });
      expect(decisionOn(told, "network")?.evidence).toMatchObject({ duplicate_of: { trigger_id: run?.id } });
      const [stored] = await path.store.sql`
        SELECT reviews FROM sluice.pull_requests JOIN sluice.repositories ON repositories.id = repository_id
        WHERE uuid = ${repository.uuid}`;
      expect(stored?.["reviews"]).toMatchObject([{ userUuid: grace.uuid, state: verdict }]);
    }
    expect(await path.triggersOf(repository)).toHaveLength(1);
  });

  test("that is declined cancels what is queued, and what is told of it afterwards is closed (rule 22)", async () => {
    const pull = await anOpenPullRequest();
    const [declined] = await path.tell(() => pull.decline());
    expect(decisionsIn(declined)).toEqual({ database: "closed", network: "closed" });
    expect(await path.triggersOf(repository)).toMatchObject([
      { state: "canceled", message: "pull request #1 of its branch was closed without a merge" },
    ]);
    const [late] = await path.tell(() => pull.comment(grace, "/sluice propose network"));
    expect(decisionsIn(late)).toEqual({ database: "not_a_command", network: "closed" });
  });

  describe("of a fork", () => {
    const aFork = (workspace: string) => {
      const fork = path.bitbucket.fork(repository, { workspace });
      push("2", { to: fork });
      push("2", { to: fork, file: "database/main.tf" });
      return fork;
    };

    test("runs where its workspace is allowed, and says where it is not (rule 21)", async () => {
      const fork = aFork("grace-labs");
      const [opened] = await path.tell(() => open(fork));
      expect(decisionsIn(opened)).toEqual({ database: "fork_not_allowed", network: "proposed run" });
      expect(decisionOn(opened, "database")?.sentence).toBe(
        `Pull request 1 comes from the fork ${fork.fullName}, whose workspace is not in the target's allowed_fork_workspaces.`,
      );
      expect(await path.triggersOf(repository)).toMatchObject([
        {
          target: { name: "network" },
          repository: { uuid: repository.uuid },
          checkout: { sha: fork.head("feature"), ref_name: "feature", repository: { uuid: fork.uuid } },
        },
      ]);
    });

    test("of a workspace that nobody allows runs nothing, whatever happens to it, and asks Bitbucket nothing (rules 16, 21)", async () => {
      const fork = aFork("mallory");
      path.server.clearCalls();
      const told = [
        ...(await path.tell(() => open(fork))),
        ...(await path.tell(() => push("3", { to: fork }))),
        ...(await path.tell(() => repository.pullRequest(1).approve(grace))),
        ...(await path.tell(() =>
          repository.pullRequest(1).comment(grace, "/sluice propose network database"),
        )),
      ];
      expect(told.map(({ events }) => events[0]?.action)).toEqual([
        "opened",
        "synchronize",
        "approved",
        "commented",
      ]);
      for (const delivery of told) {
        expect(decisionsIn(delivery)).toEqual({ database: "fork_not_allowed", network: "fork_not_allowed" });
      }
      expect(path.server.calls).toEqual([]);
      expect(await path.triggersOf(repository)).toEqual([]);
    });

    test("that is pushed to supersedes its own run, and touches no branch of ours of the same name (rules 11, 27)", async () => {
      await path.tell(() => push("ours"));
      const fork = aFork("grace-labs");
      await path.tell(() => open(fork));
      const [updated] = await path.tell(() => push("3", { to: fork }));
      expect(decisionsIn(updated)["network"]).toBe("proposed run");
      const states = (await path.triggersOf(repository)).map(({ checkout, state }) => ({
        isOurs: checkout.repository.uuid === repository.uuid,
        state,
      }));
      expect(states).toEqual([
        { isOurs: true, state: "queued" },
        { isOurs: false, state: "superseded" },
        { isOurs: false, state: "queued" },
      ]);
    });
  });
});
