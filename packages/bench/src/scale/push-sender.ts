/** Puts pushes into the queue, each in a job of its own, and hears when they are decided. */
import { openQueueBackend } from "@sluice/queue/backend";
import { encodeDeliveries } from "@sluice/queue/delivery-codec";
import { createProducer } from "@sluice/queue/producer";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { deliveriesQueue } from "@sluice/queue/queues";
import type { Seed } from "../database.ts";
import { listenForTriggers } from "../load/committed-triggers.ts";
import { KEY_LENGTH } from "../load/requests.ts";
import type { WebhookTemplate } from "../webhooks.ts";
import { createDelivery, toRawDelivery } from "../worker/backlog.ts";

/** Sends pushes whose triggers it hears of: the database was told to announce them (`announceTriggers`). */
export interface PushSender {
  /**
   * Sends the next push of a template. @returns ms from when its job was put into the queue until the last of its
   * `triggers` could be seen in Postgres.
   * @throws Error when that takes more than a minute: the run is void.
   */
  send(template: WebhookTemplate, triggers: number): Promise<number>;
  /** How many pushes of a template were sent. */
  sentOf(template: WebhookTemplate): number;
  close(): Promise<void>;
}

interface Waiting {
  triggers: number;
  readonly onLast: () => void;
}

const PATIENCE_MS = 60_000;

/** Nothing is sent yet. */
export async function openPushSender(input: {
  readonly databaseUrl: string;
  readonly queueUrl: string;
  readonly seed: Seed;
}): Promise<PushSender> {
  const backend = openQueueBackend(parseQueueUrl(input.queueUrl));
  const producer = createProducer(backend, deliveriesQueue);
  const waiting = new Map<string, Waiting>();
  const stopListening = await listenForTriggers(input.databaseUrl, (key) => {
    const push = waiting.get(key);
    if (push === undefined) return;
    push.triggers -= 1;
    if (push.triggers === 0) push.onLast();
  });
  const sent = new Map<WebhookTemplate, number>();
  const sentOf = (template: WebhookTemplate): number => sent.get(template) ?? 0;

  function allSeen(key: string, triggers: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = () =>
        reject(new Error(`the run is void, a push was not decided in ${PATIENCE_MS / 1_000} s`));
      const timer = setTimeout(giveUp, PATIENCE_MS);
      const onLast = () => {
        clearTimeout(timer);
        waiting.delete(key);
        resolve();
      };
      waiting.set(key, { triggers, onLast });
    });
  }

  return {
    sentOf,
    async send(template, triggers) {
      const delivery = createDelivery(template, sentOf(template), input.seed);
      sent.set(template, sentOf(template) + 1);
      const payload = await encodeDeliveries([toRawDelivery(delivery)]);
      const startedAt = performance.now();
      const seen = allSeen(delivery.requestId.slice(-KEY_LENGTH), triggers);
      await Promise.all([producer.add(payload), seen]);
      return performance.now() - startedAt;
    },
    async close() {
      await stopListening();
      await producer.close();
      await backend.close();
    },
  };
}
