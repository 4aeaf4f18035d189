import type { Evidence } from "@sluice/domain/decide";
import { claimTriggers } from "@sluice/store/claims";
import type { Store } from "@sluice/store/client";
import { insertPush, insertTrigger, shaOf } from "@sluice/store/test-trigger-fixtures";
import { cancelTrigger } from "@sluice/store/trigger-interventions";
import { finishTrigger, startTrigger, waitTrigger } from "@sluice/store/trigger-reports";
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

describe("what it meant (rule 25)", () => {
  test("a file that matched is told with the others, and what was compared", async () => {
    const paths = ["network/a.tf", "network/b.tf"];
    const rule = { kind: "project_root", value: "network" } as const;
    const triggerId = await insertTrigger(store, { targetId: network, position: 1 });
    const evidence: Evidence = {
      files: {
        known: true,
        matched: paths.map((path) => ({ path, rule })),
        total: 3,
        compared: `${shaOf(1)}..${shaOf(0)}`,
      },
    };
    await store.sql`UPDATE sluice.decisions SET evidence = ${JSON.stringify(evidence)}::text::jsonb`;
    const { out } = await explain(triggerId);
    const [one, zero] = [shaOf(1).slice(0, 12), shaOf(0).slice(0, 12)];
    expect(out).toContain(
      [
        "  stack network (space root): A tracked run was triggered: network/a.tf (and 2 more) is under network.",
        `    files: network/a.tf, network/b.tf and 1 more; compared ${one}..${zero}`,
        `    trigger ${triggerId}: queued, no scheduler has claimed it`,
      ].join("\n"),
    );
  });

  test.each([
    ["duplicate", "duplicateOf", "This commit already has such a run on the target"],
    ["stale", "overtakenBy", "A newer commit of the target was handed out"],
  ] as const)(
    "%s: the trigger in its place is told with its push and its state",
    async (reason, because, sentence) => {
      const winnerId = await insertTrigger(store, { targetId: network, position: 1, state: "succeeded" });
      const winner = (await explainAsData(winnerId)).found[0]?.event?.id ?? "";
      const eventId = await insertPush(store, { targetId: network, sequence: 2 });
      await testExplain.decide(eventId, { reason, evidence: { [because]: { triggerId: winnerId } } });
      const { out } = await explain(eventId);
      expect(out).toContain(`  stack network (space root): ${sentence}`);
      expect(out).toContain(
        `    that trigger: tracked, of main at ${shaOf(1).slice(0, 12)}, made by event ${winner}; it is succeeded\n`,
      );
      expect((await explainAsData(eventId)).found).toMatchObject([
        { decisions: [{ reason, trigger: null, insteadOf: { id: winnerId, state: "succeeded" } }] },
      ]);
    },
  );

  test("held: the command that settles it is given", async () => {
    const eventId = await insertPush(store, { targetId: network, sequence: 1 });
    await testExplain.decide(eventId, { outcome: "hold", runType: "tracked", reason: "held" });
    expect((await explain(eventId)).out).toContain(
      `\n    to settle it: sluice resolve ${eventId} --targets network\n`,
    );
  });

  test("an event that concerns no target says so", async () => {
    const eventId = await insertPush(store, { targetId: network, sequence: 1 });
    await testExplain.decide(eventId, { targetId: null, reason: "no_target" });
    expect((await explain(eventId)).out).toContain("\n  No stack or module uses this repository.\n");
  });

  test("at most 100 decisions are shown, what ran first, and that there are more is said", async () => {
    const triggerId = await insertTrigger(store, { targetId: network, position: 1 });
    const eventId = (await explainAsData(triggerId)).found[0]?.event?.id ?? "";
    await store.sql`
      WITH made AS (
        INSERT INTO sluice.targets (space_id, kind, name, integration_id, repository_id, tracked_branch)
        SELECT space_id, 'module', 'a' || n, integration_id, repository_id, 'main'
        FROM sluice.targets, generate_series(1, 100) AS n RETURNING id
      )
      INSERT INTO sluice.decisions (event_id, target_id, outcome, reason, evidence)
      SELECT ${eventId}, id, 'ignore', 'target_disabled', '{}' FROM made`;
    const { out } = await explain(eventId);
    expect(out.match(/^ {2}(?:stack|module) /gm)).toHaveLength(100);
    expect(out).toMatch(/decided \S+\n {2}stack network /);
    expect(out).toContain("\n  … and more decisions: --target <name> shows that of one target\n");
    expect((await explain(eventId, "--target", "a77")).out.match(/^ {2}(?:stack|module) /gm)).toHaveLength(1);
  });
});

describe("where the trigger stands", () => {
  const standing = async (id: string): Promise<string> => {
    const { out } = await explain(id);
    return new RegExp(`^ {4}trigger ${id}: (.*)$`, "m").exec(out)?.[1] ?? out;
  };

  test("from the claim to the end: who has it and until when, its run, its message, and its history", async () => {
    const id = await insertTrigger(store, { targetId: network, position: 1 });
    const [held] = await claimTriggers(store, { limit: 1, leaseMs: 60_000, holder: "runner-7" });
    if (held === undefined) throw new Error("nothing can be claimed");
    expect(await standing(id)).toMatch(/^claimed, held by runner-7 until \S+Z$/);
    await startTrigger(store, { ...held, leaseMs: 60_000, runUrl: "https://runs.example/1" });
    await cancelTrigger(store, { id, by: "ada" });
    expect(await standing(id)).toMatch(
      /^running, held by runner-7 until \S+Z; its holder is asked to stop \(run https:\/\/runs\.example\/1\)$/,
    );
    await waitTrigger(store, held);
    expect(await standing(id)).toMatch(/^waiting, held by runner-7 without an end; /);
    await finishTrigger(store, { ...held, result: "failed", message: "no power" });
    expect(await standing(id)).toBe("failed: no power (run https://runs.example/1)");
    expect((await explain(id)).out).toMatch(
      /^ {4}history: claimed \S+Z by runner-7, running \S+Z by runner-7, running \S+Z by ada \(asked its holder to stop\), waiting \S+Z by runner-7, failed \S+Z by runner-7 \(no power\)$/m,
    );
  });

  test("a lost one is told with the lease that is over", async () => {
    const id = await insertTrigger(store, { targetId: network, position: 1, state: "lost" });
    await store.sql`
      UPDATE sluice.triggers SET lease_holder = 'runner-7', attempt = 2, lease_expires_at = now() - interval '1 minute'`;
    expect(await standing(id)).toMatch(/^lost, held by runner-7 until \S+Z, which is over, attempt 2$/);
  });

  test("one that ended without a word, and one that was superseded, are told", async () => {
    const done = await insertTrigger(store, { targetId: network, position: 1, state: "succeeded" });
    const old = await insertTrigger(store, { targetId: network, position: 2, state: "superseded" });
    await store.sql`UPDATE sluice.triggers SET message = 'a later commit was first' WHERE id = ${old}`;
    expect(await standing(done)).toBe("succeeded");
    expect(await standing(old)).toBe("superseded: a later commit was first");
  });

  test("a queued one says what holds it back: the target, another trigger, or an undecided push", async () => {
    const undecided = await insertPush(store, { targetId: network, sequence: 1, isDecided: false });
    const first = await insertTrigger(store, { targetId: network, position: 2 });
    const second = await insertTrigger(store, { targetId: network, position: 3 });
    const proposed = await insertTrigger(store, { targetId: network, position: 4, runType: "proposed" });
    expect(await standing(first)).toBe(`queued, until the earlier push is decided (event ${undecided})`);
    expect(await standing(second)).toBe(`queued, behind trigger ${first} of its target, which is queued`);
    expect(await standing(proposed)).toBe("queued, no scheduler has claimed it");
    const lost = await insertTrigger(store, { targetId: network, position: 9, state: "lost" });
    expect(await standing(first)).toBe(`queued, behind trigger ${lost} of its target, which is lost`);
    await store.sql`UPDATE sluice.targets SET enabled = false`;
    expect(await standing(proposed)).toBe("queued, not handed out because its target is disabled");
  });

  test("of a long history the latest changes are shown", async () => {
    const id = await insertTrigger(store, { targetId: network, position: 1, state: "running" });
    await store.sql`
      INSERT INTO sluice.trigger_history (trigger_id, state, actor, at)
      SELECT ${id}, 'running', 'runner-' || n, now() + n * interval '1 second' FROM generate_series(1, 30) AS n`;
    const { out } = await explain(id);
    expect(out).toMatch(/^ {4}history: …, running \S+ by runner-11, /m);
    expect(out).toMatch(/ by runner-30$/m);
  });
});
