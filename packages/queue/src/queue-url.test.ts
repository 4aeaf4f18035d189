import { AppError } from "@sluice/domain/app-error";
import { describe, expect, test } from "vitest";
import { parseQueueUrl } from "./queue-url.ts";

describe("a queue URL", () => {
  test.each([
    [
      "redis://cache.example",
      { topology: "single", tls: false, server: { host: "cache.example", port: 6379 }, database: 0 },
    ],
    [
      "rediss://ann:p%40ss%3A@cache.example:6380/3",
      {
        topology: "single",
        tls: true,
        server: { host: "cache.example", port: 6380 },
        database: 3,
        username: "ann",
        password: "p@ss:",
      },
    ],
    [
      "redis://:secret@[::1]:6379",
      {
        topology: "single",
        tls: false,
        server: { host: "::1", port: 6379 },
        database: 0,
        password: "secret",
      },
    ],
    [
      "redis+sentinel://:secret@one,two:26380/main/2?sentinel_password=other",
      {
        topology: "sentinel",
        tls: false,
        sentinels: [
          { host: "one", port: 26_379 },
          { host: "two", port: 26_380 },
        ],
        primary: "main",
        database: 2,
        password: "secret",
        sentinelLogin: { password: "other" },
      },
    ],
    [
      "rediss+sentinel://one/main",
      {
        topology: "sentinel",
        tls: true,
        sentinels: [{ host: "one", port: 26_379 }],
        primary: "main",
        database: 0,
        sentinelLogin: {},
      },
    ],
    [
      "rediss+cluster://one:7000,two:7001",
      {
        topology: "cluster",
        tls: true,
        nodes: [
          { host: "one", port: 7000 },
          { host: "two", port: 7001 },
        ],
      },
    ],
  ])("%s names its servers", (url, expected) => {
    expect(parseQueueUrl(url)).toEqual({ kind: "redis", ...expected });
  });

  test.each(["postgres://ann@db.example/sluice", "postgresql://db.example"])("%s is PostgreSQL", (url) => {
    expect(parseQueueUrl(url)).toEqual({ kind: "postgres", url });
  });

  test.each([
    ["", /does not begin with/],
    ["hunter2", /does not begin with/],
    ["amqp://hunter2@host", /does not begin with/],
    ["redis://", /not of the form/],
    ["redis://one,two", /must name one host/],
    ["redis://hunter2@one/first", /database is not a number/],
    ["redis://one:99999999", /host or host:port/],
    ["redis+sentinel://hunter2@one,two", /name of the primary is missing/],
    ["redis+cluster://one/4", /no database but 0/],
    ["redis://:hunter2%@one", /percent sign/],
    ["postgres://ann:hunter2@:port", /not a URL/],
  ])("%j is refused with the reason and without its secrets", (url, reason) => {
    const refuse = (): unknown => parseQueueUrl(url);
    expect(refuse).toThrow(AppError);
    expect(refuse).toThrow(reason);
    expect(refuse).not.toThrow(/hunter2/);
  });
});
