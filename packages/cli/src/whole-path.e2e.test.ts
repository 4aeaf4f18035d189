/** Pushes over HTTP, from a signed webhook to what the API tells of it. */
import type { Repository } from "@sluice/simulator/repository";
import { resolveHeldEvent } from "@sluice/worker/write/resolve-held";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { decisionOn, decisionsIn } from "./test-api-reader.ts";
import { startWholePath, testQueues, type WholePath } from "./test-whole-path.ts";

describe.each(testQueues(inject("redisUrl")))("from a signed push to a trigger, on $name", (queue) => {
  let path: WholePath;
  let repository: Repository;

  beforeAll(async () => {
    path = await startWholePath(inject("postgresUrl"), queue);
    repository = path.aRepository({ "network/main.tf": "1", "database/main.tf": "1", "README.md": "1" });
    await path.declare(repository, {
      stacks: [
        { name: "network", project_root: "network" },
        { name: "database", project_root: "database" },
        { name: "everything" },
      ],
    });
  });

  afterAll(() => path.close());

  /** What became of one push. */
  async function push(update: Parameters<Repository["push"]>[0]) {
    let hash = "";
    const [told] = await path.tellAtOnce(() => void ({ hash } = repository.push(update)));
    return { hash, told, decisions: decisionsIn(told), eventId: told?.events[0]?.id ?? "" };
  }

  const triggersAt = async (hash: string) =>
    (await path.triggersOf(repository)).filter(({ checkout }) => checkout.sha === hash);

  test("a push makes a trigger for each stack whose files changed, and says why not for the others (rules 19, 25)", async () => {
    const { hash, told, decisions } = await push({
      files: { "network/main.tf": "2", "network2/x.tf": "1" },
    });
    expect(decisions).toEqual({
      database: "outside_project_root",
      everything: "tracked run",
      network: "tracked run",
    });
    expect(decisionOn(told, "network")?.evidence).toMatchObject({
      files: { matched: [{ path: "network/main.tf" }], total: 1 },
    });
    expect(path.server.countCalls("GET *diffstat*")).toBe(1);
    expect(await triggersAt(hash)).toMatchObject([
      { run_type: "tracked", state: "queued" },
      { run_type: "tracked", state: "queued" },
    ]);
  });

  test("a new branch is compared with the tracked branch from where they parted (rule 15)", async () => {
    const { decisions } = await push({ branch: "feature/db", files: { "database/main.tf": "2" } });
    expect(decisions).toEqual({
      database: "proposed run",
      everything: "proposed run",
      network: "outside_project_root",
    });
  });

  test("a renamed file counts under both of its names (rule 15)", async () => {
    const { decisions } = await push({ files: { "network/main.tf": null, "moved/main.tf": "2" } });
    expect(decisions).toEqual({
      database: "outside_project_root",
      everything: "tracked run",
      network: "tracked run",
    });
  });

  test("what Bitbucket sends twice, and reordered, runs once (rules 9, 14)", async () => {
    const end = path.bitbucket.webhooks.injectFault({ kind: "duplicate", copies: 3 });
    const { hash } = await push({ files: { "database/main.tf": "3" } });
    end();
    expect(await triggersAt(hash)).toHaveLength(2);
  });

  test("a 429 blocks the credential for as long as it says; the event waits, and is decided afterwards (rule 17)", async () => {
    const { server } = path;
    server.injectFault("GET *diffstat*", { kind: "rate_limited", retryAfterSeconds: 5 }, { times: 1 });
    server.clearCalls();
    const pushing = push({ branch: "feature/db", files: { "network/new.tf": "1" } });
    await expect.poll(() => server.countCalls("GET *diffstat*"), { timeout: 10_000 }).toBe(1);
    expect(await triggersAt(repository.head("feature/db"))).toEqual([]);
    expect((await pushing).decisions).toEqual({
      database: "outside_project_root",
      everything: "proposed run",
      network: "proposed run",
    });
    expect(server.countCalls("GET *diffstat*")).toBe(2);
  });

  test("a tracked run whose files nobody knows is held until a person says what to do (rule 17)", async () => {
    const mend = path.server.injectFault("GET *diffstat*", { kind: "status", status: 404 });
    const { hash, told, decisions, eventId } = await push({ files: { "network/held.tf": "1" } });
    mend();
    expect(decisions).toEqual({ database: "held", everything: "tracked run", network: "held" });
    expect(decisionOn(told, "database")?.evidence).toMatchObject({ files: { known: false } });
    const mistyped = { kind: "targets", names: ["netwrok"] } as const;
    await expect(
      resolveHeldEvent(path.store, { eventId, choice: mistyped, by: "ada" }),
    ).rejects.toMatchObject({ code: "target_not_held" });
    const choice = { kind: "targets", names: ["network"] } as const;
    const settle = () => resolveHeldEvent(path.store, { eventId, choice, by: "ada" });
    expect(await settle()).toMatchObject([
      { target: "database", outcome: "ignore", reason: "outside_project_root", triggerId: null },
      { target: "network", outcome: "trigger", reason: "triggered", triggerId: expect.any(String) as string },
    ]);
    const made = await path.store.sql`
      SELECT targets.name, actor FROM sluice.trigger_history
      JOIN sluice.triggers ON triggers.id = trigger_id JOIN sluice.targets ON targets.id = target_id
      WHERE commit_sha = ${hash} ORDER BY targets.name`;
    expect(made).toEqual([
      { name: "everything", actor: "worker" },
      { name: "network", actor: "ada" },
    ]);
    await expect(settle()).rejects.toMatchObject({ code: "target_not_held" });
    const audit = await path.store.sql`
      SELECT action, actor_kind, actor_name, subject_name, details ->> 'reason' AS reason FROM sluice.audit_log
      WHERE details ->> 'event_id' = ${eventId} AND space_id = (SELECT space_id FROM sluice.targets LIMIT 1) ORDER BY id`;
    const row = { action: "decision.resolved", actorKind: "command_line", actorName: "ada" };
    expect([...audit]).toEqual([
      { ...row, subjectName: "database", reason: "outside_project_root" },
      { ...row, subjectName: "network", reason: "triggered" },
    ]);
  });

  test("a held run is stale once a newer commit of its target was handed out (rule 14)", async () => {
    const mend = path.server.injectFault("GET *diffstat*", { kind: "status", status: 404 });
    const { eventId } = await push({ files: { "database/held.tf": "1" } });
    mend();
    const second = await push({ files: { "database/held.tf": "2" } });
    await path.store.sql`UPDATE sluice.triggers SET attempt = 1 WHERE commit_sha = ${second.hash}`;
    const choice = { kind: "all" } as const;
    expect(await resolveHeldEvent(path.store, { eventId, choice, by: "ada" })).toMatchObject([
      { target: "database", reason: "stale" },
      { target: "network", reason: "triggered" },
    ]);
  });

  test("the worker tells its queues, jobs and calls to Prometheus", async () => {
    const metrics = await (await fetch(`${path.workerUrl()}/metrics`)).text();
    expect(metrics).toMatch(/sluice_jobs_total\{[^}]*outcome="completed"[^}]*\} [1-9]/);
    expect(metrics).toMatch(/sluice_bitbucket_calls_total\{[^}]*status="200"[^}]*\} [1-9]/);
    expect(metrics).toMatch(/sluice_webhook_to_trigger_seconds_count\{[^}]*\} [1-9]/);
    expect(metrics).toMatch(/sluice_queue_depth\{[^}]*queue="events"[^}]*\} \d/);
    expect((await fetch(`${path.workerUrl()}/readyz`)).status).toBe(200);
  });
});
