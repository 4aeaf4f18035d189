/** What each server says about losing jobs, on servers with settings of their own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findRedisServer, startRedis } from "@sluice/embedded/redis";
import { injectTestServers } from "@sluice/embedded/test-context";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { openQueueBackend } from "./backend.ts";
import { parseQueueUrl } from "./queue-url.ts";

const { postgresUrl, redisUrl } = injectTestServers();
const binary = redisUrl === null ? null : await findRedisServer();

async function warningsOf(url: string): Promise<string[]> {
  const backend = openQueueBackend(parseQueueUrl(url));
  onTestFinished(() => backend.close());
  return backend.durabilityWarnings();
}

test("a PostgreSQL that may lose jobs is named with what mends it", async () => {
  // The server of the tests keeps nothing on purpose.
  expect(await warningsOf(postgresUrl)).toEqual([
    expect.stringMatching(/^fsync is off: .* Run: ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf\(\);$/),
    expect.stringMatching(/^synchronous_commit is off: .* ALTER SYSTEM SET synchronous_commit = on;/),
  ]);
});

describe.skipIf(binary === null)("a Redis", () => {
  async function startServer(appendOnly: boolean): Promise<string> {
    const directory = mkdtempSync(join(tmpdir(), "sluice-durability-"));
    const server = await startRedis({ directory, binary: binary ?? "", appendOnly });
    onTestFinished(async () => {
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    });
    return server.url;
  }

  async function tell(url: string, ...command: [string, ...string[]]): Promise<void> {
    const client = new Redis(url);
    await client.call(...command);
    // A server that writes its first append-only file refuses to stop.
    const isIdle = async (): Promise<void> =>
      expect(await client.info("persistence")).toMatch(
        /aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/,
      );
    await vi.waitFor(isIdle, { timeout: 15_000 });
    client.disconnect();
  }

  test("that keeps every job gives no warning", async () => {
    expect(await warningsOf(await startServer(true))).toEqual([]);
  });

  test("that may lose jobs is named with the commands that mend it", async () => {
    const url = await startServer(false);
    await tell(url, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    const warnings = await warningsOf(url);
    expect(warnings).toHaveLength(3);
    for (const warning of warnings) {
      const [, ...command] = /Run: redis-cli (\S+) (\S+) (\S+) (\S+)$/.exec(warning)!;
      await tell(url, command[0]!, ...command.slice(1));
    }
    expect(await warningsOf(url)).toEqual([]);
  });

  test("that keeps its settings to itself gives one warning that says so", async () => {
    const url = await startServer(false);
    await tell(url, "ACL", "SETUSER", "ann", "on", ">secret", "~*", "+@all", "-config");
    const warnings = await warningsOf(url.replace("redis://", "redis://ann:secret@"));
    expect(warnings).toEqual([expect.stringMatching(/maxmemory-policy is noeviction, appendonly is yes/)]);
  });
});
