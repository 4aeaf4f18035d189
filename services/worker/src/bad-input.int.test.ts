/** What a stranger, an accident or Bitbucket itself may send of pull requests. */
import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { startBitbucketServer } from "@sluice/simulator/rest-server";
import { migrateStore } from "@sluice/store/migrate";
import { expect, inject, test } from "vitest";

import { useScene } from "./test-scene.ts";

const bitbucket = createBitbucket({ seed: "bad input" });
const bob = bitbucket.createUser("Bob");
const scene = useScene({
  token: DEFAULT_CREDENTIALS[0]!.token,
  startServer: () => startBitbucketServer({ bitbucket }),
  createDatabase: () =>
    createTestDatabase({ serverUrl: inject("postgresUrl"), migrate: migrateStore, key: "store" }),
  createRepository: (number) =>
    bitbucket.createRepository({ workspace: "acme", slug: `bad-input-${String(number)}` }),
});
const { aStack, push, reasons, repository, server, sweeps, tell } = scene;

const opened = (of = repository(), source = "feature") => of.openPullRequest({ title: "Wider", source });

test("a pull request of a repository that no one registered is no_target, and costs no call (rule 16)", async () => {
  push();
  push("a", "feature");
  server().clearCalls();
  await tell(opened().webhooks);
  expect(await reasons()).toEqual(["no_target"]);
  expect(server().calls).toEqual([]);
});

test("the same number in two repositories is two pull requests (rule 13)", async () => {
  const other = bitbucket.createRepository({ workspace: "acme", slug: `other-${String(scene.next())}` });
  const stacks = [await aStack(), await aStack("", other, "other")];
  for (const one of [repository(), other]) {
    one.push({ files: { a: "1" } });
    one.push({ branch: "feature", files: { b: one.fullName } });
  }
  const [first, second] = [opened(), opened(other)];
  expect(first.id).toBe(second.id);
  await tell([...first.webhooks, ...second.webhooks, ...first.decline().webhooks]);
  const states = await Promise.all(stacks.map((stack) => sweeps().worker.triggersOf(stack)));
  expect(states).toMatchObject([[{ state: "canceled" }], [{ state: "queued" }]]);
});

test("5,000 files over many pages: the one that matters is found (rule 15)", async () => {
  const stack = await aStack("zone");
  push();
  const files = Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`a/${String(at)}.tf`, "1"]));
  repository().push({ branch: "feature", files: { ...files, "zone/main.tf": "1" } });
  await tell(opened().webhooks);
  expect(await sweeps().worker.triggersOf(stack)).toMatchObject([{ runType: "proposed" }]);
});

test("a branch and a tag of one name are two things: the branch runs, the tag does not (rule 20)", async () => {
  const stack = await aStack();
  push();
  const head = push("a", "v1");
  await tell([...repository().createTag({ tag: "v1", target: head.hash }).webhooks, ...head.webhooks]);
  expect(await reasons()).toEqual(["tag", "triggered"]);
  expect(await sweeps().commitsOf(stack)).toEqual([head.hash]);
});

test.each(["a#b", "100%", "a%2Fb", "it's", 'say-"hi"', "$(x)`y`", "<a>|{b}", "@-", "e\u0301"])(
  "the branch %j runs under its own name, by its pull request alone (rule 11)",
  async (name) => {
    const stack = await aStack("network");
    push();
    const { hash } = push("network/main.tf", name);
    await tell(opened(repository(), name).webhooks);
    expect(await sweeps().worker.triggersOf(stack)).toMatchObject([{ refName: name, commitSha: hash }]);
  },
);

test("a comment of 100 KB is no command, and its text is not kept; one that begins as a command is carried out (rule 24)", async () => {
  const stack = await aStack();
  push();
  push("a", "feature");
  const pull = opened();
  await tell(pull.webhooks);
  await tell(pull.comment(bob, "x ".repeat(50_000)).webhooks);
  await tell(pull.comment(bob, `/sluice propose\n${"x ".repeat(50_000)}`).webhooks);
  expect(await reasons()).toEqual(["triggered", "not_a_command", "triggered"]);
  expect(await sweeps().commitsOf(stack)).toHaveLength(2);
  const kept = await sweeps().worker.store.sql<{ text: string }[]>`
    SELECT facts #>> '{comment,text}' AS text FROM sluice.events
    JOIN sluice.deliveries ON deliveries.id = delivery_id
    WHERE integration_id = ${sweeps().worker.integrationId()} AND action = 'commented' ORDER BY sequence`;
  expect(kept.map(({ text }) => text)).toEqual(["", "/sluice propose"]);
});

test("a name between quotes is one target, and an unknown one refuses the whole command (rule 24)", async () => {
  const stack = await aStack("", repository(), "my stack");
  push();
  push("a", "feature");
  const pull = opened();
  await tell(pull.webhooks);
  const name = `"my stack-${sweeps().worker.integrationId()}"`;
  await tell(pull.comment(bob, `/sluice propose ${name} nowhere`).webhooks);
  await tell(pull.comment(bob, `/sluice propose ${name}`).webhooks);
  expect(await reasons()).toEqual(["triggered", "command_refused", "triggered"]);
  expect(await sweeps().commitsOf(stack)).toHaveLength(2);
});

test("the author's own approval permits no deploy, somebody else's does (rule 24)", async () => {
  const stack = await aStack();
  await sweeps().worker.store.sql`
    UPDATE sluice.targets SET deployers = ${JSON.stringify([bob.uuid])}::jsonb WHERE id = ${stack}`;
  const ada = bitbucket.createUser("Ada");
  const carol = bitbucket.createUser("Carol");
  push();
  const pushed = repository().push({ branch: "feature", files: { a: "1" }, by: ada });
  const pull = repository().openPullRequest({ title: "Wider", source: "feature", author: ada });
  const deploy = () =>
    pull.comment(bob, `/sluice deploy network-${sweeps().worker.integrationId()}`).webhooks;
  await tell([...pushed.webhooks, ...pull.webhooks, ...pull.approve(ada).webhooks, ...deploy()]);
  expect((await reasons()).at(-1)).toBe("command_refused");
  await tell([...pull.approve(carol).webhooks, ...deploy()]);
  expect((await reasons()).at(-1)).toBe("triggered");
});
