/** Queues that belong to one test file. */
import { fork, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import { Client } from "pg";

/** A namespace that nobody else has. */
export function newNamespace(): string {
  return `test_${randomBytes(6).toString("hex")}`;
}

/** Removes everything that a namespace has left on its server. */
export async function dropTestQueues(url: string, namespace: string): Promise<void> {
  if (url.startsWith("postgres")) {
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query(`drop schema if exists "${namespace}_queue" cascade`);
    await client.end();
    return;
  }
  const client = new Redis(url);
  const keys = await client.keys(`{${namespace}}:*`);
  if (keys.length > 0) await client.unlink(...keys);
  client.disconnect();
}

/** Starts test-process.ts. */
export function startTestProcess(...args: [url: string, namespace: string, queue: string]): ChildProcess {
  return fork(new URL("./test-process.ts", import.meta.url), args, {
    execArgv: ["--conditions=source", "--import", import.meta.resolve("tsx")],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
}
