import type { PullRequestFacts } from "@sluice/domain/event";
import { randomUUID } from "node:crypto";

import type { Store } from "@sluice/store/client";
import { insertPush, insertTrigger, shaOf } from "@sluice/store/test-trigger-fixtures";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { startTestExplain, type TestExplain } from "./test-explain.ts";

let testExplain: TestExplain;
let store: Store;
let network: string;
const explain: TestExplain["explain"] = (...args) => testExplain.explain(...args);
const explainAsData: TestExplain["explainAsData"] = (...args) => testExplain.explainAsData(...args);

beforeAll(async () => {
  testExplain = await startTestExplain(inject("postgresUrl"));
  ({ store } = testExplain);
});

afterAll(() => testExplain.close());

beforeEach(async () => {
  await testExplain.begin();
  network = testExplain.network();
});

async function deliveryOf(eventId: string): Promise<string> {
  return (await explainAsData(eventId)).found[0]?.delivery.id ?? "";
}

describe("what an event is named by", () => {
  test("the delivery, Bitbucket's request, the event and the trigger each find it", async () => {
    const requestId = randomUUID();
    const triggerId = await insertTrigger(store, { targetId: network, position: 7, requestId });
    const byRequest = await explainAsData(requestId);
    expect(byRequest).toMatchObject({
      code: 0,
      hasMore: false,
      found: [{ decisions: [{ trigger: { id: triggerId } }] }],
    });
    const eventId = byRequest.found[0]?.event?.id ?? "";
    for (const what of [await deliveryOf(eventId), `{${requestId.toUpperCase()}}`, eventId, triggerId]) {
      expect(await explainAsData(what)).toEqual(byRequest);
    }
  });

  test("of an event with several decisions, the trigger shows the one that made it, and --target any", async () => {
    const ledger = await testExplain.aStack("ledger");
    const triggerId = await insertTrigger(store, { targetId: network, position: 7 });
    const eventId = (await explainAsData(triggerId)).found[0]?.event?.id ?? "";
    await testExplain.decide(eventId, { targetId: ledger });
    const reasons = async (...args: string[]) =>
      (await explainAsData(...args)).found.flatMap(({ decisions }) => decisions.map(({ reason }) => reason));
    expect(await reasons(triggerId)).toEqual(["triggered"]);
    expect(await reasons(eventId)).toEqual(["triggered", "outside_project_root"]);
    expect(await reasons(triggerId, "--target", "ledger")).toEqual(["outside_project_root"]);
  });

  test("a commit is found by its first digits, in every repository, whatever its case, also while only a short hash is known", async () => {
    const other = await testExplain.aStack("shop", { repository: "acme/shop" });
    const eventId = await insertPush(store, { targetId: network, sequence: 7 });
    await insertPush(store, { targetId: other, sequence: 7 });
    const wordsOf = async (what: string) => (await explainAsData(what)).found.map(({ words }) => words);
    const both = await wordsOf(shaOf(7));
    expect(both).toHaveLength(2);
    expect(both.join(" ")).toContain("acme/infra");
    expect(both.join(" ")).toContain("acme/shop");
    expect(await wordsOf(shaOf(7).slice(0, 7).toUpperCase())).toEqual(both);
    expect(await wordsOf(shaOf(7).slice(0, 39))).toEqual(both);
    await store.sql`UPDATE sluice.events SET new_sha = ${shaOf(7).slice(0, 12)} WHERE id = ${eventId}`;
    expect(await wordsOf(shaOf(7))).toHaveLength(2);
  });

  test("where one repository has many such events, the others are not left out", async () => {
    const other = await testExplain.aStack("shop", { repository: "acme/shop" });
    await insertPush(store, { targetId: other, sequence: 7 });
    const many = [11, 12, 13];
    for (const sequence of many) {
      const eventId = await insertPush(store, {
        targetId: network,
        sequence,
        refName: `release/${sequence}`,
      });
      await store.sql`UPDATE sluice.events SET new_sha = ${shaOf(7)} WHERE id = ${eventId}`;
    }
    const { found, hasMore } = await explainAsData(shaOf(7), "--limit", "2");
    expect(hasMore).toBe(true);
    expect(found.map(({ words }) => words)).toEqual([
      expect.stringContaining("release/13 of acme/infra"),
      expect.stringContaining("main of acme/shop"),
    ]);
  });

  test("a branch gives its latest pushes in their order, and says that there are more", async () => {
    for (const sequence of [3, 1, 2]) await insertPush(store, { targetId: network, sequence });
    await insertPush(store, { targetId: network, sequence: 9, refName: "other" });
    const { found } = await explainAsData("ACME/Infra@main");
    const moved = (sequence: number) =>
      expect.stringContaining(`..${shaOf(sequence).slice(0, 12)}`) as string;
    expect(found.map(({ words }) => words)).toEqual([moved(3), moved(2), moved(1)]);
    const limited = await explain("acme/infra@main", "--limit", "2");
    expect(limited).toMatchObject({
      code: 0,
      err: "There are more than these 2: --limit shows up to 100.\n",
    });
    expect(limited.out.match(/^push to main/gm)).toHaveLength(2);
  });
});

describe("what came", () => {
  const push = "old_sha = 'aaaaaaa', new_sha = 'bbbbbbb'";
  test.each([
    [push, "push to main of acme/infra, aaaaaaa..bbbbbbb by Ada"],
    [`${push}, forced = true`, "force push to main of acme/infra, aaaaaaa..bbbbbbb by Ada"],
    ["change = 'created', new_sha = 'bbbbbbb'", "branch main of acme/infra created, at bbbbbbb by Ada"],
    ["change = 'deleted', old_sha = 'aaaaaaa'", "branch main of acme/infra deleted, was at aaaaaaa by Ada"],
    [
      "ref_kind = 'tag', change = 'created', new_sha = 'bbbbbbb'",
      "tag main of acme/infra created, at bbbbbbb by Ada",
    ],
    [
      "ref_kind = 'other', old_sha = NULL, new_sha = 'bbbbbbb'",
      "ref of a kind that Sluice does not know, main of acme/infra moved, unknown..bbbbbbb by Ada",
    ],
    ["kind = 'unsupported', repository_id = NULL", "repo:push, on which Sluice does not act"],
  ])("an event with %s is told in words", async (change, words) => {
    const facts = { actor: { uuid: "{a}", displayName: "Ada", kind: "user" } };
    const eventId = await insertPush(store, { targetId: network, sequence: 1, facts });
    await store.sql.unsafe(`UPDATE sluice.events SET ${change}`);
    const { out } = await explain(eventId);
    expect(out.split("\n")[0]).toBe(words);
    expect(out).toMatch(/^ {2}received \S+Z, recorded \S+Z, decided \S+Z$/m);
  });

  test("what a sweep found is told as such", async () => {
    const eventId = await insertPush(store, { targetId: network, sequence: 1 });
    await store.sql`UPDATE sluice.deliveries SET source = 'sweep'`;
    expect((await explain(eventId)).out).toContain(
      "\n  found by a sweep through the integration acme: no webhook told of it\n",
    );
  });

  test("what other people wrote cannot end a line, or speak to the terminal", async () => {
    const facts = { actor: { uuid: "{a}", displayName: "A\u001b[31mda\n  decided", kind: "user" } };
    const eventId = await insertPush(store, { targetId: network, sequence: 1, facts });
    expect((await explain(eventId)).out.split("\n")[0]).toMatch(/ by A \[31mda {3}decided$/);
  });

  test("a delivery that could not be read is told with code and path, one that moved nothing as such", async () => {
    const deliveryId = await deliveryOf(await insertPush(store, { targetId: network, sequence: 1 }));
    await store.sql`TRUNCATE sluice.events CASCADE`;
    await store.sql`UPDATE sluice.deliveries SET outcome = 'no_events'`;
    expect((await explain(deliveryId)).out).toMatch(
      /^repo:push that moved no branch and no tag\n {2}delivery /,
    );
    const failure = { code: "invalid_payload", path: "push.changes[0].new", message: "expected an object" };
    await store.sql`
      UPDATE sluice.deliveries SET outcome = 'failed', failure = ${JSON.stringify(failure)}::text::jsonb`;
    expect((await explain(deliveryId)).out).toMatch(
      /^repo:push that cannot be read: invalid_payload at push\.changes\[0\]\.new: expected an object\n/,
    );
    expect((await explainAsData(deliveryId)).found).toMatchObject([{ event: null, delivery: { failure } }]);
  });
});

describe("a pull request", () => {
  const head = shaOf(12);

  /** What pull request 12 was told to be, at the commit that the push before it came to. @returns the event's id. */
  async function insertReport(sequence: number, action: string, comment?: object): Promise<string> {
    const at = { branch: "feature", sha: head.slice(0, 12) };
    const facts = {
      actor: { uuid: "{g}", displayName: "Grace", kind: "user" },
      pullRequest: {
        number: 12,
        title: "More rooms",
        state: "OPEN",
        url: null,
        mergeSha: null,
        source: { repository: { uuid: "{f}", fullName: "grace/infra" }, ...at },
        destination: { branch: "main", sha: shaOf(1).slice(0, 12) },
      },
      ...(comment === undefined ? {} : { comment }),
    };
    const eventId = await insertPush(store, { targetId: network, sequence, facts });
    await store.sql`
      UPDATE sluice.events SET kind = 'pull_request', action = ${action}, pull_request_number = 12, ref_kind = NULL,
             ref_name = NULL, change = NULL, old_sha = NULL, new_sha = ${at.sha}
      WHERE id = ${eventId}`;
    return eventId;
  }

  beforeEach(async () => {
    await store.sql`UPDATE sluice.repositories SET uuid = '{r}'`;
    await store.sql`
      INSERT INTO sluice.pull_requests
        (repository_id, number, title, state, author, updated_on, source_branch, source_sha, destination_branch, merge_sha,
         reviews, head_arrival)
      SELECT id, 12, 'More rooms', 'MERGED', '{"uuid": "{g}"}', now(), 'feature', ${shaOf(13)}, 'main', ${shaOf(14)},
             '[{"userUuid": "{a}", "state": "approved", "participatedOn": null}]', 1
      FROM sluice.repositories`;
    await store.sql`
      INSERT INTO sluice.commit_pull_requests (repository_id, commit_sha, number, source)
      SELECT id, ${head}, 12, 'event' FROM sluice.repositories`;
  });

  test("is found by its number and by its page, its events newest first, and told with what is known by now (rule 13)", async () => {
    await insertReport(1, "opened");
    await insertReport(2, "approved");
    const { out } = await explain("ACME/Infra#12");
    expect(out.match(/^pull request .*$/gm)).toEqual([
      'pull request 12 of acme/infra approved by Grace: "More rooms", feature of the fork grace/infra → main',
      'pull request 12 of acme/infra opened by Grace: "More rooms", feature of the fork grace/infra → main',
    ]);
    const [told, now, merged] = [head, shaOf(13), shaOf(14)].map((sha) => sha.slice(0, 12));
    expect(out).toContain(
      [
        `  told: OPEN, head ${told}`,
        `  now: MERGED, head ${now}, merged as ${merged}, approved`,
        `  commits linked to it: ${told}\n`,
      ].join("\n"),
    );
    expect((await explain("https://bitbucket.org/acme/infra/pull-requests/12/diff")).out).toBe(out);
  });

  test("its head finds its events beside the push to it", async () => {
    await insertPush(store, { targetId: network, sequence: 12 });
    await insertReport(20, "opened");
    const { found } = await explainAsData(head);
    expect(found.map(({ words }) => words.split(" of ")[0])).toEqual(["pull request 12", "push to main"]);
  });

  test("a comment is told with its text, and evidence that the sentence leaves out is told too (rule 25)", async () => {
    const eventId = await insertReport(1, "commented", { id: 7, text: "/sluice deploy network" });
    await testExplain.decide(eventId, {
      reason: "closed",
      evidence: {
        pullRequest: { number: 12, action: "commented", state: "MERGED" },
        fork: { fullName: "grace/infra" },
        mergeSha: shaOf(14),
        command: { text: "/sluice deploy network", because: "it is not open any more" },
      },
    });
    const { out } = await explain(eventId);
    expect(out).toContain('\n  comment 7: "/sluice deploy network"\n');
    expect(out).toContain(
      [
        "Pull request 12 was merged; nothing is proposed for it any more.",
        "    command: /sluice deploy network: it is not open any more",
        "    from the fork grace/infra",
        `    merged as ${shaOf(14).slice(0, 12)}: what its push meant counts`,
      ].join("\n"),
    );
  });
});

describe("what an undecided event waits for", () => {
  async function explainUndecided(change: Parameters<TestExplain["aStack"]>[1] = {}): Promise<string> {
    await testExplain.aStack("ledger", change);
    await store.sql`UPDATE sluice.repositories SET uuid = '{r}'`;
    const eventId = await insertPush(store, { targetId: network, sequence: 1, isDecided: false });
    return (await explain(eventId)).out;
  }

  test("a worker, when Bitbucket need not be asked", async () => {
    const out = await explainUndecided();
    expect(out).toContain(
      "not decided yet: it waits for a worker (has its job failed? `sluice queue failed events`)",
    );
  });

  test("the changed files, with what keeps Bitbucket from being asked", async () => {
    expect(await explainUndecided({ projectRoot: "ledger" })).toMatch(
      /it waits for the list of changed files from Bitbucket\n$/,
    );
    await store.sql`
      INSERT INTO sluice.call_budgets (integration_id, calls_per_hour) VALUES (${testExplain.integrationId()}, 1)`;
    await store.sql`
      INSERT INTO sluice.call_counts (integration_id, minute, calls) VALUES (${testExplain.integrationId()}, now(), 1)`;
    const again = async () => (await explain("acme/infra@main")).out;
    expect(await again()).toContain("; all calls that its integration may make in an hour were made\n");
    await store.sql`UPDATE sluice.call_budgets SET blocked_until = now() + interval '1 minute'`;
    expect(await again()).toMatch(/; Bitbucket allows no call before \S+Z \(429\)\n/);
    await store.sql`
      INSERT INTO sluice.credential_health (integration_id, state, http_status, message, next_check_at)
      VALUES (${testExplain.integrationId()}, 'refused', 401, 'no', now() + interval '1 minute')`;
    expect(await again()).toMatch(
      /; Bitbucket refuses the credential of its integration since \S+Z \(401\), it is wrong, expired or revoked: give the integration a new one; it is tried again at \S+Z\n/,
    );
    await store.sql`UPDATE sluice.credential_health SET http_status = 403, next_check_at = NULL`;
    expect(await again()).toMatch(
      / \(403\), it is let into no repository: look at its permissions, .*; it is tried again in a moment\n/,
    );
    await store.sql`UPDATE sluice.integrations SET credential_ciphertext = NULL`;
    expect(await again()).toContain("; its integration has no credential: apply one\n");
  });

  test.each([
    ["merged", "the push of the merge commit to be told and decided"],
    ["opened", "a worker, or for what Bitbucket says of the pull request"],
  ])("of a pull request that was %s: %s", async (action, words) => {
    const eventId = await insertPush(store, { targetId: network, sequence: 1, isDecided: false });
    await store.sql`UPDATE sluice.repositories SET uuid = '{r}'`;
    const pullRequest: PullRequestFacts = {
      number: 7,
      title: "Wider",
      state: "OPEN",
      isDraft: null,
      author: null,
      url: null,
      createdOn: null,
      updatedOn: "2026-11-24T10:00:00Z",
      mergeSha: null,
      reviews: [],
      source: { repository: { uuid: "{r}", fullName: "acme/infra" }, branch: "feature", sha: "bbbbbbbbbbbb" },
      destination: { branch: "main", sha: "aaaaaaaaaaaa" },
    };
    await store.sql`
      UPDATE sluice.events
      SET kind = 'pull_request', action = ${action}, pull_request_number = 7, ref_kind = NULL, ref_name = NULL,
          change = NULL, facts = ${JSON.stringify({ pullRequest })}::jsonb`;
    expect((await explain(eventId)).out).toContain(`it waits for ${words}`);
  });

  test("Bitbucket's head, when the branch is unsure, and the whole of a short hash", async () => {
    const eventId = await insertPush(store, { targetId: network, sequence: 1, isDecided: false });
    await store.sql`UPDATE sluice.repositories SET uuid = '{r}'`;
    await store.sql`
      INSERT INTO sluice.branches (repository_id, name, head_sha, arrival_sequence, chain)
      SELECT repository_id, 'main', new_sha, 1, 'unsure' FROM sluice.events`;
    await store.sql`UPDATE sluice.events SET new_sha = 'bbbbbbb'`;
    const { out } = await explain(eventId);
    expect(out).toContain("it waits for Bitbucket's head of the branch, since its pushes do not say");
    expect(out).toContain(", and for the whole hash of its commit from Bitbucket\n");
    expect((await explainAsData(eventId)).found).toMatchObject([
      { waits: { for: ["branch_head", "commit_hash"], integration: { hasCredential: true } } },
    ]);
  });
});

describe("--target", () => {
  test("a mistyped name is a mistake of the command line, and the near ones are named", async () => {
    await testExplain.aStack("network-2");
    expect(await explain("acme/infra@main", "--target", "netwrok")).toEqual({
      code: 2,
      out: "",
      err: "error usage_invalid: there is no target netwrok (did you mean network?)\n",
    });
    expect((await explain("acme/infra@main", "--target", "network-1")).err).toBe(
      "error usage_invalid: there is no target network-1 (did you mean network-2, or network?)\n",
    );
    expect((await explain("acme/infra@main", "--target", "zzzz")).err).toBe(
      "error usage_invalid: there is no target zzzz\n",
    );
  });

  test("a target without a decision is told why it has none", async () => {
    await testExplain.aStack("shop", { repository: "acme/shop" });
    const eventId = await insertPush(store, { targetId: network, sequence: 1 });
    await testExplain.decide(eventId, {});
    await store.sql`UPDATE sluice.events SET decided_at = now() - interval '1 minute'`;
    await testExplain.aStack("young");
    expect((await explain(eventId, "--target", "shop")).out).toContain(
      "\n  stack shop (space root): no decision, it is a target of acme/shop\n",
    );
    const young = await explain(eventId, "--target", "young");
    expect(young.out).toMatch(/\n {2}stack young \(space root\): no decision, it was made \S+Z\n$/);
    expect(young.out).not.toContain("stack network");
  });
});

describe("nothing found: exit code 4, and where else to look", () => {
  test.each([
    [randomUUID(), "It is no delivery, request, event or trigger."],
    [
      "0123456",
      "Only the commit that a push ended with, or that was the head of a pull request, is found: for one before it, ask for workspace/repository@branch.",
    ],
    ["acme/infra#12", "No webhook ever told of acme/infra: has it one, with this Sluice's endpoint?"],
    ["acme/nothing@main", "No webhook ever told of acme/nothing, and no target names it."],
    ["acme/infra@main", "No webhook ever told of acme/infra: has it one, with this Sluice's endpoint?"],
  ])("%s", async (what, advice) => {
    const { code, out, err } = await explain(what);
    expect({ code, out }).toEqual({ code: 4, out: "" });
    expect(err).toContain(`Nothing is known of ${what}.\n${advice}\n`);
    expect(err).toContain("request history");
    expect(err).toContain("sluice queue failed");
    expect(await explainAsData(what)).toEqual({ code: 4, found: [], hasMore: false });
  });

  test("a known repository without such a branch", async () => {
    await insertPush(store, { targetId: network, sequence: 1 });
    await store.sql`UPDATE sluice.repositories SET uuid = '{r}'`;
    expect((await explain("acme/infra@mian")).err).toContain(
      "Webhooks of acme/infra came, and none told of a push to mian: are pushes among its events?",
    );
  });
});
