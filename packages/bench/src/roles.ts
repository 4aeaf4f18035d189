/** What a child process of the benchmark can be. Loaded when it is needed: a role is measured without the others' code. */
import type { FromChild, ToChild } from "./child-process.ts";

/** A role at work. */
export interface RunningRole {
  /** What the parent is told when it has started. */
  readonly ready?: unknown;
  answer?(question: unknown): Promise<unknown>;
  close(): Promise<void>;
}

/** Each gets what the parent gave `startRole`. */
const ROLES: Readonly<Record<string, () => Promise<(input: never) => Promise<RunningRole>>>> = {
  generator: async () => (await import("./load/generator.ts")).startGenerator,
  "ingest-peer": async () => (await import("./ingest/peer-server.ts")).startPeerServer,
  "worker-peer": async () => (await import("./worker/peer-worker.ts")).startPeerWorker,
  diffstat: async () => (await import("./worker/diffstat-server.ts")).startDiffstatServer,
  "push-recorder": async () => (await import("./retention/push-recorder.ts")).startPushRecorder,
  "retention-job": async () => (await import("./retention/retention-job.ts")).startRetentionJob,
};

/** Plays a role until the parent ends it or goes away. */
export async function runRole(name: string): Promise<void> {
  const load = ROLES[name];
  if (load === undefined) throw new Error(`there is no role ${name}`);
  const start = await load();
  let running: RunningRole | null = null;
  const stop = async (): Promise<void> => {
    await running?.close().catch(() => undefined);
    process.exit(0);
  };
  process.once("SIGTERM", () => void stop());
  process.once("disconnect", () => void stop());
  process.on("message", (received) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only `startRole` sends messages, and it sends no others
    void reply(received as ToChild);
  });

  async function reply(message: ToChild): Promise<void> {
    try {
      if (message.kind === "start") {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- who starts a role gives it the input that its function declares
        running = await start(message.input as never);
        send({ kind: "ready", value: running.ready });
      } else {
        send({ kind: "answer", value: await running?.answer?.(message.question) });
      }
    } catch (error) {
      send({
        kind: "failed",
        reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    }
  }
}

function send(message: FromChild): void {
  process.send?.(message);
}
