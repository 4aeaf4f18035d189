/** Commands in comments, over HTTP (rule 24). */
import type { Account, User } from "@sluice/simulator/account";
import type { PullRequest } from "@sluice/simulator/pull-request";
import type { Repository } from "@sluice/simulator/repository";
import type { WebhookEvent } from "@sluice/simulator/webhook-delivery";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { decisionOn, decisionsIn } from "./test-api-reader.ts";
import { startWholePath, testQueues, type WholePath } from "./test-whole-path.ts";

describe.each(testQueues(inject("redisUrl")))("a comment, on $name (rule 24)", (queue) => {
  let path: WholePath;
  /** Writes the pull request; Grace may deploy `network` alone, and Alan nothing. */
  let ada: User;
  let grace: User;
  let alan: User;
  let repository: Repository;
  let pull: PullRequest;

  beforeAll(async () => {
    path = await startWholePath(inject("postgresUrl"), queue);
    ada = path.bitbucket.createUser("Ada Lovelace");
    grace = path.bitbucket.createUser("Grace Hopper");
    alan = path.bitbucket.createUser("Alan Turing");
  });

  afterAll(() => path.close());

  beforeEach(async () => {
    repository = path.aRepository({ "network/main.tf": "1", "database/main.tf": "1" });
    await path.declare(repository, {
      stacks: [
        { name: "network", project_root: "network", deployers: [ada.uuid, grace.uuid] },
        { name: "database", project_root: "database", deployers: [alan.uuid] },
        { name: "web servers", project_root: "web" },
      ],
    });
    await path.tell(() => push("2"));
    await path.tell(() => repository.openPullRequest({ title: "Wider", source: "feature", author: ada }));
    pull = repository.pullRequest(1);
  });

  const push = (text: string) =>
    repository.push({ branch: "feature", files: { "network/main.tf": text }, by: ada });

  /** What a comment meant. */
  async function comment(by: Account, text: string) {
    const [told] = await path.tell(() => pull.comment(by, text));
    const decisions = decisionsIn(told);
    return { decisions, sentence: decisionOn(told, "network")?.sentence ?? "", told };
  }

  const trackedRuns = async () =>
    (await path.triggersOf(repository)).filter((trigger) => trigger.run_type === "tracked");

  test("with propose runs what is affected, or what it names, each time anew", async () => {
    expect((await comment(alan, "/sluice propose")).decisions).toEqual({
      database: "outside_project_root",
      network: "proposed run",
      "web servers": "outside_project_root",
    });
    expect((await comment(alan, '/sluice propose database "web servers"\n\nplease')).decisions).toEqual({
      database: "proposed run",
      network: "not_a_command",
      "web servers": "proposed run",
    });
    const runs = await path.triggersOf(repository);
    expect(runs.map(({ target, state }) => `${target.name} ${state}`).toSorted()).toEqual([
      "database queued",
      "network queued",
      "network superseded",
      "web servers queued",
    ]);
    expect(new Set(runs.map(({ checkout }) => checkout.sha))).toEqual(new Set([repository.head("feature")]));
  });

  test("with deploy makes a tracked run of the approved head, of the stack that it names", async () => {
    await path.tell(() => pull.approve(alan));
    const { decisions, sentence } = await comment(grace, "/sluice deploy network");
    expect(decisions).toEqual({
      database: "not_a_command",
      network: "tracked run",
      "web servers": "not_a_command",
    });
    expect(sentence).toBe("A tracked run was triggered: a comment asked for it (/sluice deploy network).");
    expect(await trackedRuns()).toMatchObject([
      {
        target: { name: "network" },
        state: "queued",
        checkout: { sha: repository.head("feature"), ref_name: "feature" },
        cause: { pull_request: { number: 1, action: "commented" }, actor: { uuid: grace.uuid } },
        pull_requests: [{ number: 1 }],
      },
    ]);
  });

  const UNAPPROVED = "nobody but its author or its pusher has approved the present head since it was pushed";
  test.each<[when: string, why: string, before: () => Promise<unknown>, command?: string, by?: () => User]>([
    ["nobody has approved", UNAPPROVED, () => Promise.resolve()],
    ["its author alone has approved", UNAPPROVED, () => path.tell(() => pull.approve(ada))],
    [
      "the approval was taken back",
      UNAPPROVED,
      async () => {
        await path.tell(() => pull.approve(alan));
        await path.tell(() => pull.unapprove(alan));
      },
    ],
    [
      "the head has moved since the approval",
      UNAPPROVED,
      async () => {
        await path.tell(() => pull.approve(alan));
        await path.tell(() => push("3"));
      },
    ],
    [
      "the commenter is a deployer of another stack",
      "the commenter is not among the target's deployers",
      () => path.tell(() => pull.approve(grace)),
      "/sluice deploy network",
      () => alan,
    ],
    [
      "the stack has no deployers",
      "the target has no deployers, so nobody may deploy it by a comment",
      () => path.tell(() => pull.approve(alan)),
      '/sluice deploy "web servers"',
    ],
  ])(
    "with deploy is refused when %s",
    async (_, why, before, command = "/sluice deploy network", by = () => grace) => {
      await before();
      const { told } = await comment(by(), command);
      const target = /deploy "?([^"]+)"?$/.exec(command)?.[1] ?? "";
      expect(decisionOn(told, target)).toMatchObject({
        reason: "command_refused",
        evidence: { command: { because: why } },
        sentence: `The command ${command} was refused: ${why}.`,
      });
      expect(await trackedRuns()).toEqual([]);
    },
  );

  test("that names what nobody has, names two to deploy, or asks for an answer is refused as a whole", async () => {
    for (const [text, why] of [
      ["/sluice propose network netwrok", 'no target of the repository is named "netwrok"'],
      ["/sluice deploy network database", "deploy takes the name of one target"],
      ["/sluice apply network", '"apply" is not a command'],
      ["/sluice help", "help is answered by a comment"],
    ] as const) {
      const { told, decisions } = await comment(grace, text);
      expect(decisions).toEqual({ "*": "command_refused" });
      expect(told?.events[0]?.decisions[0]?.sentence).toContain(`The command ${text} was refused: ${why}`);
    }
    expect(await path.triggersOf(repository)).toHaveLength(1);
  });

  test("that is no command runs nothing, also one that quotes a command", async () => {
    for (const text of ["Looks good", "try\n/sluice propose", "> /sluice propose", "/sluices propose"]) {
      expect((await comment(grace, text)).decisions).toEqual({ "*": "not_a_command" });
    }
    expect(await path.triggersOf(repository)).toHaveLength(1);
  });

  test("of the account of an access token deploys nothing, and an answer that quotes a command runs nothing", async () => {
    const own = path.bitbucket.createAccessTokenUser("Sluice");
    await path.tell(() => pull.approve(alan));
    const { decisions, sentence } = await comment(own, "/sluice deploy network");
    expect(decisions["network"]).toBe("command_refused");
    expect(sentence).toContain("the commenter is not among the target's deployers");
    const answer = await comment(own, "> /sluice deploy network\n\nA tracked run was triggered.");
    expect(answer.decisions).toEqual({ "*": "not_a_command" });
    expect(await trackedRuns()).toEqual([]);
  });

  test("that is edited into a command is not read (rule 10)", async () => {
    let commentId = 0;
    await path.tell(() => void ({ commentId } = pull.comment(grace, "Looks good")));
    const [edited] = await path.tell(() => pull.editComment(commentId, "/sluice propose"));
    expect(edited).toMatchObject({ event_key: "pullrequest:comment_updated", outcome: "unsupported" });
    expect(decisionsIn(edited)).toEqual({ "*": "unsupported_event" });
  });

  test("is carried out once, also when it is told again under another request id", async () => {
    const comments: WebhookEvent[] = [];
    const [first] = await path.tell(
      () => void comments.push(...pull.comment(grace, "/sluice propose database").webhooks),
    );
    expect(decisionsIn(first)["database"]).toBe("proposed run");
    const again = await path.send("pullrequest:comment_created", comments[0]!.body);
    expect(decisionsIn(again)).toEqual({ "*": "command_refused" });
    expect(again.events[0]?.decisions[0]?.sentence).toContain("the comment was told before");
    const names = (await path.triggersOf(repository)).map(({ target }) => target.name);
    expect(names.toSorted()).toEqual(["database", "network"]);
  });
});
