/** Says one thing to a Redis on the loopback address, without a client library. */
import { createConnection } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { LOOPBACK } from "./free-port.ts";

/** Whatever listens there may not be a Redis, and never answer. */
const ANSWER_TIMEOUT_MS = 1_000;
const POLL_INTERVAL_MS = 20;

/** Whether a Redis answers on that port of the loopback address, and has loaded its data. */
export async function pingRedis(port: number): Promise<boolean> {
  return (await askRedis(port, "PING")).startsWith("+PONG");
}

/** The first packet of the answer to an inline command of Redis's protocol; "" when there is none. */
export function askRedis(port: number, command: string): Promise<string> {
  return new Promise((resolveAnswer) => {
    const socket = createConnection({ host: LOOPBACK, port }, () => socket.write(`${command}\r\n`));
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
    socket.once("data", (answer) => {
      resolveAnswer(answer.toString());
      socket.destroy();
    });
    socket.once("error", () => resolveAnswer(""));
    socket.once("close", () => resolveAnswer(""));
  });
}

/** Says what is answered with OK. @throws Error with the answer when it is another. */
export async function orderRedis(port: number, command: string): Promise<void> {
  const answer = await askRedis(port, command);
  if (answer.startsWith("+OK")) return;
  throw new Error(`the Redis on port ${port} refuses ${command.slice(0, 60)}: ${answer.trim()}`);
}

/** Says it until the answer holds `expected`. @throws Error after `timeoutMs` with the last answer. */
export async function askRedisUntil(
  port: number,
  command: string,
  expected: string,
  timeoutMs: number,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await askRedis(port, command);
    if (answer.includes(expected)) return;
    if (performance.now() > deadline) {
      throw new Error(`the Redis on port ${port} answers ${command} without ${expected}: ${answer.trim()}`);
    }
    await sleep(POLL_INTERVAL_MS);
  }
}
