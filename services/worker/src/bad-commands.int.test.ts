/** Comments by those who may not, on what is no longer there, and of words that only look right (rule 24). */
import { createTestDatabase } from "@sluice/embedded/test-database";
import type { User } from "@sluice/simulator/account";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { startBitbucketServer } from "@sluice/simulator/rest-server";
import { migrateStore } from "@sluice/store/migrate";
import { beforeEach, describe, expect, inject, test } from "vitest";

import { useScene } from "./test-scene.ts";

const bitbucket = createBitbucket({ seed: "bad commands" });
const ada = bitbucket.createUser("Ada");
const bob = bitbucket.createUser("Bob");
const carol = bitbucket.createUser("Carol");
const scene = useScene({
  token: DEFAULT_CREDENTIALS[0]!.token,
  startServer: () => startBitbucketServer({ bitbucket }),
  createDatabase: () =>
    createTestDatabase({ serverUrl: inject("postgresUrl"), migrate: migrateStore, key: "store" }),
  createRepository: (number) =>
    bitbucket.createRepository({ workspace: "acme", slug: `commands-${String(number)}` }),
});
const { aStack, decide, decisions, push, record, repository, runsOf, sweeps, tell } = scene;

/** Ada's pull request, approved by Carol; Bob may deploy `network`, and nobody may deploy `ledger`. */
let pull: ReturnType<ReturnType<typeof repository>["openPullRequest"]>;
let network: string;
let ledger: string;

beforeEach(async () => {
  network = await aStack("", repository(), "network");
  ledger = await aStack("", repository(), "ledger");
  await allow(network, bob);
  push();
  const pushed = pushByAda();
  pull = repository().openPullRequest({ title: "Wider", source: "feature", author: ada });
  await tell([...pushed.webhooks, ...pull.webhooks, ...pull.approve(carol).webhooks]);
});

const pushByAda = (more: { force?: boolean } = {}) =>
  repository().push({ branch: "feature", files: { a: String(scene.next()) }, by: ada, ...more });

const allow = (stack: string, ...deployers: readonly User[]) =>
  sweeps().worker.store.sql`
    UPDATE sluice.targets SET deployers = ${JSON.stringify(deployers.map(({ uuid }) => uuid))}::jsonb
    WHERE id = ${stack}`;

const named = (name: string) => `${name}-${sweeps().worker.integrationId()}`;
const deploy = (by: User, name = "network") => pull.comment(by, `/sluice deploy ${named(name)}`).webhooks;

const deployed = async () =>
  [...(await runsOf(network)), ...(await runsOf(ledger))].filter(([runType]) => runType === "tracked");

/** Of the latest event, for each target that it was decided for. */
async function answers() {
  const all = await decisions();
  return all
    .filter(({ eventId }) => eventId === all.at(-1)?.eventId)
    .map(({ reason, evidence }) => [reason, evidence.command?.because]);
}

const answersToComments = async () =>
  (await decisions())
    .filter(({ evidence }) => evidence.pullRequest?.action === "commented")
    .map(({ reason }) => reason)
    .toSorted();

const OTHERS = ["not_a_command", "the command names other targets"];
const UNAPPROVED = [
  "command_refused",
  "nobody but its author or its pusher has approved the present head since it was pushed",
];
const NO_DEPLOYER = ["command_refused", "the commenter is not among the target's deployers"];

test("what may be deployed is deployed: the tests below begin there (rule 24)", async () => {
  await tell(deploy(bob));
  expect(await deployed()).toEqual([["tracked", repository().head("feature"), "queued"]]);
});

describe("a deploy by somebody (rule 24)", () => {
  test("who may deploy another target is refused for this one", async () => {
    await allow(ledger, carol);
    await tell(deploy(carol));
    expect(await answers()).toEqual([OTHERS, NO_DEPLOYER]);
    await tell(deploy(bob, "ledger"));
    expect(await answers()).toEqual([NO_DEPLOYER, OTHERS]);
    expect(await deployed()).toEqual([]);
  });

  test("who approved himself is refused when he is the author, or pushed the head", async () => {
    await allow(network, ada, bob);
    await tell([...pull.unapprove(carol).webhooks, ...pull.approve(ada).webhooks, ...deploy(ada)]);
    expect(await answers()).toEqual([OTHERS, UNAPPROVED]);
    await tell(repository().push({ branch: "feature", files: { a: "bob's" }, by: bob }).webhooks);
    await tell([...pull.approve(bob).webhooks, ...deploy(bob)]);
    expect(await answers()).toEqual([OTHERS, UNAPPROVED]);
    expect(await deployed()).toEqual([]);
  });

  test("who writes as another account than the one that acted is refused", async () => {
    const [[byBob], [byCarol]] = [deploy(bob), deploy(carol)];
    await tell([{ ...byCarol!, body: { ...byCarol!.body, comment: byBob!.body["comment"] } }]);
    expect(await answers()).toEqual([OTHERS, NO_DEPLOYER]);
    expect(await deployed()).toEqual([]);
  });
});

describe("a deploy that was asked for before its job came (rule 24)", () => {
  test("is refused when the approval was withdrawn in between", async () => {
    await record(deploy(bob));
    await record(pull.unapprove(carol).webhooks);
    await decide();
    expect(await answersToComments()).toEqual(["command_refused", "not_a_command"]);
    expect(await deployed()).toEqual([]);
  });

  test.each([
    ["its push and its pull request", 0, 2],
    ["its pull request alone", 1, 2],
  ])("is stale when the head moved in between, as %s told", async (_, first, end) => {
    await record(deploy(bob));
    await record(pushByAda().webhooks.slice(first, end));
    await decide();
    expect(await answersToComments()).toEqual(["not_a_command", "stale"]);
    expect(await deployed()).toEqual([]);
  });

  test("runs the head that was approved, and no other, while only the push of another one was told", async () => {
    const approved = repository().head("feature");
    await record(deploy(bob));
    const [pushed] = pushByAda().webhooks;
    await record([pushed!]);
    await decide();
    expect(await deployed()).toEqual([["tracked", approved, "queued"]]);
  });

  test("and is told after the head moved is stale", async () => {
    const asked = deploy(bob);
    await tell([...pushByAda().webhooks, ...asked]);
    expect((await answers()).map(([reason]) => reason)).toContain("stale");
    expect(await deployed()).toEqual([]);
  });
});

describe("a head that was not approved (rules 13, 24)", () => {
  test.each([false, true])(
    "is not deployed by the approval of the one before it (forced: %s)",
    async (force) => {
      await tell([...pushByAda({ force }).webhooks, ...deploy(bob)]);
      expect(await answers()).toEqual([OTHERS, UNAPPROVED]);
      expect(await deployed()).toEqual([]);
      await tell([...pull.unapprove(carol).webhooks, ...pull.approve(carol).webhooks, ...deploy(bob)]);
      expect(await deployed()).toEqual([["tracked", repository().head("feature"), "queued"]]);
    },
  );

  test("is not deployed while its own push was not told: nobody knows who pushed it", async () => {
    const [, update] = pushByAda().webhooks;
    await tell([update!, ...pull.unapprove(carol).webhooks, ...pull.approve(carol).webhooks, ...deploy(bob)]);
    expect(await answers()).toEqual([
      OTHERS,
      ["command_refused", "it is not known who pushed the present head"],
    ]);
    expect(await deployed()).toEqual([]);
  });

  test("is not deployed when the change that was asked for after the approval stands", async () => {
    await tell([...pull.requestChanges(carol).webhooks, ...deploy(bob)]);
    expect(await answers()).toEqual([OTHERS, UNAPPROVED]);
    expect(await deployed()).toEqual([]);
  });
});

describe("a pull request that is over (rules 22, 24)", () => {
  test.each(["decline", "merge"] as const)("is deployed by no comment after its %s", async (verb) => {
    await tell(pull[verb]().webhooks);
    const before = await deployed();
    await tell(deploy(bob));
    expect((await answers()).map(([reason]) => reason)).toContain("closed");
    expect(await deployed()).toEqual(before);
  });
});

describe("words (rule 24)", () => {
  const NETWORK = "network";
  test.each([
    ["of Cyrillic letters in the command word", "/slu\u0456ce deploy NAME", "not_a_command"],
    ["of Cyrillic letters in the verb", "/sluice d\u0435ploy NAME", "command_refused"],
    ["of Cyrillic letters in the name", "/sluice deploy n\u0435twork-ID", "command_refused"],
    ["of full width", "/sluice deploy \uff4eetwork-ID", "command_refused"],
    ["with a blank of no width in the name", "/sluice deploy net\u200bwork-ID", "command_refused"],
    ["with a mark that turns the direction", "/sluice deploy \u202eNAME", "command_refused"],
    ["with a command behind the first line", "Please\n/sluice deploy NAME", "not_a_command"],
    ["with a command that is quoted", "> /sluice deploy NAME", "not_a_command"],
    ["with a quote that is not closed", '/sluice deploy "NAME', "command_refused"],
    ["with two names", "/sluice deploy NAME NAME", "command_refused"],
    ["with nothing between the quotes", '/sluice deploy ""', "command_refused"],
    ["in capitals", "/SLUICE deploy NAME", "not_a_command"],
    ["with a name in capitals", "/sluice deploy NETWORK-ID", "command_refused"],
    ["with 100 KB of name", `/sluice deploy ${"n".repeat(100_000)}`, "command_refused"],
    ["with SQL for a name", `/sluice deploy "x'; DROP TABLE sluice.targets; --"`, "command_refused"],
  ])("%s deploy nothing", async (_, text, reason) => {
    const id = sweeps().worker.integrationId();
    const words = text.replaceAll("NAME", named(NETWORK)).replaceAll("-ID", `-${id}`);
    await tell(pull.comment(bob, words).webhooks);
    const [latest] = (await decisions()).slice(-1);
    expect(latest).toMatchObject({ reason, targetId: null });
    expect(JSON.stringify(latest).length).toBeLessThan(2_000);
    expect(await deployed()).toEqual([]);
  });

  test("of Bitbucket's editor, which puts backslashes before punctuation, mean what they meant", async () => {
    const escaped = named(NETWORK).replaceAll("-", "\\-");
    await tell(pull.comment(bob, `/sluice deploy ${escaped}`).webhooks);
    expect(await deployed()).toHaveLength(1);
  });

  test("are carried out once, though two hooks tell of them, and not when they are edited in", async () => {
    const asked = pull.comment(bob, "Looks good");
    await tell([
      ...asked.webhooks,
      ...pull.editComment(asked.commentId, `/sluice deploy ${named(NETWORK)}`).webhooks,
    ]);
    expect(await deployed()).toEqual([]);
    const command = deploy(bob);
    await record(command, { hookId: "a hook" });
    await record(command, { hookId: "another hook" });
    await decide();
    expect(await deployed()).toHaveLength(1);
    expect((await decisions()).map(({ evidence }) => evidence.command?.because)).toContain(
      "the comment was told before, and its command is carried out once",
    );
  });
});
