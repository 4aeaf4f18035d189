/** A worker's recorder in a process of its own, with pushes that come at fixed times, whatever becomes of them. */
import { setTimeout as sleep } from "node:timers/promises";
import { createLogger } from "@sluice/runtime/logger";
import { openStore } from "@sluice/store/client";
import { createRecorder, type Recorder } from "@sluice/worker/record/record-deliveries";
import type { Seed } from "../database.ts";
import type { RunningRole } from "../roles.ts";
import type { WebhookTemplate } from "../webhooks.ts";
import { createDelivery, toRawDelivery } from "../worker/backlog.ts";

export interface PushRecorderInput {
  readonly databaseUrl: string;
  readonly seed: Seed;
  /** One of each repository that is pushed to. */
  readonly templates: readonly WebhookTemplate[];
  readonly applicationName: string;
}

/** What was recorded since the last lap ended: ms from the push to the end of its transaction. */
export interface RecordedLap {
  readonly inOrderMs: readonly number[];
  /** Pushes that came after the next one to their branches: they lock the triggers as a whole. */
  readonly lateMs: readonly number[];
}

/** Four million a day. */
const PUSHES_PER_SECOND = 50;
/** Of so many pairs of neighbours, one comes in the wrong order. */
const PAIRS_PER_SWAP = 25;
/** As many as a worker has by default. */
const CONNECTIONS = 10;
/** As the worker's default. */
const MAX_TRIGGERS_PER_EVENT = 500;

interface Push {
  readonly template: WebhookTemplate;
  /** Of the template, from 0. */
  readonly round: number;
  readonly isLate: boolean;
}

/** Ends a lap; the last one when all that was pushed is recorded, and no push is left without the one before it. */
export type PushRecorderQuestion = "lap" | "last lap";

/** The role `push-recorder`. It pushes from its start to its last lap. */
export async function startPushRecorder(input: PushRecorderInput): Promise<RunningRole> {
  const { databaseUrl: url, applicationName } = input;
  const store = openStore({ url, maxConnections: CONNECTIONS, applicationName });
  const recorder = createRecorder({
    store,
    logger: createLogger({ service: "bench", level: "warn", format: "json" }),
    maxTriggersPerEvent: MAX_TRIGGERS_PER_EVENT,
    requeue: () => Promise.reject(new Error("the database refused a delivery")),
    enqueueRecovered: () => Promise.reject(new Error("a push was taken for one that is told again")),
  });
  const pushes = startPushing(input.templates, (push) => record(recorder, push, input.seed));
  return {
    async answer(question: PushRecorderQuestion): Promise<RecordedLap> {
      if (question === "last lap") await pushes.stop();
      return pushes.endLap();
    },
    async close() {
      await pushes.stop();
      await store.close();
    },
  };
}

/** Sends pushes at fixed times; `send` says how long each took. `endLap` throws what a push failed by. */
function startPushing(templates: readonly WebhookTemplate[], send: (push: Push) => Promise<number>) {
  let lap: { inOrderMs: number[]; lateMs: number[] } = { inOrderMs: [], lateMs: [] };
  let failure: unknown = null;
  const stopping = new AbortController();

  async function sendOne(push: Push): Promise<void> {
    try {
      const latencyMs = await send(push);
      (push.isLate ? lap.lateMs : lap.inOrderMs).push(latencyMs);
    } catch (error) {
      failure ??= error;
    }
  }

  async function sendAll(): Promise<void> {
    const startedAt = performance.now();
    const sent: Promise<void>[] = [];
    for (let number = 0; !stopping.signal.aborted || number % (2 * templates.length) !== 0; number += 1) {
      await sleep(Math.max(0, startedAt + (number * 1_000) / PUSHES_PER_SECOND - performance.now()));
      sent.push(sendOne(pushOf(number, templates)));
    }
    await Promise.all(sent);
  }

  const allSent = sendAll();
  return {
    async stop(): Promise<void> {
      stopping.abort();
      await allSent;
    },
    endLap(): RecordedLap {
      if (failure !== null) throw new Error("a push was not recorded", { cause: failure });
      const ended = lap;
      lap = { inOrderMs: [], lateMs: [] };
      return ended;
    },
  };
}

/** Templates in turn. Of two rounds that are swapped, the second goes first. */
function pushOf(number: number, templates: readonly WebhookTemplate[]): Push {
  const place = number % templates.length;
  const template = templates[place];
  if (template === undefined) throw new Error("there are no templates");
  const turn = Math.floor(number / templates.length);
  // Not the first two: what is known of a new branch is where its first push came from.
  const isSwapped = turn > 1 && (place + Math.floor(turn / 2)) % PAIRS_PER_SWAP === PAIRS_PER_SWAP - 1;
  if (!isSwapped) return { template, round: turn, isLate: false };
  return turn % 2 === 0
    ? { template, round: turn + 1, isLate: false }
    : { template, round: turn - 1, isLate: true };
}

async function record(recorder: Recorder, { template, round }: Push, seed: Seed): Promise<number> {
  const delivery = toRawDelivery(createDelivery(template, round, seed));
  const startedAt = performance.now();
  await recorder.record([delivery]);
  return performance.now() - startedAt;
}
