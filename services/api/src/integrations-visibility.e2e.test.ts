import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { startBitbucketServer, type BitbucketServer } from "@sluice/simulator/rest-server";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { addSpace, makeKey } from "./test-access.ts";
import { NOBODY, migrateForApi } from "./test-api.ts";
import {
  arrangeIntegrations,
  CREDENTIALS,
  bearer,
  makeIntegration,
  TOKEN,
  type IntegrationScene,
} from "./test-integrations.ts";

let api: IntegrationScene<BitbucketServer>;
let admin: Record<string, string>;
let reader: Record<string, string>;
let rootReader: Record<string, string>;
let stranger: Record<string, string>;

beforeAll(async () => {
  const bitbucket = createBitbucket();
  bitbucket.createRepository({ workspace: "acme", slug: "infrastructure" });
  api = await arrangeIntegrations({
    database: await createTestDatabase({
      serverUrl: inject("postgresUrl"),
      migrate: migrateForApi,
      key: "api",
    }),
    server: await startBitbucketServer({ bitbucket, credentials: CREDENTIALS }),
  });
  await addSpace(api, "payments");
  await addSpace(api, "search");
  const key = async (name: string, role: "admin" | "read", space: string) =>
    bearer((await makeKey(api, { name, role, space })).key);
  admin = await key("admin of payments", "admin", "payments");
  reader = await key("reader of payments", "read", "payments");
  rootReader = await key("reader of all", "read", "root");
  stranger = await key("admin of search", "admin", "search");
  await makeIntegration(api, { name: "Everybody's", default: true });
});

afterAll(() => api.close());

const post = (body: object, headers?: Record<string, string>) =>
  api.call("POST", "/v1/integrations", { credential: TOKEN, ...body }, headers);
const get = (id: string, headers?: Record<string, string>) =>
  api.call("GET", `/v1/integrations/${id}`, undefined, headers);
const names = async (headers: Record<string, string>) => {
  const { body } = await api.call("GET", "/v1/integrations?limit=200", undefined, headers);
  return (body as { items: { name: string; details: unknown }[] }).items;
};

describe("an integration is seen", () => {
  test("by everybody when it is the default one, its details by admins of the root alone", async () => {
    for (const headers of [admin, reader, rootReader, stranger]) {
      expect(await names(headers)).toContainEqual(
        expect.objectContaining({ name: "Everybody's", default: true, space: null, details: null }),
      );
    }
    const { body } = await api.call("GET", "/v1/integrations?limit=200");
    expect(body).toMatchObject({
      items: expect.arrayContaining([
        expect.objectContaining({
          name: "Everybody's",
          details: expect.objectContaining({ slug: "everybody-s" }),
        }),
      ]),
    });
  });

  test("by readers of its space, its details by admins of that, and by nobody else at all", async () => {
    const { id } = await makeIntegration(api, { name: "Of Payments", space: "payments" }, admin);
    expect((await get(id, admin)).body).toMatchObject({ details: { slug: "of-payments" } });
    expect((await get(id, reader)).body).toMatchObject({ name: "Of Payments", details: null });
    expect(await names(reader)).toContainEqual(expect.objectContaining({ id, details: null }));
    expect(await names(stranger)).not.toContainEqual(expect.objectContaining({ id }));
    for (const [method, path, body] of [
      ["GET", "", undefined],
      ["PUT", "", {}],
      ["DELETE", "", undefined],
      ["GET", "/webhook", undefined],
      ["POST", "/check", {}],
      ["POST", "/webhook-secret/rotate", {}],
      ["PUT", "/credential", { credential: TOKEN }],
    ] as const) {
      const answer = await api.call(method, `/v1/integrations/${id}${path}`, body, {
        ...stranger,
        "if-match": "*",
      });
      expect(answer).toEqual({
        ...(await api.call(method, `/v1/integrations/${NOBODY}${path}`, body, {
          ...stranger,
          "if-match": "*",
        })),
        headers: expect.anything(),
      });
      expect(answer.status).toBe(404);
    }
  });

  test("in full by none but admins: other roles are forbidden to change it or to see its secret", async () => {
    const { id } = await makeIntegration(api, { name: "Forbidden", space: "payments" }, admin);
    expect((await api.call("GET", `/v1/integrations/${id}/webhook`, undefined, reader)).status).toBe(403);
    expect((await api.call("DELETE", `/v1/integrations/${id}`, undefined, reader)).status).toBe(403);
    expect((await post({ name: "By A Reader", space: "payments" }, reader)).status).toBe(403);
  });

  test("as the default one also by admins of a space, who may not change or make it", async () => {
    const [shared] = (await names(admin)).filter(({ name }) => name === "Everybody's") as unknown as {
      id: string;
    }[];
    const path = `/v1/integrations/${shared!.id}`;
    const match = { ...admin, "if-match": "*" };
    expect((await api.call("PUT", path, {}, match)).status).toBe(403);
    expect((await api.call("DELETE", path, undefined, admin)).status).toBe(403);
    expect((await api.call("GET", `${path}/webhook`, undefined, admin)).status).toBe(403);
    expect((await api.call("PUT", `${path}/credential`, { credential: TOKEN }, admin)).status).toBe(403);
    expect((await post({ name: "A Default", default: true }, admin)).status).toBe(403);
  });

  test("is made in spaces of one's own alone", async () => {
    for (const space of ["search", "root", "nowhere"]) {
      expect(await post({ name: "Elsewhere", space }, admin)).toMatchObject({
        status: 404,
        body: { detail: "There is no such space, or you do not administer it." },
      });
    }
  });

  test("page by page, each once", async () => {
    const all = await names(
      bearer((await makeKey(api, { name: "pages", role: "admin", space: "root" })).key),
    );
    const paged: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const page: { items: { name: string }[]; next_cursor: string | null } = (
        await api.call("GET", `/v1/integrations?limit=3${cursor === "" ? "" : `&cursor=${cursor}`}`)
      ).body as never;
      paged.push(...page.items.map(({ name }) => name));
      cursor = page.next_cursor;
    }
    expect(paged).toEqual(all.map(({ name }) => name));
  });
});
