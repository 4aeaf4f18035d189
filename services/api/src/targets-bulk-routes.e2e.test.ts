import { createTestDatabase } from "@sluice/embedded/test-database";
import { lockSeenRepositories } from "@sluice/store/repositories";
import { withTransaction } from "@sluice/store/transaction";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";

import { addSpace, makeKey } from "./test-access.ts";
import { createTestApi, migrateForApi, type TestApi } from "./test-api.ts";
import { addIntegration, aTarget, bearer, namesOf, TARGET_PATHS } from "./test-targets.ts";

let api: TestApi;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
  await addIntegration(api, "acme", null);
});

afterAll(() => api.close());

const resultSchema = z.object({
  counts: z.record(z.string(), z.number()),
  items: z.array(z.object({ space: z.string(), name: z.string(), id: z.guid(), result: z.string() })),
  removed: z.array(z.object({ name: z.string() })),
});

async function sync(body: object, headers?: Record<string, string>, path = "/v1/stacks/bulk") {
  const answer = await api.call("POST", path, body, headers);
  expect(answer).toMatchObject({ status: 200 });
  return resultSchema.parse(answer.body);
}

const count = async (kind: string) => {
  const [row] = await api.store.sql<{ count: number }[]>`
    SELECT count(*)::int FROM sluice.targets WHERE kind = ${kind} AND removed_at IS NULL`;
  return row?.count;
};

describe("thousands of stacks in one request", () => {
  const many = (space: string, more: (index: number) => object = () => ({})) =>
    Array.from({ length: 10_000 }, (_, index) =>
      aTarget(`stack-${String(index)}`, {
        space,
        repository: `acme/repository-${String(index % 100)}`,
        project_root: `services/${String(index)}`,
        project_globs: ["modules/**"],
        labels: ["synced"],
        ...more(index),
      }),
    );

  test("are made, are unchanged when they are sent again, and change one by one", async () => {
    await addSpace(api, "many");
    const made = await sync({ items: many("many") });
    expect(made.counts).toEqual({ created: 10_000, updated: 0, unchanged: 0, removed: 0 });
    expect(made.items[4711]).toMatchObject({ space: "many", name: "stack-4711", result: "created" });
    expect(await count("stack")).toBe(10_000);
    const again = await sync({ items: many("many") });
    expect(again.counts).toEqual({ created: 0, updated: 0, unchanged: 10_000, removed: 0 });
    expect(again.items.map(({ id }) => id)).toEqual(made.items.map(({ id }) => id));
    const changed = await sync({ items: many("many", (index) => (index === 7 ? { labels: [] } : {})) });
    expect(changed.counts).toEqual({ created: 0, updated: 1, unchanged: 9_999, removed: 0 });
    expect(changed.items[7]?.result).toBe("updated");
  });

  test("with one of them wrong are none, and the wrong one is named", async () => {
    await addSpace(api, "one wrong");
    const before = await count("stack");
    const items = many("one wrong", (index) => (index === 4711 ? { project_root: "../elsewhere" } : {}));
    expect(await api.call("POST", "/v1/stacks/bulk", { items })).toMatchObject({
      status: 400,
      body: {
        type: "urn:sluice:problem:invalid_request",
        errors: [{ field: "items.4711.project_root", message: expect.stringContaining("is not a folder") }],
      },
    });
    expect(await count("stack")).toBe(before);
  });

  test("with nothing but mistakes name the first hundred, and say how many there are", async () => {
    const items = many("many", () => ({ repository: "infrastructure", tracked_branch: "" }));
    const { status, body } = await api.call("POST", "/v1/stacks/bulk", { items });
    expect(status).toBe(400);
    const { errors, detail } = z.object({ errors: z.array(z.unknown()), detail: z.string() }).parse(body);
    expect(errors).toHaveLength(100);
    expect(detail).toMatch(/; and 19990 more$/);
  });

  test("and one more are too many", async () => {
    const items = [...many("many"), aTarget("one more", { space: "many" })];
    expect(await api.call("POST", "/v1/stacks/bulk", { items })).toMatchObject({
      status: 400,
      body: { errors: [{ field: "items" }] },
    });
  });
});

describe.each(TARGET_PATHS)("several of a $kind in one request", ({ kind, path }) => {
  const bulk = `${path}/bulk`;

  test("tell every reference that leads nowhere, and every one that is named twice", async () => {
    await addSpace(api, `refused ${kind}s`);
    await addSpace(api, `apart ${kind}s`);
    await addIntegration(api, `apart ${kind}`, `apart ${kind}s`);
    const space = `refused ${kind}s`;
    const items = [
      aTarget("fine", { space }),
      aTarget("nowhere", { space: "nowhere" }),
      aTarget("unusable", { space, integration: `apart ${kind}` }),
      aTarget("fine", { space }),
    ];
    expect(await api.call("POST", bulk, { items, remove_missing_in: "nowhere" })).toMatchObject({
      status: 400,
      body: {
        errors: [
          { field: "items.1.space", message: "is not there, or out of your reach" },
          { field: "items.2.integration", message: expect.stringContaining("cannot be used in the space") },
          { field: "items.3.name", message: `is the same ${kind} as items.0` },
          { field: "remove_missing_in" },
        ],
      },
    });
    expect((await api.call("GET", `${path}?space=${space}`)).body).toMatchObject({ items: [] });
  });

  test("remove those of one space that are not named, when that is asked for, and no others", async () => {
    const space = `synced ${kind}s`;
    await addSpace(api, space);
    await addSpace(api, `${space} below`, { parent: space });
    const [one, two, below] = [
      aTarget("one", { space }),
      aTarget("two", { space }),
      aTarget("one", { space: `${space} below` }),
    ];
    await sync({ items: [one, two, below] }, undefined, bulk);
    const other = kind === "stack" ? "/v1/modules/bulk" : "/v1/stacks/bulk";
    await sync({ items: [two] }, undefined, other);
    expect((await sync({ items: [one] }, undefined, bulk)).counts).toMatchObject({
      unchanged: 1,
      removed: 0,
    });
    const pruned = await sync({ items: [one], remove_missing_in: space }, undefined, bulk);
    expect(pruned).toMatchObject({ counts: { unchanged: 1, removed: 1 }, removed: [{ name: "two" }] });
    const names = async (of: string) => namesOf((await api.call("GET", of)).body);
    expect(await names(`${path}?space=${space}`)).toEqual(["one"]);
    expect(await names(`${path}?space=${space} below`)).toHaveLength(1);
    expect(await names(`${other.replace("/bulk", "")}?space=${space}`)).toHaveLength(1);
    const [back] = (await sync({ items: [two] }, undefined, bulk)).items;
    expect(back).toMatchObject({ result: "created" });
  });

  test("leave a row in the audit log for each that was changed, and none for the others", async () => {
    const space = `audited ${kind}s`;
    await addSpace(api, space);
    const items = [aTarget("one", { space }), aTarget("two", { space })];
    const { items: made } = await sync({ items }, undefined, bulk);
    await sync(
      { items: [aTarget("one", { space, labels: ["new"], metadata: { password: "hunter2" } }), items[1]] },
      undefined,
      bulk,
    );
    await sync({ items: [], remove_missing_in: space }, undefined, bulk);
    const log = async (id = "") => (await api.call("GET", `/v1/audit-log?subject_id=${id}`)).body;
    expect(await log(made[0]?.id)).toMatchObject({
      items: [
        { action: `${kind}.removed` },
        {
          action: `${kind}.updated`,
          details: { changed: { labels: { from: [], to: ["new"] }, metadata: {} } },
        },
        { action: `${kind}.created` },
      ],
    });
    expect(JSON.stringify(await log(made[0]?.id))).not.toContain("hunter2");
    expect(await log(made[1]?.id)).toMatchObject({
      items: [{ action: `${kind}.removed` }, { action: `${kind}.created` }],
    });
  });

  test("are done once for one Idempotency-Key", async () => {
    const space = `once ${kind}s`;
    await addSpace(api, space);
    const headers = { "idempotency-key": `bulk ${kind}` };
    const body = { items: [aTarget("one", { space })] };
    const first = await sync(body, headers, bulk);
    expect(first.counts).toMatchObject({ created: 1 });
    expect(await sync(body, headers, bulk)).toEqual(first);
  });

  test("reach no further than the key", async () => {
    const space = `reached ${kind}s`;
    await addSpace(api, space);
    await sync({ items: [aTarget("theirs")] }, undefined, bulk);
    const { key } = await makeKey(api, { name: `bulk ${kind}s`, role: "write", space });
    const mine = aTarget("mine", { space });
    expect(await api.call("POST", bulk, { items: [mine, aTarget("theirs")] }, bearer(key))).toMatchObject({
      status: 400,
      body: { errors: [{ field: "items.1.space" }] },
    });
    expect(await api.call("POST", bulk, { items: [], remove_missing_in: "root" }, bearer(key))).toMatchObject(
      {
        status: 400,
        body: { errors: [{ field: "remove_missing_in" }] },
      },
    );
    expect((await sync({ items: [mine] }, bearer(key), bulk)).counts).toMatchObject({ created: 1 });
  });
});

describe("the body", () => {
  test("of many may be large, up to 16 MiB, and any other may not", async () => {
    const large = "x".repeat(100_000);
    const { status } = await api.call("POST", "/v1/stacks", aTarget("large", { project_root: large }));
    expect(status).toBe(413);
    const items = [aTarget("large", { project_root: large })];
    expect((await api.call("POST", "/v1/stacks/bulk", { items })).status).toBe(400);
    const tooLarge = JSON.stringify({ items: [aTarget("x".repeat(16 * 1024 * 1024))] });
    expect(await api.call("POST", "/v1/stacks/bulk", tooLarge)).toMatchObject({
      status: 413,
      body: { type: "urn:sluice:problem:body_too_large" },
    });
  });

  test("is not read at all for a key that is wrong", async () => {
    const { status } = await api.call("POST", "/v1/stacks/bulk", { items: [] }, bearer("wrong"));
    expect(status).toBe(401);
  });
});

test("a push that comes at the same time and a request that names its repository do not stand in each other's way", async () => {
  await addSpace(api, "busy");
  const [row] = await api.store.sql<{ id: string }[]>`SELECT id FROM sluice.integrations WHERE name = 'acme'`;
  const integrationId = row?.id ?? "";
  const items = Array.from({ length: 50 }, (_, index) =>
    aTarget(`busy-${String(index)}`, { space: "busy", repository: `acme/busy-${String(index % 10)}` }),
  );
  const seen = Array.from({ length: 10 }, (_, index) => ({
    integrationId,
    uuid: `{00000000-0000-4000-8000-00000000000${String(index)}}`,
    fullName: `acme/busy-${String(index)}`,
  }));
  await sync({ items });
  // Each round names the repositories while deliveries tell whose they are.
  for (const labels of [["a"], ["b"], ["c"]]) {
    const [synced] = await Promise.all([
      sync({ items: items.map((item) => ({ ...item, labels })) }),
      withTransaction(api.store, (tx) => lockSeenRepositories(tx, seen)),
    ]);
    expect(synced.counts).toMatchObject({ updated: 50 });
  }
  const rows = await api.store.sql`
    SELECT DISTINCT repositories.uuid FROM sluice.targets JOIN sluice.repositories ON repositories.id = repository_id
    WHERE targets.name LIKE 'busy-%'`;
  expect(new Set(rows.map(({ uuid }) => String(uuid)))).toEqual(new Set(seen.map(({ uuid }) => uuid)));
});
