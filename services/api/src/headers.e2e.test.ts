import { createTestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import {
  AS_BROWSER,
  createTestApi,
  migrateForApi,
  NOBODY,
  startTestApi,
  type TestApi,
  call,
} from "./test-api.ts";

let api: TestApi;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
});

afterAll(() => api.close());

const WITHOUT_KEY = { authorization: "" };
const EVERYWHERE = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "strict-transport-security": "max-age=31536000",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
};

interface Kind {
  readonly status: number;
  readonly path: string;
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

const NOT_PAGES: readonly Kind[] = [
  { status: 200, path: "/v1/spaces" },
  { status: 201, path: "/v1/spaces", method: "POST", body: { name: "headers", parent: "root" } },
  { status: 400, path: "/v1/spaces", method: "POST", body: "{" },
  { status: 401, path: "/v1/spaces", headers: WITHOUT_KEY },
  { status: 404, path: `/v1/triggers/${NOBODY}` },
  { status: 404, path: "/v1/nothing" },
  { status: 404, path: "/nothing" },
  { status: 413, path: "/v1/spaces", method: "POST", body: "x".repeat(70_000) },
  { status: 415, path: "/v1/spaces", method: "POST", body: "a=b", headers: { "content-type": "text/plain" } },
  { status: 200, path: "/openapi.json", headers: WITHOUT_KEY },
  { status: 200, path: "/healthz", headers: WITHOUT_KEY },
  { status: 200, path: "/readyz", headers: WITHOUT_KEY },
  { status: 200, path: "/metrics", headers: WITHOUT_KEY },
];

const PAGES: readonly Kind[] = [
  { status: 200, path: "/reference" },
  { status: 200, path: "/reference/start.js" },
  { status: 200, path: "/queues", headers: AS_BROWSER },
  { status: 200, path: "/queues/api/queues", headers: AS_BROWSER },
  { status: 401, path: "/queues", headers: WITHOUT_KEY },
  { status: 403, path: "/queues/api/queues/deliveries/pause", method: "PUT", headers: AS_BROWSER },
];

const ask = ({ method = "GET", path, body, headers }: Kind) => api.call(method, path, body, headers);

describe.each(NOT_PAGES)("$status of $path", (kind) => {
  test("is framed by nobody, taken for nothing else, kept by nobody, and loads nothing", async () => {
    const { status, headers } = await ask(kind);
    expect(status).toBe(kind.status);
    expect(Object.fromEntries(headers)).toMatchObject({
      ...EVERYWHERE,
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    });
    expect(headers.get("x-powered-by")).toBeNull();
    expect(headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe.each(PAGES)("$status of the page $path", (kind) => {
  test("is framed by nobody, kept by nobody, and loads and sends only what is of this place", async () => {
    const { status, headers } = await ask(kind);
    expect(status).toBe(kind.status);
    expect(Object.fromEntries(headers)).toMatchObject({ ...EVERYWHERE, "cache-control": "no-store" });
    const policy = (headers.get("content-security-policy") ?? "").split("; ");
    expect(policy).toEqual(
      expect.arrayContaining([
        "default-src 'self'",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'self'",
      ]),
    );
    // No script but files of our own: neither one in the page nor one that is made at run time.
    expect(policy.filter((rule) => /^(?:script|default)-src/.test(rule))).toEqual(["default-src 'self'"]);
  });
});

test("only what tells of no installation may be kept: the files of the reference", async () => {
  const { status, headers } = await api.call("GET", "/reference/swagger-ui.css");
  expect({ status, kept: headers.get("cache-control") }).toEqual({ status: 200, kept: "max-age=3600" });
});

test("the answers of an outage carry them too", async () => {
  // Nothing listens there.
  const away = await startTestApi({
    databaseUrl: "postgres://a@127.0.0.1:1/a",
    queueUrl: "redis://127.0.0.1:1",
  });
  try {
    const key = { authorization: "Bearer slc_unknown_key_0123456789" };
    for (const path of ["/v1/spaces", "/readyz"]) {
      const { status, headers } = await call(`${away.url}${path}`, { headers: key });
      expect(status).toBe(503);
      expect(Object.fromEntries(headers)).toMatchObject({ ...EVERYWHERE, "cache-control": "no-store" });
    }
  } finally {
    await away.close(1_000);
  }
});
