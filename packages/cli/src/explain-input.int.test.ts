import type { DecisionInput } from "@sluice/domain/decision-input";
import type { Store } from "@sluice/store/client";
import { insertPush, insertTrigger, shaOf } from "@sluice/store/test-trigger-fixtures";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";

import { startTestExplain, type TestExplain } from "./test-explain.ts";

let testExplain: TestExplain;
let store: Store;
let network: string;
const explain: TestExplain["explain"] = (...args) => testExplain.explain(...args);

beforeAll(async () => {
  testExplain = await startTestExplain(inject("postgresUrl"));
  ({ store } = testExplain);
});

afterAll(() => testExplain.close());

beforeEach(async () => {
  await testExplain.begin();
  network = testExplain.network();
  await store.sql`UPDATE sluice.repositories SET uuid = '{infra}'`;
});

const ADA = { uuid: "{ada}", displayName: "Ada", kind: "user" };

async function inputOf(...args: string[]): Promise<DecisionInput> {
  const { code, out, err } = await explain(...args, "--input");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  // What it holds is what the tests look at.
  return JSON.parse(out) as DecisionInput;
}

test("a push: the document says what came, what the target is, and what it has in progress (rule 25)", async () => {
  const running = await insertTrigger(store, { targetId: network, position: 3, state: "running" });
  const commit = {
    sha: shaOf(7),
    message: "Widen it",
    author: "Ada <ada@acme.example>",
    date: null,
    url: null,
  };
  const eventId = await insertPush(store, {
    targetId: network,
    sequence: 7,
    refName: "feature/x",
    facts: { actor: ADA, commit },
  });
  expect(await inputOf(eventId, "--target", "network")).toMatchObject({
    schema: "sluice.decision-input/1",
    push: { branch: "feature/x", hash: shaOf(7), message: "Widen it", pusher: "{ada}" },
    pull_request: null,
    stack: { id: network, name: "network", repository: "acme/infra", tracked_commit: { hash: shaOf(3) } },
    module: null,
    in_progress: [{ id: running, type: "tracked", state: "running" }],
    vcs_integration: { name: "acme", is_default: false },
  });
});

test("the changed files are said not to be known, because the list is not kept (rule 17)", async () => {
  const eventId = await insertPush(store, { targetId: network, sequence: 7 });
  const { push } = await inputOf(eventId, "--target", "network");
  expect(push).toMatchObject({
    affected_files: [],
    affected_files_known: false,
    affected_files_because: expect.stringContaining("is not kept"),
  });
});

test("an event that waits has its document too", async () => {
  const eventId = await insertPush(store, { targetId: network, sequence: 7, isDecided: false });
  expect(await inputOf(eventId, "--target", "network")).toMatchObject({ push: { hash: shaOf(7) } });
});

test("a pull request is in it as it is now, and a target that is a module is one (rule 13)", async () => {
  const facts = {
    actor: ADA,
    pullRequest: {
      number: 12,
      title: "More rooms",
      state: "OPEN",
      isDraft: false,
      author: ADA,
      url: null,
      createdOn: null,
      updatedOn: "2026-11-24T10:00:00Z",
      source: { repository: { uuid: "{infra}", fullName: "acme/infra" }, branch: "feature", sha: shaOf(7) },
      destination: { branch: "main", sha: shaOf(1) },
      mergeSha: null,
      reviews: [],
    },
  };
  const eventId = await insertPush(store, { targetId: network, sequence: 7, facts });
  await store.sql`
    UPDATE sluice.events SET kind = 'pull_request', action = 'opened', pull_request_number = 12, ref_kind = NULL,
           ref_name = NULL, change = NULL, old_sha = NULL
    WHERE id = ${eventId}`;
  await store.sql`
    INSERT INTO sluice.pull_requests
      (repository_id, number, title, state, updated_on, source_branch, source_sha, destination_branch, reviews, head_arrival)
    SELECT id, 12, 'More rooms', 'DECLINED', now(), 'feature', ${shaOf(8)}, 'main', '[]', 1 FROM sluice.repositories`;
  await store.sql`UPDATE sluice.targets SET kind = 'module', module_version_source = 'file'`;

  const input = await inputOf("acme/infra#12", "--target", "network");
  expect(input).toMatchObject({
    pull_request: {
      id: 12,
      action: "opened",
      closed: true,
      head: { hash: shaOf(8) },
      diff_known: false,
      action_initiator: "{ada}",
    },
    stack: null,
    module: { version_source: "file" },
  });
});

test("of several events it is the newest's, and that is said beside it", async () => {
  await insertPush(store, { targetId: network, sequence: 7 });
  const newest = await insertPush(store, { targetId: network, sequence: 8 });
  const { code, out, err } = await explain("acme/infra@main", "--target", "network", "--input");
  expect({ code, err }).toEqual({ code: 0, err: `This is the newest of several events, ${newest}.\n` });
  expect(JSON.parse(out)).toMatchObject({ push: { hash: shaOf(8) } });
});

test("targets of one name each have their document", async () => {
  const eventId = await insertPush(store, { targetId: network, sequence: 7 });
  const module = await testExplain.aStack("other");
  await store.sql`UPDATE sluice.targets SET kind = 'module', name = 'network' WHERE id = ${module}`;
  const { out } = await explain(eventId, "--target", "network", "--input");
  const documents = out.trimEnd().split(/(?<=^\})\n/m);
  expect(documents.map((one) => JSON.parse(one) as DecisionInput)).toEqual([
    expect.objectContaining({ module: null }),
    expect.objectContaining({ stack: null }),
  ]);
});

test.each([
  [["--input"], "error usage_invalid: --input prints what a policy is given of an event and one target"],
  [
    ["--input", "--target", "netwrok"],
    "error usage_invalid: acme/infra has no target netwrok (did you mean network?)",
  ],
  [["--input", "--target", "shop"], "error usage_invalid: acme/infra has no target shop\n"],
])("%j prints nothing, says what to give, and has exit code 2", async (options, message) => {
  await testExplain.aStack("shop", { repository: "acme/shop" });
  const eventId = await insertPush(store, { targetId: network, sequence: 7 });
  const said = await explain(eventId, ...options);
  expect(said).toMatchObject({ code: 2, out: "" });
  expect(said.err).toContain(message);
});

test("what no policy is asked about, and what is not known, has exit code 4 and no document", async () => {
  const eventId = await insertPush(store, { targetId: network, sequence: 7 });
  await store.sql`UPDATE sluice.events SET kind = 'unsupported', repository_id = NULL`;
  expect(await explain(eventId, "--target", "network", "--input")).toEqual({
    code: 4,
    out: "",
    err: `No policy is asked about ${eventId}: \`sluice explain\` says what came of it.\n`,
  });
  expect(await explain("0123456", "--target", "network", "--input")).toMatchObject({
    code: 4,
    out: "",
    err: expect.stringContaining("Nothing is known of 0123456"),
  });
});
