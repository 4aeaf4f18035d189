/** What an operator's machines ask a process: is it alive, may it get work, what has it counted. */
import { AppError } from "@sluice/domain/app-error";
import { Hono } from "hono";
import type { Metrics } from "./metrics.ts";
import { describeError } from "./redaction.ts";
import { withTimeout } from "./with-timeout.ts";

const CHECK_TIMEOUT_MS = 2_000;

/** Resolves when the thing can be used, throws with the reason when not. Should stop when `signal` is aborted. */
export type ReadinessCheck = (signal: AbortSignal) => Promise<unknown>;

/** What the routes tell about. */
export interface OperationsRoutesOptions {
  readonly metrics: Metrics;
  /** By the name that is shown when it is not ready: `{ postgres: () => ping(db) }`. */
  readonly checks: Readonly<Record<string, ReadinessCheck>>;
  /** Of the process: once it is aborted the process is not ready, so that balancers stop sending. */
  readonly signal?: AbortSignal;
  /** For each check. */
  readonly checkTimeoutMs?: number;
}

/**
 * `/healthz` (200 while the event loop turns), `/readyz` (200, or 503 with what is not ready and why, without
 * secrets) and `/metrics` (Prometheus text). They ask nobody who they are: keep them off the public side.
 */
export function createOperationsRoutes(options: OperationsRoutesOptions): Hono {
  const { metrics, signal, checkTimeoutMs = CHECK_TIMEOUT_MS } = options;
  const checks = Object.entries(options.checks);
  const routes = new Hono();
  routes.get("/healthz", (context) => context.json({ status: "ok" }));
  routes.get("/readyz", async (context) => {
    const outcomes = await Promise.all(checks.map(([name, check]) => runCheck(name, check, checkTimeoutMs)));
    const failures = outcomes.filter((outcome) => outcome !== null);
    if (signal?.aborted === true) failures.unshift({ name: "lifecycle", reason: "the process is stopping" });
    const headers = { "cache-control": "no-store" };
    if (failures.length === 0) return context.json({ status: "ready" }, 200, headers);
    return context.json({ status: "not_ready", failures }, 503, headers);
  });
  routes.get("/metrics", async (context) =>
    context.body(await metrics.render(), 200, { "content-type": metrics.contentType }),
  );
  return routes;
}

interface CheckFailure {
  readonly name: string;
  readonly reason: string;
}

/** null = ready. */
async function runCheck(
  name: string,
  check: ReadinessCheck,
  timeoutMs: number,
): Promise<CheckFailure | null> {
  const controller = new AbortController();
  try {
    // Called inside a promise: a check that throws at once fails alone.
    await withTimeout(Promise.resolve(controller.signal).then(check), timeoutMs);
    return null;
  } catch (error) {
    return { name, reason: describeError(error) };
  } finally {
    controller.abort(new AppError("check_ended", `the check ${name} has ended`));
  }
}
