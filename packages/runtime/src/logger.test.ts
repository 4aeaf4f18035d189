import { AppError } from "@sluice/domain/app-error";
import { describe, expect, it } from "vitest";
import { createLogger, type LogFormat, type LogLevel } from "./logger.ts";

const SECRET = "s3cr3t-value-that-must-not-appear";

function aLogger({ level = "trace", format = "auto" }: { level?: LogLevel; format?: LogFormat } = {}) {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const logger = createLogger({ service: "test", level, format, destination });
  return {
    logger,
    text: () => lines.join(""),
    objects: (): unknown[] => lines.map((line): unknown => JSON.parse(line)),
  };
}

describe("createLogger", () => {
  it("writes one JSON object a line with service, level by name, ISO time, facts and event", () => {
    const { logger, objects } = aLogger();
    logger.child({ deliveryId: "d1" }).child({ jobId: "j1" }).warn({ durationMs: 12 }, "delivery.processed");
    expect(objects()).toEqual([
      {
        level: "warn",
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        service: "test",
        pid: process.pid,
        hostname: expect.any(String),
        deliveryId: "d1",
        jobId: "j1",
        durationMs: 12,
        msg: "delivery.processed",
      },
    ]);
  });

  it("writes nothing below its level, and says so", () => {
    const { logger, text } = aLogger({ level: "warn" });
    logger.child({ a: 1 }).info("not.written");
    expect(text()).toBe("");
    expect(logger.isLevelEnabled("info")).toBe(false);
    expect(logger.isLevelEnabled("error")).toBe(true);
  });

  it("writes readable lines when asked to, with the same secrets left out", () => {
    const { logger, text } = aLogger({ format: "pretty" });
    logger.info({ url: `redis://:${SECRET}@cache`, token: SECRET, count: 3 }, "queue.connected");
    expect(text()).toMatch(/INFO.*queue\.connected/);
    expect(text()).toContain("count: 3");
    expect(text()).toContain("redis://[redacted]@cache");
    expect(text()).not.toContain(SECRET);
  });

  it("keeps the code and the causes of an error", () => {
    const { logger, objects } = aLogger();
    const cause = new Error("connect ECONNREFUSED");
    logger.error({ err: new AppError("database_unavailable", "away", { cause }) }, "record.failed");
    expect(objects()).toMatchObject([
      { err: { code: "database_unavailable", message: "away", cause: { message: "connect ECONNREFUSED" } } },
    ]);
  });

  it("takes an error alone, as other libraries log it, under err with its message", () => {
    const { logger, objects } = aLogger();
    Reflect.apply(logger.error, logger, [new AppError("queue_away", "the queue is away")]);
    expect(objects()).toMatchObject([{ err: { code: "queue_away" }, msg: "the queue is away" }]);
  });

  it("survives values that JSON cannot hold", () => {
    const { logger, objects } = aLogger();
    const circle: Record<string, unknown> = { big: 1n };
    circle["self"] = circle;
    logger.info(circle, "odd");
    expect(objects()).toMatchObject([{ msg: "odd" }]);
  });
});

describe("secrets never come out", () => {
  const named = {
    authorization: SECRET,
    "x-hub-signature": SECRET,
    cookie: SECRET,
    secret: SECRET,
    secrets: [SECRET],
    token: SECRET,
    password: SECRET,
    credential: { email: "a@example.com", value: SECRET },
    encryptionKeys: SECRET,
    body: SECRET,
    databaseUrl: SECRET,
  };
  const inUrls = {
    note: `postgres://u:${SECRET}@db/x`,
    list: [`redis://:${SECRET}@cache`, `https://u:${SECRET}@bitbucket.org`],
  };
  const nested = {
    ...named,
    ...inUrls,
    one: { ...named, ...inUrls, two: { ...named, three: { ...named } } },
  };
  const error = new Error(`cannot reach postgres://u:${SECRET}@db/x`, {
    cause: new AppError("queue_away", `redis://:${SECRET}@cache is away`, {
      cause: Object.assign(new Error(`Bearer ${SECRET}`), { config: named, headers: named }),
    }),
  });
  const aggregate = new AggregateError(
    [error, new Error(`https://u:${SECRET}@host`)],
    `redis://:${SECRET}@a`,
  );

  it.each<[string, (log: ReturnType<typeof aLogger>["logger"]) => void]>([
    ["through fields", (log) => log.info(nested, "event")],
    ["through child bindings", (log) => log.child(nested).info("event")],
    ["through bindings of grandchildren", (log) => log.child({ a: 1 }).child({ deep: nested }).info("event")],
    ["through a text", (log) => log.info(`postgres://u:${SECRET}@db/x`)],
    ["through the event beside fields", (log) => log.info({ a: 1 }, `postgres://u:${SECRET}@db/x`)],
    ["through err and its causes", (log) => log.error({ err: error }, "event")],
    ["through an error under another name", (log) => log.error({ reason: { error } }, "event")],
    ["through an error in a binding", (log) => log.child({ err: error }).error("event")],
    ["through err without an event", (log) => Reflect.apply(log.error, log, [{ err: error }])],
    ["through an error alone", (log) => Reflect.apply(log.error, log, [error])],
    ["through the errors of an AggregateError", (log) => log.error({ err: aggregate }, "event")],
    [
      "through format arguments",
      (log) => Reflect.apply(log.info, log, ["%s %o", `a://b:${SECRET}@c`, named]),
    ],
    ["through err that is no error", (log) => log.error({ err: `a://b:${SECRET}@c` }, "event")],
  ])("%s", (_, write) => {
    const { logger, text, objects } = aLogger();
    write(logger);
    expect(objects()).toHaveLength(1);
    expect(text()).not.toContain(SECRET);
  });
});
