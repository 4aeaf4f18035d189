/** TLS to Redis, in each of its topologies: encrypted, and only to a server whose certificate is trusted. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findRedisServer, isRedisSetting, startRedis, type RedisTls } from "@sluice/embedded/redis";
import { startRedisCluster } from "@sluice/embedded/redis-cluster";
import { startRedisSentinels } from "@sluice/embedded/redis-sentinel";
import { createSelfSignedCertificate } from "@sluice/embedded/self-signed-certificate";
import { injectTestServers } from "@sluice/embedded/test-context";
import { describe, expect, onTestFinished, test } from "vitest";
import { openQueueBackend } from "./backend.ts";
import { createProducer } from "./producer.ts";
import { parseQueueUrl } from "./queue-url.ts";
import { eventsQueue } from "./queues.ts";
import { anEvent, refusal, startTestProcess } from "./test-queue.ts";

const { redisUrl } = injectTestServers();
const binary = redisUrl === null ? null : await findRedisServer();
const NAMESPACE = "tls";

/** Servers that speak TLS, and the same without, to put a job there that the other side then takes. */
interface Started {
  readonly url: string;
  readonly plainUrl: string;
  readonly stop: () => Promise<void>;
}

interface Server {
  readonly scheme: string;
  /** What the certificate is for. */
  readonly host: string;
  readonly needs: readonly [name: string, value: string];
  readonly start: (directory: string, program: string, tls: RedisTls) => Promise<Started>;
}

const servers: readonly Server[] = [
  {
    scheme: "rediss",
    host: "localhost",
    needs: ["tls-port", "0"],
    async start(directory, program, tls) {
      const { url, tlsPort, stop } = await startRedis({ directory, binary: program, tls });
      return { url: `rediss://localhost:${tlsPort}`, plainUrl: url, stop };
    },
  },
  {
    scheme: "rediss+sentinel",
    host: "127.0.0.1",
    needs: ["tls-port", "0"],
    async start(directory, program, tls) {
      const { url, primary, stop } = await startRedisSentinels({
        directory,
        binary: program,
        tls,
        sentinels: 1,
      });
      return { url, plainUrl: primary.url, stop };
    },
  },
  {
    scheme: "rediss+cluster",
    host: "localhost",
    needs: ["cluster-announce-hostname", "localhost"],
    async start(directory, program, tls) {
      const { url, nodes, stop } = await startRedisCluster({ directory, binary: program, tls });
      return { url, plainUrl: `redis+cluster://127.0.0.1:${nodes[0]!.port}`, stop };
    },
  },
];

async function canStart({ needs: [name, value] }: Server): Promise<boolean> {
  return (
    binary !== null &&
    (await isRedisSetting(binary, "tls-port", "0")) &&
    (await isRedisSetting(binary, name, value))
  );
}

const supported = await Promise.all(
  servers.map(async (server) => ({ ...server, isSkipped: !(await canStart(server)) })),
);

describe.each(supported)("over $scheme://", { timeout: 60_000 }, ({ host, start, isSkipped }) => {
  test.skipIf(isSkipped)(
    "jobs are taken from a server that is trusted, and refused to any other",
    async () => {
      const directory = mkdtempSync(join(tmpdir(), "sluice-tls-"));
      const tls = {
        certificateFile: join(directory, "certificate.pem"),
        privateKeyFile: join(directory, "key.pem"),
      };
      const { certificate, privateKey } = createSelfSignedCertificate([host]);
      writeFileSync(tls.certificateFile, certificate);
      writeFileSync(tls.privateKeyFile, privateKey);
      const { url, plainUrl, stop } = await start(directory, binary ?? "", tls);
      onTestFinished(async () => {
        await stop();
        rmSync(directory, { recursive: true, force: true });
      });

      // This process does not know the authority.
      expect(await refusal(add(url))).toBe("queue_unavailable");
      const jobId = await add(plainUrl);
      const trusting = startTestProcess(url, NAMESPACE, eventsQueue.name, { authority: tls.certificateFile });
      onTestFinished(() => void trusting.kill("SIGKILL"));
      expect(await once(trusting, "message")).toEqual([jobId, undefined]);
      trusting.send("close");
      expect(await once(trusting, "exit")).toEqual([0, null]);
    },
  );
});

async function add(url: string): Promise<string> {
  const backend = openQueueBackend(parseQueueUrl(url), { namespace: NAMESPACE });
  const producer = createProducer(backend, eventsQueue);
  try {
    return await producer.add(anEvent());
  } finally {
    await producer.close();
    await backend.close();
  }
}
