import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { startBitbucketServer, type BitbucketServer } from "@sluice/simulator/rest-server";
import { insertStack } from "@sluice/store/test-fixtures";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";

import { call, startTestApi, migrateForApi } from "./test-api.ts";
import {
  arrangeIntegrations,
  CREDENTIALS,
  makeIntegration,
  POOR_TOKEN,
  REPOSITORY,
  TOKEN,
  type IntegrationScene,
} from "./test-integrations.ts";

let api: IntegrationScene<BitbucketServer>;
let endFault: (() => void) | undefined;

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
});
afterEach(() => {
  endFault?.();
  endFault = undefined;
});
afterAll(() => api.close());

const YES = { answer: "yes", http_status: 200, remedy: null };
const check = (id: string, against?: string) =>
  api.call("POST", `/v1/integrations/${id}/check`, against === undefined ? {} : { against });
const healthOf = async (id: string) =>
  ((await api.call("GET", `/v1/integrations/${id}`)).body as { details: { health: unknown } }).details.health;

describe("a credential", () => {
  test("is tried when it is saved, and what it may do is answered and kept", async () => {
    const { id, answer } = await makeIntegration(api, { name: "Tried", check_against: REPOSITORY });
    expect(answer.body).toMatchObject({
      check: {
        verdict: "ok",
        repository: REPOSITORY,
        expires_at: null,
        read_repository: YES,
        read_pull_request: YES,
        webhooks: YES,
      },
    });
    expect(await healthOf(id)).toMatchObject({
      state: "ok",
      http_status: null,
      checked_at: expect.any(String),
    });
  });

  test("that may not do all of it is saved all the same, with what to click", async () => {
    const { answer } = await makeIntegration(api, {
      name: "Poor",
      credential: { ...POOR_TOKEN, expires_at: "2031-05-01T00:00:00Z" },
      check_against: REPOSITORY,
    });
    expect(answer.body).toMatchObject({
      check: {
        verdict: "ok",
        expires_at: "2031-05-01T00:00:00.000Z",
        read_repository: YES,
        read_pull_request: {
          answer: "no",
          http_status: 403,
          remedy: expect.stringContaining("read:pullrequest:bitbucket"),
        },
        webhooks: { answer: "no", remedy: expect.stringContaining("read:webhook:bitbucket") },
      },
    });
  });

  test("that is refused is saved all the same, is known to be so, and is well again once it is replaced", async () => {
    const wrong = { kind: "access_token", token: "a-wrong-token-of-the-tests" };
    const { id, answer } = await makeIntegration(api, {
      name: "Refused",
      credential: wrong,
      check_against: REPOSITORY,
    });
    expect(answer).toMatchObject({
      status: 201,
      body: { check: { verdict: "refused", read_repository: { answer: "no", http_status: 401 } } },
    });
    expect(await healthOf(id)).toMatchObject({
      state: "refused",
      http_status: 401,
      next_check_at: expect.any(String),
    });
    const replaced = await api.call("PUT", `/v1/integrations/${id}/credential`, { credential: POOR_TOKEN });
    // Of the new one nothing is known: no repository was named.
    expect(replaced).toMatchObject({
      status: 200,
      body: {
        credential: { kind: "api_token", email: POOR_TOKEN.email, is_set: true },
        check: { verdict: "unknown", repository: null },
      },
    });
    expect(await healthOf(id)).toBeNull();
    expect((await check(id, REPOSITORY)).body).toMatchObject({ verdict: "ok" });
    expect(await healthOf(id)).toMatchObject({ state: "ok", message: null, next_check_at: null });
  });

  test("is tried on a repository of its targets when nobody names one", async () => {
    const { id } = await makeIntegration(api, { name: "Of Targets" });
    await insertStack(api.store, { integrationId: id, repository: REPOSITORY, name: "network" });
    expect((await check(id)).body).toMatchObject({ verdict: "ok", repository: REPOSITORY });
  });

  test("is asked for nothing but what it is for: GETs below the API's address, counted as its calls", async () => {
    const { id } = await makeIntegration(api, { name: "Counted" });
    api.server.clearCalls();
    await check(id, REPOSITORY);
    expect(api.server.calls.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual([
      `GET /2.0/repositories/${REPOSITORY}`,
      `GET /2.0/repositories/${REPOSITORY}/hooks`,
      `GET /2.0/repositories/${REPOSITORY}/pullrequests`,
    ]);
    const [row] = await api.store.sql`
      SELECT sum(calls)::int AS calls FROM sluice.call_counts WHERE integration_id = ${id}`;
    expect(row).toEqual({ calls: 3 });
  });

  test.each([
    ["an outage", { kind: "status", status: 503 }, 503],
    ["a 429", { kind: "rate_limited", retryAfterSeconds: 1 }, 429],
    ["a cut connection", { kind: "reset" }, null],
    ["a redirect to another host", { kind: "redirect_elsewhere", url: "http://127.0.0.1:1/" }, null],
  ] as const)("is not known to be refused by %s, and what was known stays", async (name, fault, status) => {
    const { id } = await makeIntegration(api, { name, check_against: REPOSITORY });
    const before = await healthOf(id);
    endFault = api.server.injectFault("*", fault);
    expect((await check(id, REPOSITORY)).body).toMatchObject({
      verdict: "unknown",
      read_repository: { answer: "unknown", http_status: status, remedy: expect.any(String) },
    });
    expect(await healthOf(id)).toEqual(before);
  });

  test("that was replaced while it was tried is not said to be refused for the one before", async () => {
    const wrong = { kind: "access_token", token: "a-wrong-token-of-the-tests" };
    const { id } = await makeIntegration(api, { name: "Overtaken", credential: wrong });
    endFault = api.server.injectFault("*", { kind: "slow", delayMs: 300 });
    api.server.clearCalls();
    const late = check(id, REPOSITORY);
    await expect
      .poll(async () => {
        const [row] = await api.store.sql`
          SELECT coalesce(sum(calls), 0)::int AS calls FROM sluice.call_counts WHERE integration_id = ${id}`;
        return row?.["calls"];
      })
      .toBe(3);
    await api.call("PUT", `/v1/integrations/${id}/credential`, { credential: TOKEN });
    expect((await late).body).toMatchObject({ verdict: "refused" });
    expect(await healthOf(id)).toBeNull();
  });

  test("without which Bitbucket cannot be asked is said to be missing", async () => {
    const { id } = await makeIntegration(api, { name: "Without" });
    await api.store.sql`UPDATE sluice.integrations SET credential_ciphertext = NULL WHERE id = ${id}`;
    expect((await check(id, REPOSITORY)).body).toMatchObject({
      verdict: "unknown",
      read_repository: { said: "No credential is stored." },
    });
    expect((await api.call("GET", `/v1/integrations/${id}`)).body).toMatchObject({
      details: { credential: { is_set: false } },
    });
  });

  test("that no key of the configuration decrypts is said to be so, and can be replaced", async () => {
    const { id } = await makeIntegration(api, { name: "Undecryptable" });
    const other = await startTestApi(
      { databaseUrl: api.databaseUrl, queueUrl: api.databaseUrl },
      { configuration: { bitbucketApiUrl: api.server.url } },
    );
    const path = `${other.url}/v1/integrations/${id}`;
    expect(
      (await call(`${path}/check`, { method: "POST", body: { against: REPOSITORY } })).body,
    ).toMatchObject({
      verdict: "unknown",
      read_repository: { said: expect.stringContaining("SLUICE_ENCRYPTION_KEYS") },
    });
    const body = { credential: TOKEN, check_against: REPOSITORY };
    expect((await call(`${path}/credential`, { method: "PUT", body })).body).toMatchObject({
      check: { verdict: "ok" },
    });
    await other.close(1_000);
  });

  test("is found in no answer, no audit row, no line of the log, and not in the clear in the database", async () => {
    const { id, webhook_secret: secret } = await makeIntegration(api, {
      name: "Hidden",
      credential: POOR_TOKEN,
      check_against: REPOSITORY,
    });
    await api.call(
      "PUT",
      `/v1/integrations/${id}/credential`,
      { credential: { ...TOKEN }, check_against: REPOSITORY },
      { "idempotency-key": "hidden" },
    );
    await api.call("POST", "/v1/integrations", { name: "Hidden", space: "root", credential: TOKEN });
    await api.call("POST", "/v1/integrations", {
      name: "",
      space: "root",
      credential: { ...TOKEN, extra: 1 },
    });
    await api.call("GET", `/v1/integrations/${id}/webhook`);
    const answers = [
      (await api.call("GET", "/v1/integrations?limit=200")).body,
      (await api.call("GET", `/v1/integrations/${id}`)).body,
      (await api.call("GET", "/v1/audit-log?limit=200")).body,
    ];
    const tables = await Promise.all(
      ["integrations", "credential_health", "audit_log", "idempotency_keys"].map(
        (table) => api.store.sql`SELECT each::text FROM sluice.${api.store.sql(table)} AS each`,
      ),
    );
    expect(api.lines.some((line) => line.includes(`/v1/integrations/${id}/credential`))).toBe(true);
    for (const text of [JSON.stringify(answers), JSON.stringify(tables), api.lines.join("\n")]) {
      for (const hidden of [POOR_TOKEN.token, TOKEN.token, secret]) expect(text).not.toContain(hidden);
      expect(text).not.toContain(Buffer.from(`${POOR_TOKEN.email}:${POOR_TOKEN.token}`).toString("base64"));
    }
    expect(answers[2]).toMatchObject({
      items: expect.arrayContaining([
        expect.objectContaining({
          action: "integration.credential_replaced",
          details: { credential_kind: "access_token", email: null, expires_at: null },
        }),
      ]),
    });
  });
});
