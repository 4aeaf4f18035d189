/** What both backends promise: one suite, run over each. */
import { once } from "node:events";
import { AppError } from "@sluice/domain/app-error";
import { injectTestServers } from "@sluice/embedded/test-context";
import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { createQueueAdministration, openDashboardQueues } from "./administration.ts";
import { migrateQueueBackend, openQueueBackend, type QueueBackend } from "./backend.ts";
import { createConsumer, type ConsumerOptions, type JobHandler, type JobOutcome } from "./consumer.ts";
import { decodeDeliveries, encodeDeliveries, type RawDelivery } from "./delivery-codec.ts";
import { createProducer } from "./producer.ts";
import { parseQueueUrl } from "./queue-url.ts";
import { deliveriesQueue, eventsQueue, type EventPayload, type QueueDefinition } from "./queues.ts";
import { dropTestQueues, newNamespace, startTestProcess } from "./test-queue.ts";
import { z } from "zod";

const { postgresUrl, redisUrl } = injectTestServers();
const backends = [
  { kind: "postgres", url: postgresUrl },
  { kind: "redis", url: redisUrl ?? "" },
] as const;

/** Two locks and their checks, and time for a slow machine. */
const STALLED_TIMEOUT_MS = 60_000;
const WAIT = { timeout: 15_000, interval: 20 };

describe.each(backends)("on $kind", ({ kind, url }) => {
  const isSkipped = kind === "redis" && redisUrl === null;
  const namespace = newNamespace();
  let backend: QueueBackend;
  let queues = 0;

  beforeAll(async () => {
    if (isSkipped) return;
    await migrateQueueBackend(parseQueueUrl(url), { namespace });
    backend = openQueueBackend(parseQueueUrl(url), { namespace });
    return async () => {
      await backend.close();
      await dropTestQueues(url, namespace);
    };
  });

  /** A queue of this test alone, whose attempts follow each other at once. */
  function aQueue(attempts = 3): QueueDefinition<EventPayload> {
    return {
      ...eventsQueue,
      name: `events_${++queues}`,
      retry: { attempts, firstDelayMs: 1, maxDelayMs: 2 },
    };
  }

  function produce<P>(queue: QueueDefinition<P>) {
    const producer = createProducer(backend, queue);
    onTestFinished(() => producer.close());
    return producer;
  }

  function consume<P>(
    queue: QueueDefinition<P>,
    handler: JobHandler<P>,
    options: Partial<ConsumerOptions> = {},
  ) {
    const outcomes: JobOutcome[] = [];
    const consumer = createConsumer(backend, queue, handler, {
      concurrency: 1,
      onOutcome: (outcome) => void outcomes.push(outcome),
      ...options,
    });
    onTestFinished(() => consumer.close(1_000));
    return { consumer, outcomes, kinds: () => outcomes.map(({ kind: outcome }) => outcome) };
  }

  function administer() {
    const administration = createQueueAdministration(backend);
    onTestFinished(() => administration.close());
    return administration;
  }

  describe.skipIf(isSkipped)("the queue", () => {
    test("brings deliveries to the worker byte for byte", async () => {
      const sent = [aDelivery(Buffer.from([0, 255, 0, 128])), aDelivery(Buffer.from('{"push":"é\u0000"}'))];
      const received: RawDelivery[] = [];
      const queue = { ...deliveriesQueue, name: "deliveries_round_trip" };
      await produce(queue).add(await encodeDeliveries(sent));
      consume(queue, async ({ payload }) => void received.push(...(await decodeDeliveries(payload))));
      await vi.waitFor(() => expect(received).toHaveLength(2), WAIT);
      expect(received.map(({ body }) => [...body])).toEqual(sent.map(({ body }) => [...body]));
      expect(received.map(({ headers }) => headers)).toEqual(sent.map(({ headers }) => headers));
    });

    test("is first in, first out, also for jobs that were added together", async () => {
      const queue = aQueue();
      const producer = produce(queue);
      const events = Array.from({ length: 12 }, anEvent);
      await producer.add(events[0]!);
      await producer.addMany(events.slice(1, 11).map((payload) => ({ payload })));
      await producer.add(events[11]!);
      const seen: string[] = [];
      consume(queue, async ({ payload }) => void seen.push(payload.eventId));
      await vi.waitFor(() => expect(seen).toHaveLength(12), WAIT);
      expect(seen).toEqual(events.map(({ eventId }) => eventId));
    });

    test("takes a job id once, while its job is kept", async () => {
      const queue = aQueue();
      const producer = produce(queue);
      const payload = anEvent();
      const job = { payload, jobId: payload.eventId };
      expect(await producer.add(payload, { jobId: payload.eventId })).toBe(payload.eventId);
      expect(await producer.add(payload, { jobId: payload.eventId })).toBe(payload.eventId);
      expect(await producer.addMany([job, job])).toEqual([payload.eventId, payload.eventId]);
      expect(await administer().queueCounts(queue)).toMatchObject({ waiting: 1 });
    });

    test.each(["", "12", "a:b"])("refuses the job id %j", async (jobId) => {
      await expect(produce(aQueue()).add(anEvent(), { jobId })).rejects.toMatchObject({
        code: "job_id_invalid",
      });
    });

    test("tells a handler its job, its attempt and since when it waits", async () => {
      const queue = aQueue();
      const payload = anEvent();
      const before = Date.now();
      await produce(queue).add(payload, { jobId: payload.eventId });
      const runs: Parameters<JobHandler<EventPayload>>[0][] = [];
      const { outcomes } = consume(queue, async (run) => void runs.push(run));
      await vi.waitFor(() => expect(outcomes).toHaveLength(1), WAIT);
      expect(runs[0]).toMatchObject({ payload, jobId: payload.eventId, attempt: 1 });
      expect(runs[0]!.enqueuedAt.getTime()).toBeGreaterThanOrEqual(before);
      expect(runs[0]!.signal.aborted).toBe(false);
      expect(outcomes[0]).toMatchObject({ kind: "complete", jobId: payload.eventId, attempt: 1 });
    });

    test("tries a failing job again until it succeeds", async () => {
      const queue = aQueue(3);
      await produce(queue).add(anEvent());
      const { outcomes, kinds } = consume(queue, async ({ attempt }) => {
        if (attempt < 3) throw new Error("not yet");
      });
      await vi.waitFor(() => expect(kinds()).toEqual(["retry", "retry", "complete"]), WAIT);
      expect(outcomes.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    });

    test("keeps a job whose attempts are used up, and runs it again when told, with all its attempts", async () => {
      const queue = aQueue(2);
      const jobId = await produce(queue).add(anEvent());
      let isMended = false;
      const { outcomes, kinds } = consume(queue, async () => {
        if (!isMended) throw new Error("disk \0 full");
      });
      const administration = administer();
      await vi.waitFor(
        async () => expect(await administration.listFailed(queue)).toMatchObject([{ jobId, attempts: 2 }]),
        WAIT,
      );
      const [failed] = await administration.listFailed(queue);
      expect(failed!.reason).toBe("disk \uFFFD full");
      expect(failed!.failedAt.getTime()).toBeGreaterThanOrEqual(failed!.enqueuedAt.getTime());
      isMended = true;
      expect(await administration.retryFailed(queue, [jobId, "unknown"])).toBe(1);
      await vi.waitFor(() => expect(kinds()).toEqual(["retry", "fail", "complete"]), WAIT);
      expect(outcomes[2]!.attempt).toBe(1);
      expect(await administration.retryFailed(queue, [jobId])).toBe(0);
    });

    test("fails a job for good when no retry can help", async () => {
      const queue = aQueue(5);
      const ids = await produce(queue).addMany([{ payload: anEvent() }, { payload: anEvent() }]);
      const { kinds } = consume(queue, async () => {
        throw new AppError("payload_invalid", "not a push", { retry: "never" });
      });
      const administration = administer();
      await vi.waitFor(
        async () => expect(await administration.queueCounts(queue)).toMatchObject({ failed: 2 }),
        WAIT,
      );
      expect(kinds()).toEqual(["fail", "fail"]);
      const failed = await administration.listFailed(queue);
      expect(failed.map(({ reason }) => reason)).toEqual(Array(2).fill("payload_invalid: not a push"));
      expect(failed.map(({ jobId }) => jobId).toSorted()).toEqual(ids.toSorted());
      expect(await administration.listFailed(queue, { offset: 1, limit: 1 })).toHaveLength(1);
      expect(await administration.retryFailed(queue, "all")).toBe(2);
    });

    test("postpones a job without using up an attempt or a place", async () => {
      const queue = aQueue(1);
      const [late, other] = await produce(queue).addMany([{ payload: anEvent() }, { payload: anEvent() }]);
      let postponed = 0;
      const { outcomes } = consume(queue, async ({ jobId }) => {
        if (jobId === late && postponed++ < 4)
          throw new AppError("rate_limited", "wait", { retry: { afterMs: 40 } });
      });
      await vi.waitFor(() => expect(outcomes).toHaveLength(6), WAIT);
      expect(outcomes.every(({ attempt }) => attempt === 1)).toBe(true);
      const completed = outcomes.filter(({ kind: outcome }) => outcome === "complete");
      expect(completed.map(({ jobId }) => jobId)).toEqual([other, late]);
    });

    test("runs a postponed job when it is told to, and counts nothing else as told", async () => {
      const queue = aQueue(1);
      const [late, later, other] = await produce(queue).addMany(
        Array.from({ length: 3 }, () => ({ payload: anEvent() })),
      );
      let isMended = false;
      const { outcomes } = consume(queue, async ({ jobId }) => {
        if (jobId !== other && !isMended)
          throw new AppError("credential_refused", "wait", { retry: { afterMs: 3_600_000 } });
      });
      const administration = administer();
      await vi.waitFor(
        async () =>
          expect(await administration.queueCounts(queue)).toMatchObject({ delayed: 2, completed: 1 }),
        WAIT,
      );
      isMended = true;
      const told = await administration.promotePostponed(queue, [late!, other!, "unknown"]);
      expect(told).toBe(1);
      await vi.waitFor(() => expect(outcomes).toHaveLength(4), WAIT);
      expect(outcomes[3]).toMatchObject({ kind: "complete", jobId: late, attempt: 1 });
      await vi.waitFor(
        async () =>
          expect(await administration.queueCounts(queue)).toMatchObject({ delayed: 1, completed: 2 }),
        WAIT,
      );
      expect(await administration.promotePostponed(queue, [late!])).toBe(0);
      expect(await administration.promotePostponed(queue, [later!])).toBe(1);
    });

    test("keeps a job of a newer release until that release runs it", async () => {
      const queue = aQueue();
      const newer: QueueDefinition<{ v: 2; events: string[] }> = {
        ...queue,
        version: 2,
        payload: z.strictObject({ v: z.literal(2), events: z.array(z.string()) }),
      };
      await produce(newer).add({ v: 2, events: ["a"] });
      const older = consume(queue, async () => undefined);
      const administration = administer();
      await vi.waitFor(
        async () => expect(await administration.queueCounts(queue)).toMatchObject({ failed: 1 }),
        WAIT,
      );
      expect((await administration.listFailed(queue))[0]!.reason).toMatch(
        /^job_version_unknown: .*version 2/,
      );
      await older.consumer.close(1_000);
      const seen: string[] = [];
      consume(newer, async ({ payload }) => void seen.push(...payload.events));
      await administration.retryFailed(queue, "all");
      await vi.waitFor(() => expect(seen).toEqual(["a"]), WAIT);
    });

    test("counts its jobs", async () => {
      const queue = aQueue();
      const administration = administer();
      const empty = { waiting: 0, active: 0, delayed: 0, completed: 0, failed: 0 };
      expect(await administration.queueCounts(queue)).toEqual(empty);
      await produce(queue).addMany([{ payload: anEvent() }, { payload: anEvent() }]);
      expect(await administration.queueCounts(queue)).toEqual({ ...empty, waiting: 2 });
    });

    test("shows itself to a dashboard", async () => {
      await produce(eventsQueue).add(anEvent());
      const dashboard = await openDashboardQueues(backend);
      onTestFinished(() => dashboard.close());
      const counts = await Promise.all(dashboard.queues.map((queue) => queue.getWaitingCount()));
      expect(dashboard.queues.map(({ name }) => name)).toEqual(["deliveries", "events"]);
      expect(counts).toEqual([0, 1]);
    });

    test("does not mix with another namespace on the same servers", async () => {
      const other = newNamespace();
      await migrateQueueBackend(parseQueueUrl(url), { namespace: other });
      const neighbour = openQueueBackend(parseQueueUrl(url), { namespace: other });
      onTestFinished(async () => {
        await neighbour.close();
        await dropTestQueues(url, other);
      });
      const queue = aQueue();
      await produce(queue).add(anEvent());
      const administration = createQueueAdministration(neighbour);
      expect(await administration.queueCounts(queue)).toMatchObject({ waiting: 0 });
      await administration.close();
    });
  });

  describe.skipIf(isSkipped)("closing a consumer", () => {
    test("waits for the job that runs, and takes no other", async () => {
      const queue = aQueue();
      await produce(queue).addMany([{ payload: anEvent() }, { payload: anEvent() }]);
      const steps: string[] = [];
      const closed: Promise<unknown>[] = [];
      const { consumer } = consume(queue, async () => {
        steps.push("began");
        closed.push(consumer.close(10_000).finally(() => steps.push("closed")));
        closed[0]!.catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, 50));
        steps.push("ended");
      });
      await vi.waitFor(() => expect(steps).toContain("closed"), WAIT);
      await closed[0];
      expect(steps).toEqual(["began", "ended", "closed"]);
      expect(consumer.isRunning).toBe(false);
      expect(await administer().queueCounts(queue)).toMatchObject({ waiting: 1, active: 0, completed: 1 });
    });

    test("lets a process end that has closed everything", { timeout: STALLED_TIMEOUT_MS }, async () => {
      const queue = aQueue();
      await produce(queue).add(anEvent());
      const child = startTestProcess(url, namespace, queue.name);
      await once(child, "message");
      child.send("close");
      expect(await once(child, "exit")).toEqual([0, null]);
    });
  });

  describe.skipIf(isSkipped)(
    "a job that was cut off",
    { concurrent: true, timeout: STALLED_TIMEOUT_MS },
    () => {
      // The two run at the same time: each puts away its own process.
      test("runs once more, as the same attempt, after its process was killed", async (context) => {
        const queue = aQueue();
        const producer = createProducer(backend, queue);
        const jobId = await producer.add(anEvent());
        await producer.close();
        const child = startTestProcess(url, namespace, queue.name);
        context.onTestFinished(() => void child.kill("SIGKILL"));
        expect(await once(child, "message")).toEqual([jobId, undefined]);
        child.kill("SIGKILL");
        await once(child, "exit");
        const runs: number[] = [];
        const consumer = createConsumer(
          backend,
          queue,
          async (run) => void (run.jobId === jobId && runs.push(run.attempt)),
          { concurrency: 4 },
        );
        await vi.waitFor(() => expect(runs).toEqual([1]), { timeout: 45_000 });
        await consumer.close(1_000);
        expect(runs).toEqual([1]);
      });

      test("is told so and given back when its consumer cannot wait for it", async () => {
        const queue = aQueue();
        const producer = createProducer(backend, queue);
        const jobId = await producer.add(anEvent());
        await producer.close();
        const signals: AbortSignal[] = [];
        const consumer = createConsumer(
          backend,
          queue,
          async ({ signal }) => {
            signals.push(signal);
            await new Promise(() => undefined);
          },
          { concurrency: 1 },
        );
        await vi.waitFor(() => expect(signals).toHaveLength(1), WAIT);
        await consumer.close(20);
        expect(signals[0]!.aborted).toBe(true);
        const ran: string[] = [];
        const next = createConsumer(backend, queue, async (run) => void ran.push(run.jobId), {
          concurrency: 1,
        });
        await vi.waitFor(() => expect(ran).toEqual([jobId]), { timeout: 45_000 });
        await next.close(1_000);
      });
    },
  );
});

test("a PostgreSQL that was not migrated says what to do", async () => {
  const backend = openQueueBackend(parseQueueUrl(postgresUrl), { namespace: newNamespace() });
  onTestFinished(() => backend.close());
  const unavailable = { code: "queue_unavailable", message: expect.stringMatching(/run the migrations/) };
  await expect(backend.check()).rejects.toMatchObject(unavailable);
  const producer = createProducer(backend, eventsQueue);
  await expect(producer.add(anEvent())).rejects.toMatchObject({ code: "queue_unavailable" });
  await producer.close();
});

function anEvent(): EventPayload {
  return { v: 1, eventId: crypto.randomUUID() };
}

function aDelivery(body: Uint8Array): RawDelivery {
  return {
    id: crypto.randomUUID(),
    integrationId: crypto.randomUUID(),
    requestId: crypto.randomUUID(),
    hookId: null,
    eventKey: "repo:push",
    attempt: 1,
    secretVersion: "current",
    receivedAt: new Date().toISOString(),
    headers: { "x-event-key": "repo:push", odd: "\u0000\ud800" },
    body,
  };
}
