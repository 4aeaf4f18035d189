import type { Evidence } from "@sluice/domain/decide";
import type { RawDelivery } from "@sluice/queue/delivery-codec";
import { claimTriggers } from "@sluice/store/claims";
import { findPendingEvent } from "@sluice/store/pending-events";
import { withTransaction } from "@sluice/store/transaction";
import { afterAll, beforeAll, beforeEach } from "vitest";

import { ref, startTestPipeline, type TestPipeline } from "./test-pipeline.ts";
import { writeDecided } from "./write/write-decided.ts";

/** Where a pull request goes to, and where its branch is unless it says otherwise. */
const OURS = { uuid: "{4f5b}", full_name: "acme/infra" };
/** Another repository that a branch may be of. */
export const FORK = { uuid: "{9c01}", full_name: "grace/infra" };

/** Of its destination. */
const BASE = "a".repeat(12);

/** Something that is told: the order in which it is made is the order in which it happened. */
export type Told = RawDelivery & { readonly decide?: Report };

interface Report {
  readonly key: string;
  readonly number: number;
  readonly head: string;
  readonly branch: string;
  readonly source: typeof OURS;
  readonly isForced: boolean;
  readonly outcome: "trigger" | "hold" | "ignore";
}

/** What only a test may import. */
type CreateDatabase = () => Promise<Parameters<typeof startTestPipeline>[0]>;

/**
 * Lets the tests of a file tell a worker of pushes and of pull requests, and say themselves what the stages before would
 * have decided. Each test begins with one stack, for which every report asks for a run.
 */
export function useReports(createDatabase: CreateDatabase) {
  let pipeline: TestPipeline | null = null;
  let stacks: readonly string[] = [];
  /** Of `updated_on`. */
  let clock = 0;
  const worker = (): TestPipeline => {
    if (pipeline === null) throw new Error("the worker begins with the first test");
    return pipeline;
  };

  beforeAll(async () => {
    pipeline = await startTestPipeline(await createDatabase());
  });
  afterAll(() => pipeline?.close());
  beforeEach(async () => {
    await worker().store.sql`TRUNCATE sluice.triggers CASCADE`;
    await begin();
  });

  async function begin(): Promise<void> {
    await worker().begin();
    stacks = [await worker().aStack("network")];
    clock = 0;
  }

  const push = (from: string | null, hash: string | null, branch = "feature"): Told =>
    worker().aDelivery([
      {
        old: from === null ? null : ref(branch, from),
        new: hash === null ? null : ref(branch, hash),
        created: from === null,
        closed: hash === null,
      },
    ]);

  /** A report of pull request 7, and what is decided for every stack. */
  function report(key: string, head: string, more: Partial<Report> & { readonly state?: string } = {}): Told {
    const { number = 7, branch = "feature", source = OURS, isForced = false, state = "OPEN" } = more;
    const outcome = more.outcome ?? (state === "OPEN" ? "trigger" : "ignore");
    clock += 1;
    const body = {
      repository: OURS,
      actor: { type: "user", uuid: "{ada}", display_name: "Ada" },
      pullrequest: {
        id: number,
        title: "Add the audit account",
        state,
        updated_on: new Date(Date.UTC(2026, 10, 1) + clock * 1000).toISOString(),
        source: { branch: { name: branch }, commit: { hash: head.slice(0, 12) }, repository: source },
        destination: { branch: { name: "main" }, commit: { hash: BASE }, repository: OURS },
      },
      ...(key === "approved" ? { approval: { user: { uuid: "{ada}" } } } : {}),
      ...(key === "comment_created"
        ? { comment: { id: clock, content: { raw: "/sluice propose" }, user: { uuid: "{ada}" } } }
        : {}),
    };
    const delivery = worker().aDelivery(JSON.stringify(body), { eventKey: `pullrequest:${key}` });
    return { ...delivery, decide: { key, number, head, branch, source, isForced, outcome } };
  }

  const opened = (head: string, more?: Parameters<typeof report>[2]) => report("created", head, more);
  const updated = (head: string, more?: Parameters<typeof report>[2]) => report("updated", head, more);
  const declined = (head: string, more?: Parameters<typeof report>[2]) =>
    report("rejected", head, { ...more, state: "DECLINED" });

  /** Records, and decides what the stages before would have decided. */
  async function tell(...all: readonly Told[]): Promise<void> {
    for (const told of all) {
      await record(told);
      await decide(told);
    }
  }

  async function record({ decide: _decide, ...delivery }: Told): Promise<void> {
    await worker().handle([delivery]);
  }

  async function decide({ id, decide: asked }: Told): Promise<void> {
    if (asked === undefined) return;
    const { head: commitSha, isForced, outcome } = asked;
    const [event] = await worker().store.sql<{ id: string }[]>`
      SELECT id FROM sluice.events WHERE delivery_id = ${id}`;
    const pending = await findPendingEvent(worker().store, event?.id ?? "");
    if (pending === null) throw new Error("the report is not there, or decided");
    const evidence: Evidence = {};
    const decisions = stacks.map((targetId) => ({
      targetId,
      decision:
        outcome === "trigger"
          ? ({ outcome, runType: "proposed", reason: "triggered", evidence } as const)
          : outcome === "hold"
            ? ({ outcome, runType: "proposed", reason: "held", evidence } as const)
            : ({ outcome, reason: "closed", evidence } as const),
    }));
    await withTransaction(worker().store, (tx) =>
      writeDecided(tx, [{ pending, commitSha, decisions, isForced }]),
    );
  }

  async function rowsOf(stack = stacks[0] ?? "") {
    return worker().store.sql<
      {
        id: string;
        commitSha: string;
        state: string;
        arrival: number;
        position: number;
        awaitsPush: boolean;
        cancelRequested: boolean;
        message: string | null;
      }[]
    >`
      SELECT id, commit_sha, state, branch_arrival AS arrival, position, awaits_push, cancel_requested, message
      FROM sluice.triggers WHERE target_id = ${stack} ORDER BY position, id`;
  }

  const statesOf = async (stack?: string) =>
    (await rowsOf(stack)).map(({ commitSha, state }) => `${commitSha[0] ?? ""} ${state}`);

  const liveOf = async (stack?: string) =>
    (await rowsOf(stack)).flatMap(({ commitSha, state }) => (state === "queued" ? [commitSha[0]] : []));

  async function reasonOf({ id }: Told) {
    const [decision] = await worker().decisionsOf(id);
    return decision?.["reason"];
  }

  async function pushPlaces() {
    return worker().store.sql<{ newSha: string; arrival: number; position: number }[]>`
      SELECT new_sha, branch_arrival AS arrival, sequence AS position FROM sluice.events
      JOIN sluice.deliveries ON deliveries.id = delivery_id
      WHERE kind = 'push' AND integration_id = ${worker().integrationId()} ORDER BY sequence`;
  }

  async function claim() {
    const [held] = await claimTriggers(worker().store, { limit: 1, leaseMs: 60_000, holder: "runner-7" });
    if (held === undefined) throw new Error("nothing can be claimed");
    return held;
  }

  return {
    worker,
    begin,
    /** Ids of the targets for which reports ask for a run. */
    stacks: () => stacks,
    /** From now on. */
    runFor: (ids: readonly string[]) => void (stacks = ids),
    push,
    report,
    opened,
    updated,
    declined,
    tell,
    record,
    decide,
    rowsOf,
    statesOf,
    liveOf,
    reasonOf,
    pushPlaces,
    claim,
  };
}

/** All orders of a few things. */
export function permutationsOf<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, place) =>
    permutationsOf(items.filter((_, other) => other !== place)).map((rest) => [item, ...rest]),
  );
}
