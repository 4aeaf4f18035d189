import { randomBytes } from "node:crypto";

import { createTestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";

import { createTestApi, migrateForApi, NOBODY, type TestApi } from "./test-api.ts";
import { fillPath, FRESH_NAME, listOperations, SAMPLE_BODIES } from "./test-operations.ts";
import { addIntegration, aTarget } from "./test-targets.ts";

let api: TestApi;
/** Things that are there, by the word that their paths have. */
let ids: Readonly<Record<string, string>>;

const idSchema = z.object({ id: z.string() });

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
  const make = async (path: string, body: object) =>
    idSchema.parse((await api.call("POST", path, body)).body).id;
  ids = {
    integrations: await addIntegration(api, "account", null),
    spaces: await make("/v1/spaces", { name: "there" }),
    stacks: await make("/v1/stacks", aTarget("there")),
    modules: await make("/v1/modules", aTarget("there")),
  };
});

afterAll(() => api.close());

async function operations() {
  const all = await listOperations(api);
  return all.map((each) => ({ ...each, path: fillPath(each.path, ids) }));
}

/** What was sent that our side is to blame for. */
async function failures(
  requests: readonly { readonly name: string; readonly send: () => ReturnType<TestApi["call"]> }[],
): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, send } of requests) {
    const { status } = await send();
    if (status >= 500 && status !== 502) failed.push(`${name}: ${String(status)}`);
  }
  return failed;
}

const HOSTILE_TEXTS = [
  "a\0b",
  "\ud800",
  "\udc00x",
  "\u202e",
  "\uffff",
  "x".repeat(5_000),
  // Of which no index could hold a row.
  `acme/${randomBytes(6_000).toString("base64url")}`,
  String.fromCodePoint(
    ...Array.from(randomBytes(1_000), (byte, n) => 0x4e_00 + ((byte * 79 + n * 131) % 20_000)),
  ),
  "../../..",
  "'; --",
  "0000-01-01T00:00:00Z",
  `2030-01-01T00:00:00.${"1".repeat(300)}Z`,
  "9999-12-31T23:59:59.9999999Z",
];
const HOSTILE_NUMBERS = [-1, 0.5, 2 ** 31, 2 ** 53, 1e308];

describe("nothing that is sent makes the API fail", () => {
  test("as a text or a number of a body", async () => {
    const all = await operations();
    const taking = all.filter(({ method }) => method === "POST" || method === "PUT");
    expect(taking.map(({ name }) => name).toSorted()).toEqual(Object.keys(SAMPLE_BODIES).toSorted());
    const requests = taking.flatMap(({ name, method, path }) =>
      variants(SAMPLE_BODIES[name])
        .map((variant, index) => renew(variant, index))
        .map((body) => ({
          name: `${name} ${JSON.stringify(body).slice(0, 200)}`,
          send: () => api.call(method, path, body, { "if-match": "*" }),
        })),
    );
    expect(await failures(requests)).toEqual([]);
  }, 120_000);

  test("as a body of another shape", async () => {
    const shapes = [
      "null",
      "1e400",
      '"text"',
      "[[[]]]",
      `${"[".repeat(30_000)}${"]".repeat(30_000)}`,
      `{"a":`.repeat(8_000) + "1" + "}".repeat(8_000),
      '{"__proto__":{"name":"n"}}',
      '{"constructor":{"prototype":{}}}',
      '{"name":"one","name":"two"}',
    ];
    const requests = Object.keys(SAMPLE_BODIES).length * shapes.length;
    const all = (await operations()).filter(({ name }) => name in SAMPLE_BODIES);
    const sent = all.flatMap(({ name, method, path }) =>
      shapes.map((shape) => ({
        name: `${name} ${shape.slice(0, 40)}`,
        send: () => api.call(method, path, shape, { "if-match": "*" }),
      })),
    );
    expect(sent).toHaveLength(requests);
    expect(await failures(sent)).toEqual([]);
  });

  test("as a parameter of a query, or a cursor that was made by hand", async () => {
    const texts = [
      "%00",
      "%ff",
      "%ed%a0%80",
      "",
      "x".repeat(1_500),
      "-1",
      "1e400",
      "0000-01-01T00:00:00Z",
      `2030-01-01T00:00:00.${"1".repeat(300)}Z`,
    ];
    const positions = [
      { id: "\0" },
      { id: NOBODY, name: "\0", path: ["\0"], fullName: "\0", repositoryId: NOBODY, number: 1e300 },
      { id: NOBODY, name: "\ud800", path: [], repositoryId: NOBODY, number: 1 },
      { id: NOBODY, name: 1 },
      [],
      null,
    ];
    const cursors = positions.map((each) => Buffer.from(JSON.stringify(each)).toString("base64url"));
    const requests = (await operations()).flatMap(({ method, path, queries }) =>
      queries.flatMap((query) =>
        [...texts, ...(query === "cursor" ? cursors : [])].map((text) => {
          const target = `${path}?${query}=${text}`;
          return { name: `${method} ${target.slice(0, 150)}`, send: () => api.call(method, target) };
        }),
      ),
    );
    expect(requests.length).toBeGreaterThan(300);
    expect(await failures(requests)).toEqual([]);
  });

  test("as a header or a path", async () => {
    const noise = randomBytes(4_000).toString("base64url");
    const all = await operations();
    const withHeaders = all.flatMap(({ name, method, path }) =>
      [
        { "idempotency-key": noise, "if-match": noise },
        { "idempotency-key": "é", "if-match": ',, W/"", *' },
      ].map((headers) => ({
        name: `${name} ${JSON.stringify(headers).slice(0, 60)}`,
        send: () => api.call(method, path, SAMPLE_BODIES[name], headers),
      })),
    );
    const paths = ["%00", "%ff", "%2e%2e", "a%2fb", "x".repeat(3_000), `${NOBODY}%00`].flatMap((part) =>
      all
        .filter(({ path }) => path.includes(NOBODY))
        .map(({ name, method, path }) => ({
          name: `${name} ${part.slice(0, 20)}`,
          send: () => api.call(method, path.replaceAll(NOBODY, part), SAMPLE_BODIES[name]),
        })),
    );
    expect(await failures([...withHeaders, ...paths])).toEqual([]);
  });
});

test.each(["labels", "project_globs", "allowed_fork_workspaces", "deployers"])(
  "a stack with thousands of %s is refused, which every event would be compared with",
  async (field) => {
    const values = Array.from({ length: 2_000 }, () => NOBODY);
    const items = [aTarget("many", { [field]: values })];
    expect(await api.call("POST", "/v1/stacks/bulk", { items })).toMatchObject({
      status: 400,
      body: { errors: [{ field: `items.0.${field}` }] },
    });
  },
);

describe("a path", () => {
  test("is asked for its head as for the whole, by those who may have it", async () => {
    for (const { method, path } of await operations()) {
      if (method !== "GET") continue;
      const whole = await api.call("GET", path);
      expect(await api.call("HEAD", path)).toMatchObject({ status: whole.status, body: "" });
      expect(await api.call("HEAD", path, undefined, { authorization: "" })).toMatchObject({ status: 401 });
    }
  });

  test.each(["/v1/stacks", "/%761/stacks", "/v1/%73tacks", "/v1/stacks/bul%6b", "/v1/stacks/"])(
    "%s opens nothing without a key, however it is asked for",
    async (path) => {
      for (const method of ["GET", "HEAD", "OPTIONS", "POST", "PATCH", "QUERY"]) {
        const { status, headers } = await api.call(method, path, undefined, { authorization: "" });
        expect([method, status]).toEqual([method, 401]);
        expect(headers.get("access-control-allow-origin")).toBeNull();
      }
    },
  );

  test.each(["/v1/stacks/", "//v1/stacks", "/v1//stacks", "/V1/stacks", "/v1/stacks/bulk/", "/v1%2fstacks"])(
    "%s is none",
    async (path) => {
      for (const method of ["GET", "POST"])
        expect(await api.call(method, path)).toMatchObject({ status: 404 });
    },
  );

  test("takes large bodies where thousands of things are sent, and nowhere else", async () => {
    const body = `{"items":[],"x":"${"x".repeat(70_000)}"}`;
    for (const { name, method, path } of await operations()) {
      if (method !== "POST" && method !== "PUT") continue;
      const isBulk = name.endsWith("/bulk");
      expect({ name, answer: await api.call(method, path, body) }).toMatchObject({
        name,
        answer: { status: isBulk ? 400 : 413 },
      });
    }
    expect(await api.call("POST", "/v1/stacks/bulk/", body)).toMatchObject({ status: 413 });
  });
});

/** A body whose name nothing has yet, so that it is not refused for that. */
function renew(body: unknown, index: number): unknown {
  return JSON.parse(
    JSON.stringify(body).replace(`"name":"${FRESH_NAME}"`, `"name":"fresh ${String(index)}"`),
  );
}

/** The value with one text or number in it replaced, in every way. */
function variants(value: unknown): unknown[] {
  if (typeof value === "string") return HOSTILE_TEXTS;
  if (typeof value === "number") return HOSTILE_NUMBERS;
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => variants(item).map((other) => value.with(index, other)));
  }
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    variants(item).map((other) => ({ ...value, [key]: other })),
  );
}
