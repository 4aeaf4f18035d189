import { createLogger } from "@sluice/runtime/logger";
import { Hono } from "hono";
import { expect, test, vi } from "vitest";

import { answerError } from "./problem.ts";
import { answerInTime } from "./request-deadline.ts";

/** Requests that are answered when the test says so. */
function createApp(maxAbandoned: number) {
  const waiting: ((outcome: Promise<string>) => void)[] = [];
  const app = new Hono();
  const logger = createLogger({ service: "api", level: "silent", format: "json" });
  app.onError((error, c) => answerError(error, c, logger));
  app.use(answerInTime({ deadlineMs: 20, maxAbandoned }));
  app.get("/slow", async (c) => c.text(await new Promise<string>((resolve) => waiting.push(resolve))));
  app.get("/quick", (c) => c.text("here"));
  app.post("/echo", async (c) => c.text(await c.req.text()));
  return { app, waiting };
}

test("a request that is not answered in time is told to come back, and what becomes of it later changes nothing", async () => {
  const { app, waiting } = createApp(9);
  const [late, failed] = await Promise.all([app.request("/slow"), app.request("/slow")]);
  waiting[0]!(Promise.resolve("too late"));
  waiting[1]!(Promise.reject(new Error("cut off")));
  for (const answer of [late, failed]) {
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("2");
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(await answer.json()).toMatchObject({ type: "urn:sluice:problem:unavailable", status: 503 });
  }
});

test("while as many as are allowed were given up and go on, nothing more is begun", async () => {
  const { app, waiting } = createApp(2);
  await Promise.all([app.request("/slow"), app.request("/slow")]);
  expect((await app.request("/slow")).status).toBe(503);
  expect(waiting).toHaveLength(2);
  waiting[0]!(Promise.reject(new Error("cut off")));
  await vi.waitFor(async () => expect((await app.request("/quick")).status).toBe(200), {
    timeout: 5_000,
  });
});

test("what is answered in time leaves nothing behind", async () => {
  const { app } = createApp(1);
  for (let request = 0; request < 3; request += 1) {
    const answer = await app.request("/quick");
    expect([answer.status, await answer.text()]).toEqual([200, "here"]);
  }
});

test("the time that a sender takes for the body does not count", async () => {
  const { app } = createApp(1);
  const body = new ReadableStream({
    async start(controller) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      controller.enqueue(new TextEncoder().encode("at last"));
      controller.close();
    },
  });
  const answer = await app.request(new Request("http://api/echo", { method: "POST", body, duplex: "half" }));
  expect([answer.status, await answer.text()]).toEqual([200, "at last"]);
});
