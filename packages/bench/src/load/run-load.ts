/** Sends requests at a pace, and measures what becomes of them. */
import type { HttpConnection } from "./http-connection.ts";
import { createLoadLog, type LoadResult } from "./load-log.ts";
import { nextDue, type Pace } from "./pace.ts";
import type { PreparedRequest } from "./requests.ts";

/** What to do. */
export interface LoadPlan {
  readonly pace: Pace;
  /** Sent first and not counted. */
  readonly warmUpMs: number;
  readonly measureMs: number;
}

/** How long the last requests and triggers are waited for. */
const DRAIN_TIMEOUT_MS = 30_000;
const TICK_MS = 1;

/** What sends, and what is sent. */
export interface LoadInput {
  readonly connections: readonly HttpConnection[];
  readonly nextRequest: () => PreparedRequest;
  /** Whether `sawTrigger` will be called for each trigger. */
  readonly waitsForTriggers: boolean;
}

/** A load of one process. Not for two plans at once. */
export interface Load {
  /** A trigger of the request with this key is committed. */
  sawTrigger(key: string): void;
  run(plan: LoadPlan): Promise<LoadResult>;
}

/** Sends nothing yet. */
export function createLoad(input: LoadInput): Load {
  let onTrigger: (key: string) => void = () => undefined;
  return {
    sawTrigger: (key) => onTrigger(key),
    run: (plan) => runPlan(input, plan, (listener) => void (onTrigger = listener)),
  };
}

function runPlan(
  { connections, nextRequest, waitsForTriggers }: LoadInput,
  plan: LoadPlan,
  listen: (onTrigger: (key: string) => void) => void,
): Promise<LoadResult> {
  const free = [...connections];
  const startedAt = performance.now();
  const endAt = startedAt + plan.warmUpMs + plan.measureMs;
  const log = createLoadLog({ from: startedAt + plan.warmUpMs, to: endAt, waitsForTriggers });
  let [sent, broken] = [0, 0];

  function sendWhatIsDue(): void {
    const now = performance.now();
    if (now >= endAt) return;
    for (let connection = free.pop(); connection !== undefined; connection = free.pop()) {
      const dueAt = nextDue(plan.pace, { startedAt, now, sent, outstanding: log.outstanding });
      if (dueAt === null) {
        free.push(connection);
        return;
      }
      sent += 1;
      void send(connection, nextRequest(), dueAt);
    }
  }

  async function send(connection: HttpConnection, request: PreparedRequest, dueAt: number): Promise<void> {
    log.sent(request, dueAt);
    const status = await connection.post(request.head, request.body).catch(() => "error" as const);
    log.answered(request, dueAt, status);
    if (status === "error") broken += 1;
    else free.push(connection);
    sendWhatIsDue();
  }

  listen((key) => {
    log.sawTrigger(key);
    sendWhatIsDue();
  });
  const isDrained = (): boolean => free.length + broken === connections.length && log.outstanding === 0;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      sendWhatIsDue();
      const now = performance.now();
      if (now < endAt || (!isDrained() && now < endAt + DRAIN_TIMEOUT_MS)) return;
      clearInterval(timer);
      resolve(log.result());
    }, TICK_MS);
    sendWhatIsDue();
  });
}
