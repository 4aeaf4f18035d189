import { createConfig, lintFromString } from "@redocly/openapi-core";
import { createTestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { createTestApi, migrateForApi, type TestApi } from "./test-api.ts";

let api: TestApi;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
});

afterAll(() => api.close());

describe("the description of the API", () => {
  test("has nothing that a public linter objects to", async () => {
    const { body } = await api.call("GET", "/openapi.json", undefined, { authorization: "" });
    const config = await createConfig({
      extends: ["recommended"],
      rules: {
        // An operation is known by its method and path, and needs no third name.
        "operation-operationId": "off",
      },
    });
    const problems = await lintFromString({ source: JSON.stringify(body), config });
    expect(
      problems.map(({ ruleId, message, location: [at] }) => ({ ruleId, message, at: at?.pointer })),
    ).toEqual([]);
  });

  test("can be read on a page that loads nothing of other sites", async () => {
    const page = await api.call("GET", "/reference", undefined, { authorization: "" });
    expect(page.status).toBe(200);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'self'");
    const assets = [...String(page.body).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path);
    // The icon is none, said in place: else browsers ask for one.
    const loaded = assets.filter((path) => path !== "data:,");
    expect(loaded).toHaveLength(3);
    for (const path of loaded) {
      expect(path).toMatch(/^\/reference\//);
      expect((await api.call("GET", path, undefined, { authorization: "" })).status).toBe(200);
    }
  });
});
