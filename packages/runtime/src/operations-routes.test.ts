import { describe, expect, it } from "vitest";
import { createMetrics } from "./metrics.ts";
import { createOperationsRoutes, type ReadinessCheck } from "./operations-routes.ts";

const metrics = createMetrics({ service: "test" });
const never: ReadinessCheck = () => new Promise(() => {});

describe("/healthz", () => {
  it("answers 200 although nothing is ready", async () => {
    const routes = createOperationsRoutes({ metrics, checks: { queue: never } });
    const response = await routes.request("/healthz");
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: "ok" });
  });
});

describe("/readyz", () => {
  it("answers 200 when every check succeeds", async () => {
    const routes = createOperationsRoutes({
      metrics,
      checks: { postgres: async () => 1, queue: async () => {} },
    });
    const response = await routes.request("/readyz");
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.json()).toEqual({ status: "ready" });
  });

  it("answers 503 with all that is not ready and why, without secrets", async () => {
    const checks: Record<string, ReadinessCheck> = {
      postgres: async () => 1,
      queue: async () => {
        throw new Error("redis://:hunter2@cache is away", { cause: new Error("connect ECONNREFUSED") });
      },
      thrower: () => {
        throw new Error("at once");
      },
      slow: never,
    };
    const response = await createOperationsRoutes({ metrics, checks, checkTimeoutMs: 5 }).request("/readyz");
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      status: "not_ready",
      failures: [
        { name: "queue", reason: "redis://[redacted]@cache is away: connect ECONNREFUSED" },
        { name: "thrower", reason: "at once" },
        { name: "slow", reason: "no answer within 5 ms" },
      ],
    });
  });

  it("runs the checks at the same time", async () => {
    const gate = aGate();
    // The first can only end after the second has run.
    const checks = { first: () => gate.promise, second: async () => gate.resolve() };
    const response = await createOperationsRoutes({ metrics, checks }).request("/readyz");
    expect(response.status).toBe(200);
  });

  it("tells a check that took too long to stop", async () => {
    let wasStopped = false;
    const check: ReadinessCheck = (signal) =>
      new Promise(() => signal.addEventListener("abort", () => (wasStopped = true)));
    await createOperationsRoutes({ metrics, checks: { check }, checkTimeoutMs: 1 }).request("/readyz");
    expect(wasStopped).toBe(true);
  });

  it("is not ready while the process stops", async () => {
    const signal = AbortSignal.abort();
    const response = await createOperationsRoutes({ metrics, checks: {}, signal }).request("/readyz");
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ failures: [{ name: "lifecycle" }] });
  });
});

describe("/metrics", () => {
  it("answers with the registry's text", async () => {
    const response = await createOperationsRoutes({ metrics, checks: {} }).request("/metrics");
    expect(response.headers.get("content-type")).toBe(metrics.contentType);
    expect(await response.text()).toContain("nodejs_eventloop_lag_seconds");
  });
});

function aGate() {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
