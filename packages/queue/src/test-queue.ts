/** Queues that belong to one test file, and what the tests do with them. */
import { fork, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { AppError } from "@sluice/domain/app-error";
import { Redis } from "ioredis";
import { Client } from "pg";
import { withDeadline } from "./deadline.ts";
import { PRODUCER_DEADLINE_MS } from "./producer.ts";
import type { EventPayload } from "./queues.ts";

/** The bound that is promised, and the time of a slow machine to notice it. */
const REFUSED_WITHIN_MS = PRODUCER_DEADLINE_MS + 1_000;

/** The code that a call is refused with, or that it was not. @throws Error when it is not refused in bounded time. */
export function refusal(work: Promise<unknown>): Promise<string> {
  const code = work.then(
    () => "not refused",
    (error: unknown) => (error instanceof AppError ? error.code : String(error)),
  );
  return withDeadline(code, REFUSED_WITHIN_MS, () => new Error(`no answer within ${REFUSED_WITHIN_MS} ms`));
}

/** A job's payload that no other job has. */
export function anEvent(): EventPayload {
  return { v: 1, eventId: crypto.randomUUID() };
}

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

/** Starts test-process.ts. `authority` names a file with the certificates that it trusts beside the public ones. */
export function startTestProcess(
  url: string,
  namespace: string,
  queue: string,
  { authority }: { readonly authority?: string } = {},
): ChildProcess {
  return fork(new URL("./test-process.ts", import.meta.url), [url, namespace, queue], {
    ...(authority === undefined ? {} : { env: { NODE_EXTRA_CA_CERTS: authority } }),
    execArgv: ["--conditions=source", "--import", import.meta.resolve("tsx")],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
}
