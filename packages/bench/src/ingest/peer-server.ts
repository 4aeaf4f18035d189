/**
 * What others build: the HTTP server and the signature check that ours has too, and then another way to keep the webhook
 * before the answer.
 */
import { parseDeliveryHeaders } from "@sluice/bitbucket/headers";
import { verifySignature } from "@sluice/bitbucket/signature";
import type { HttpBindings } from "@hono/node-server";
import { startHttpServer } from "@sluice/runtime/http-server";
import { createLogger } from "@sluice/runtime/logger";
import { Queue } from "bullmq";
import { Hono } from "hono";
import { Redis } from "ioredis";
import { jobOf, PEER_QUEUE } from "../peers/peer-job.ts";
import { createTransactionWriter } from "../peers/transaction-writer.ts";
import type { PeerDelivery } from "../peers/peer-delivery.ts";
import type { RunningRole } from "../roles.ts";
import { readBody } from "./read-body.ts";

/** How a peer keeps a webhook. */
export type IngestPeer = "nothing" | "xadd" | "bullmq" | "postgres-transaction";

export interface PeerServerInput {
  readonly peer: IngestPeer;
  readonly secret: string;
  readonly integrationId: string;
  readonly redisUrl: string;
  readonly databaseUrl: string;
}

/** The stream of `xadd`. */
export const PEER_STREAM = "webhooks";

interface Keeper {
  keep(delivery: PeerDelivery): Promise<unknown>;
  close(): Promise<void>;
}

/** The role `ingest-peer`; ready with its URL. */
export async function startPeerServer(input: PeerServerInput): Promise<RunningRole> {
  const keeper = openKeeper(input);
  const server = await startHttpServer({
    app: createApp(input, keeper),
    host: "127.0.0.1",
    port: 0,
    logger: createLogger({ service: "peer", level: "error", format: "json" }),
  });
  return {
    ready: server.url,
    async close() {
      await server.close(1_000);
      await keeper.close();
    },
  };
}

function createApp({ secret, integrationId }: PeerServerInput, keeper: Keeper) {
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.post("/webhooks/bitbucket-cloud/:slug", async (c) => {
    const body = await readBody(c.env.incoming);
    const header = c.req.header("x-hub-signature");
    const secrets = { current: secret, previous: null };
    if (verifySignature({ body, header, secrets }) === null) return c.json({ error: "signature" }, 401);
    const headers = parseDeliveryHeaders((name) => c.req.header(name));
    if (headers.kind !== "ok") return c.json({ error: headers.kind }, 400);
    const { eventKey, requestId, hookId, attempt } = headers;
    const receivedAt = new Date().toISOString();
    await keeper.keep({ integrationId, eventKey, requestId, hookId, attempt, receivedAt, body });
    return c.json({ id: requestId }, 202);
  });
  return app;
}

function openKeeper({ peer, redisUrl, databaseUrl }: PeerServerInput): Keeper {
  switch (peer) {
    case "nothing":
      return { keep: () => Promise.resolve(), close: () => Promise.resolve() };
    case "xadd": {
      const redis = new Redis(redisUrl);
      return {
        keep: ({ body, ...facts }) =>
          redis.xadd(PEER_STREAM, "*", "facts", JSON.stringify(facts), "body", body),
        close: async () => redis.disconnect(),
      };
    }
    case "bullmq": {
      const redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
      const queue = new Queue(PEER_QUEUE, { connection: redis });
      return {
        keep: (delivery) => queue.add("webhook", jobOf(delivery), { removeOnComplete: true }),
        close: async () => {
          await queue.close();
          redis.disconnect();
        },
      };
    }
    case "postgres-transaction": {
      const writer = createTransactionWriter(databaseUrl);
      return { keep: writer.write, close: writer.close };
    }
  }
}
