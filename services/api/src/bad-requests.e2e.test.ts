import { createTestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { createTestApi, migrateForApi, NOBODY, TEST_KEY, type TestApi } from "./test-api.ts";

let api: TestApi;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
});

afterAll(() => api.close());

describe("bad input", () => {
  const token = NOBODY;
  test.each<[string, string, unknown, string]>([
    ["a limit of 0", "claim", { holder: "s", limit: 0 }, "limit"],
    ["a limit of -1", "claim", { holder: "s", limit: -1 }, "limit"],
    ["a limit of a million", "claim", { holder: "s", limit: 1_000_000 }, "limit"],
    ["half a limit", "claim", { holder: "s", limit: 1.5 }, "limit"],
    ["a limit in words", "claim", { holder: "s", limit: "1" }, "limit"],
    ["no holder", "claim", {}, "holder"],
    ["an empty holder", "claim", { holder: "" }, "holder"],
    ["a holder with a NUL", "claim", { holder: "a\0b" }, "holder"],
    ["half a surrogate pair", "claim", { holder: "\ud800" }, "holder"],
    ["half a surrogate pair in a label", "claim", { holder: "s", labels: ["eu", "\ud800"] }, "labels.1"],
    ["a NUL in a space", "claim", { holder: "s", spaces: ["\0"] }, "spaces.0"],
    [
      "half a surrogate pair in a run's id",
      `${NOBODY}/start`,
      { lease_token: token, run_id: "\udc00" },
      "run_id",
    ],
    [
      "half a surrogate pair in a run's address",
      `${NOBODY}/start`,
      { lease_token: token, run_url: "https://runs.example/\ud800" },
      "run_url",
    ],
    [
      "a NUL in a run's address",
      `${NOBODY}/start`,
      { lease_token: token, run_url: "https://runs.example/\0" },
      "run_url",
    ],
    [
      "half a surrogate pair in a message",
      `${NOBODY}/finish`,
      { lease_token: token, result: "failed", message: "a\ud800b" },
      "message",
    ],
    ["a NUL in an operator's name", `${NOBODY}/cancel`, { by: "a\0b" }, "by"],
    [
      "half a surrogate pair in a reason",
      `${NOBODY}/end`,
      { by: "a", result: "failed", message: "\ud800" },
      "message",
    ],
    ["a lease of a moment", "claim", { holder: "s", lease_ms: 1 }, "lease_ms"],
    ["a lease of a day", "claim", { holder: "s", lease_ms: 86_400_000 }, "lease_ms"],
    ["an unknown field", "claim", { holder: "s", max: 3 }, "max"],
    ["an unknown kind", "claim", { holder: "s", kinds: ["stack", "fleet"] }, "kinds.1"],
    ["labels that are no list", "claim", { holder: "s", labels: "eu" }, "labels"],
    ["a list for a body", "claim", [], ""],
    ["null for a body", "claim", null, ""],
    ["no token", `${NOBODY}/start`, {}, "lease_token"],
    ["a token that is no uuid", `${NOBODY}/heartbeat`, { lease_token: "1" }, "lease_token"],
    ["a wait without a token", `${NOBODY}/wait`, {}, "lease_token"],
    ["a wait with a lease", `${NOBODY}/wait`, { lease_token: token, lease_ms: 60_000 }, "lease_ms"],
    ["a cancellation by nobody", `${NOBODY}/cancel`, {}, "by"],
    ["an end by nobody", `${NOBODY}/end`, { result: "failed" }, "by"],
    ["an end that is none", `${NOBODY}/end`, { by: "ada", result: "lost" }, "result"],
    ["a force in words", `${NOBODY}/end`, { by: "ada", result: "failed", force: "yes" }, "force"],
    ["no result", `${NOBODY}/finish`, { lease_token: token }, "result"],
    ["another result", `${NOBODY}/finish`, { lease_token: token, result: "lost" }, "result"],
    [
      "a run's address that is a script",
      `${NOBODY}/start`,
      { lease_token: token, run_url: "javascript:alert(1)" },
      "run_url",
    ],
  ])("%s is a 400 that names the field", async (_, path, body, field) => {
    const answer = await api.call("POST", `/v1/triggers/${path}`, body);
    expect(answer.status).toBe(400);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.body).toMatchObject({
      type: "urn:sluice:problem:invalid_request",
      status: 400,
      errors: [{ field }],
    });
  });

  test("every field that is wrong is told at once", async () => {
    const { body } = await api.call("POST", "/v1/triggers/claim", { limit: 0, lease_ms: "x", more: 1 });
    const { errors } = body as { errors: { field: string }[] };
    expect(errors.map(({ field }) => field).toSorted()).toEqual(["holder", "lease_ms", "limit", "more"]);
  });

  test.each(["", "{", "holder=s", "\u0000"])("a body that is not JSON (%j) is a 400", async (body) => {
    expect(await api.call("POST", "/v1/triggers/claim", body)).toMatchObject({
      status: 400,
      body: { type: "urn:sluice:problem:invalid_request" },
    });
  });

  test("a body of another type is a 415", async () => {
    const headers = { "content-type": "text/plain" };
    expect(await api.call("POST", "/v1/triggers/claim", { holder: "s" }, headers)).toMatchObject({
      status: 415,
      body: { type: "urn:sluice:problem:unsupported_media_type" },
    });
  });

  test("a body of more than 64 KiB is a 413, and the connection is still of use", async () => {
    const body = { holder: "s".repeat(70_000) };
    expect(await api.call("POST", "/v1/triggers/claim", body)).toMatchObject({
      status: 413,
      body: { type: "urn:sluice:problem:body_too_large" },
    });
    expect((await api.call("POST", "/v1/triggers/claim", { holder: "s" })).status).toBe(200);
  });

  test.each([
    ["GET", "/v1/triggers/1"],
    ["GET", `/v1/triggers/${NOBODY}`],
    ["GET", "/v1/triggers/claim"],
    ["GET", "/v1/deliveries/x"],
    ["GET", `/v1/deliveries/${NOBODY}`],
    ["GET", "/v1/decisions/x"],
    ["GET", `/v1/decisions/${NOBODY}`],
    ["GET", "/v1"],
    ["GET", "/"],
    ["POST", `/v1/triggers/${NOBODY}/explode`],
  ])("%s %s is a 404", async (method, path) => {
    expect(await api.call(method, path)).toMatchObject({
      status: 404,
      body: { type: "urn:sluice:problem:not_found" },
    });
  });

  test.each([
    ["an id that names nothing", NOBODY],
    ["an id that is none", "1"],
  ])("a report about %s is a 404", async (_, id) => {
    for (const [report, body] of [
      ["start", { lease_token: NOBODY }],
      ["wait", { lease_token: NOBODY }],
      ["heartbeat", { lease_token: NOBODY }],
      ["finish", { lease_token: NOBODY, result: "failed" }],
      ["cancel", { by: "ada" }],
      ["end", { by: "ada", result: "failed" }],
    ] as const) {
      expect((await api.call("POST", `/v1/triggers/${id}/${report}`, body)).status).toBe(404);
    }
  });
});

describe("authentication", () => {
  test.each([
    ["none", ""],
    ["a wrong key", "Bearer another-key-0123456789012345"],
    ["a part of the key", `Bearer ${TEST_KEY.slice(0, -1)}`],
    ["the key and more", `Bearer ${TEST_KEY}x`],
    ["the key of a browser", `Basic ${btoa(`me:${TEST_KEY}`)}`],
    ["no scheme", TEST_KEY],
  ])("%s is a 401, whatever is asked for", async (_, authorization) => {
    for (const [method, path] of [
      ["POST", "/v1/triggers/claim"],
      ["GET", `/v1/triggers/${NOBODY}`],
      ["GET", "/v1/nothing"],
    ] as const) {
      const answer = await api.call(method, path, undefined, { authorization });
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toBe('Bearer realm="sluice"');
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    }
  });

  test("health and metrics ask nobody who they are", async () => {
    for (const path of ["/healthz", "/readyz", "/metrics"]) {
      expect(await api.call("GET", path, undefined, { authorization: "" })).toMatchObject({ status: 200 });
    }
  });
});
