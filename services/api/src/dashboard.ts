import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { HonoAdapter } from "@bull-board/hono";
import { serveStatic } from "@hono/node-server/serve-static";
import { openDashboardQueues } from "@sluice/queue/administration";
import type { QueueBackend } from "@sluice/queue/backend";
import { summarizeDeliveries } from "@sluice/queue/delivery-codec";
import { deliveriesQueue } from "@sluice/queue/queues";
import { Hono } from "hono";

export const DASHBOARD_PATH = "/queues";

/** What a person may do to jobs. Nothing that loses one: until it is recorded, a delivery's job is its only copy. */
const ALLOWED_CHANGES: ReadonlySet<string> = new Set([
  "/api/queues/:queueName/retry/:queueStatus",
  "/api/queues/:queueName/:jobId/retry",
  "/api/queues/:queueName/promote",
  "/api/queues/:queueName/:jobId/promote",
]);

/** A page on which people see the queues and retry jobs. */
export interface Dashboard {
  /** @throws AppError `queue_unavailable` while the queue's servers are away. */
  fetch(request: Request): Promise<Response>;
  close(): Promise<void>;
}

interface OpenDashboard {
  readonly app: Hono;
  close(): Promise<void>;
}

/** Connects when it is first looked at, and tries again with each look until that has worked. */
export function createDashboard(backend: QueueBackend): Dashboard {
  let opening: Promise<OpenDashboard> | null = null;

  async function open(): Promise<OpenDashboard> {
    opening ??= openDashboard(backend);
    try {
      return await opening;
    } catch (error) {
      opening = null;
      throw error;
    }
  }

  return {
    fetch: async (request) => (await open()).app.fetch(request),
    async close() {
      const opened = await opening?.catch(() => null);
      await opened?.close();
    },
  };
}

async function openDashboard(backend: QueueBackend): Promise<OpenDashboard> {
  const { queues, close } = await openDashboardQueues(backend);
  const serverAdapter = new HonoAdapter(serveStatic);
  serverAdapter.setBasePath(DASHBOARD_PATH);
  createBullBoard({
    queues: queues.map((queue) => {
      const adapter = new BullMQAdapter(queue);
      if (queue.name === deliveriesQueue.name) adapter.setFormatter("data", summarizeDeliveries);
      return adapter;
    }),
    serverAdapter,
    options: {
      uiConfig: { boardTitle: "Sluice" },
      handlerHooks: {
        before({ method, route }) {
          if (method === "get" || ALLOWED_CHANGES.has(route)) return;
          return { allow: false, status: 403, message: "Jobs can be retried here, and nothing else." };
        },
      },
    },
  });
  return { app: new Hono().route(DASHBOARD_PATH, serverAdapter.registerPlugin()), close };
}
