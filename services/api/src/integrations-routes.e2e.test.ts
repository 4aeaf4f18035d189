import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { startBitbucketServer, type BitbucketServer } from "@sluice/simulator/rest-server";
import { listWebhookIntegrations } from "@sluice/store/integrations";
import { insertStack } from "@sluice/store/test-fixtures";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { addSpace, makeKey } from "./test-access.ts";
import { migrateForApi } from "./test-api.ts";
import {
  arrangeIntegrations,
  CREDENTIALS,
  bearer,
  makeIntegration,
  PUBLIC_URL,
  TOKEN,
  type IntegrationScene,
} from "./test-integrations.ts";

let api: IntegrationScene<BitbucketServer>;
let admin: Record<string, string>;

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
  const { key } = await makeKey(api, { name: "admin of payments", role: "admin", space: "payments" });
  admin = bearer(key);
  await makeIntegration(api, { name: "Everybody's", default: true });
});

afterAll(() => api.close());

const post = (body: object, headers?: Record<string, string>) =>
  api.call("POST", "/v1/integrations", { credential: TOKEN, ...body }, headers);
const get = (id: string, headers?: Record<string, string>) =>
  api.call("GET", `/v1/integrations/${id}`, undefined, headers);

describe("a new integration", () => {
  test("has an endpoint made from its name and a secret that nobody chose, shown in the answer", async () => {
    const { answer, webhook_secret: secret } = await makeIntegration(api, {
      name: "Acme Production",
      labels: ["prod"],
      description: "# Acme",
      checks: "all",
      calls_per_hour: 500,
      credential: {
        kind: "api_token",
        email: "ada@example.com",
        token: "t",
        expires_at: "2030-01-01T00:00:00Z",
      },
    });
    expect(secret).toMatch(/^[\w-]{43}$/);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.body).toMatchObject({
      name: "Acme Production",
      default: false,
      space: "root",
      labels: ["prod"],
      description: "# Acme",
      details: {
        slug: "acme-production",
        endpoint: {
          path: "/webhooks/bitbucket-cloud/acme-production",
          url: `${PUBLIC_URL}/webhooks/bitbucket-cloud/acme-production`,
          note: null,
        },
        credential: {
          kind: "api_token",
          email: "ada@example.com",
          expires_at: "2030-01-01T00:00:00.000Z",
          is_set: true,
        },
        checks: "all",
        calls_per_hour: 500,
        enabled: true,
      },
    });
  });

  test("is refused under a name that is taken, in whichever case that is the same endpoint", async () => {
    const { id } = await makeIntegration(api, { name: "Taken" });
    expect(await post({ name: "Taken", space: "root" })).toMatchObject({
      status: 409,
      body: {
        type: "urn:sluice:problem:name_taken",
        detail: 'The name belongs to the integration "Taken". Choose another.',
        conflict: { on: "name", id },
      },
    });
    expect(await post({ name: "taken!", space: "root" })).toMatchObject({
      status: 409,
      body: {
        type: "urn:sluice:problem:name_taken",
        detail:
          'The webhook endpoint that is made from the name belongs to the integration "Taken". Choose another name.',
        conflict: { on: "slug", id },
      },
    });
  });

  test("is told no more than that the name is taken, where it may not see by what", async () => {
    await makeIntegration(api, { name: "Secret Project" });
    const { status, body } = await post({ name: "secret project", space: "payments" }, admin);
    expect(status).toBe(409);
    expect(body).toMatchObject({ conflict: { on: "slug", id: null, name: null } });
    expect(JSON.stringify(body)).not.toContain("Secret Project");
  });

  test("of one name is made by one of two requests at once", async () => {
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => post({ name: "At Once", space: "root" })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(3);
  });

  test("is made once for one Idempotency-Key, also by two requests at once, with one secret", async () => {
    const body = { name: "Made Once", space: "root" };
    const headers = { "idempotency-key": "made-once" };
    const [first, second] = await Promise.all([post(body, headers), post(body, headers)]);
    expect(first.status).toBe(201);
    expect(second.body).toEqual(first.body);
    const { id } = first.body as { id: string };
    expect((await api.call("GET", `/v1/audit-log?subject_id=${id}`)).body).toMatchObject({
      items: [{ action: "integration.created" }],
    });
  });

  test("cannot be a second default, and is told which one there is", async () => {
    expect(await post({ name: "Another", default: true })).toMatchObject({
      status: 409,
      body: {
        type: "urn:sluice:problem:default_taken",
        detail: expect.stringContaining('that is "Everybody\'s"'),
        conflict: { on: "default", name: "Everybody's" },
      },
    });
  });

  test.each([
    ["without a place", {}, "space", "give either default: true or a space"],
    ["in two places", { default: true, space: "root" }, "space", "give either default: true or a space"],
    ["with a name of signs alone", { name: "!!!", space: "root" }, "name", "has no letter or digit"],
    ["with a name that begins with a blank", { name: " x", space: "root" }, "name", "blank"],
    ["with half a surrogate pair", { name: "a\ud800", space: "root" }, "name", "surrogate"],
    ["with a mode that there is not", { space: "root", checks: "some" }, "checks", "individual"],
    ["with no calls at all", { space: "root", calls_per_hour: 0 }, "calls_per_hour", ">=1"],
    [
      "with a description of 16 KiB and a byte",
      { space: "root", description: `${"é".repeat(8192)}a` },
      "description",
      "larger than 16384 bytes",
    ],
    [
      "with a field that is not known",
      { space: "root", webhook_secret: "mine" },
      "webhook_secret",
      "not known",
    ],
    [
      "with an app password",
      { space: "root", credential: { kind: "app_password", username: "ada", password: "x" } },
      "credential.kind",
      "app passwords are refused: Bitbucket has removed them; make an API token",
    ],
    [
      "with an API token without its mail address",
      { space: "root", credential: { kind: "api_token", token: "x" } },
      "credential.email",
      "expected string",
    ],
    [
      "with a token that has a line break",
      { space: "root", credential: { kind: "access_token", token: "a\nb" } },
      "credential.token",
      "copy it again",
    ],
    [
      "with a URL to try it on",
      { space: "root", check_against: "https://bitbucket.org/acme" },
      "check_against",
      "neither workspace/slug",
    ],
  ])("%s is refused", async (_, body, field, message) => {
    const answer = await post({ name: "Refused", ...body });
    expect(answer).toMatchObject({ status: 400, body: { type: "urn:sluice:problem:invalid_request" } });
    const { errors } = answer.body as { errors: { field: string; message: string }[] };
    expect(errors).toContainEqual({ field, message: expect.stringContaining(message) });
  });

  test("has the letters of any script, and the endpoint what ASCII can say of them", async () => {
    const { answer } = await makeIntegration(api, { name: "Zahlungen Köln 支払い 🚀" });
    expect(answer.body).toMatchObject({
      name: "Zahlungen Köln 支払い 🚀",
      details: { slug: "zahlungen-koln" },
    });
    // The same letters in another spelling of Unicode are the same name.
    expect(await post({ name: "Zahlungen Köln 支払い 🚀".normalize("NFD"), space: "root" })).toMatchObject({
      status: 409,
      body: { conflict: { on: "name" } },
    });
  });

  test("keeps Markdown with scripts as it was written, and answers it as JSON", async () => {
    const description = "<script>alert(1)</script>\n[x](javascript:alert(1)) <img src=x onerror=alert(1)>";
    const { id } = await makeIntegration(api, { name: "Scripted", description });
    const { body, headers } = await get(id);
    expect(body).toMatchObject({ description });
    expect(headers.get("content-type")).toMatch(/^application\/json/);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  });
});

describe("an integration is changed", () => {
  test("where one has seen what there is, and what is left out gets its default", async () => {
    const { id } = await makeIntegration(api, { name: "Changed", labels: ["a"], calls_per_hour: 10 });
    const tag = (await get(id)).headers.get("etag") ?? "";
    const put = (body: object, ifMatch?: string) =>
      api.call("PUT", `/v1/integrations/${id}`, body, ifMatch === undefined ? {} : { "if-match": ifMatch });
    expect((await put({})).status).toBe(428);
    const [one, other] = await Promise.all([put({ labels: ["b"] }, tag), put({ labels: ["c"] }, tag)]);
    expect(new Set([one.status, other.status])).toEqual(new Set([200, 412]));
    const won = one.status === 200 ? one : other;
    expect(won.body).toMatchObject({
      description: "",
      details: { calls_per_hour: 1000, checks: "individual" },
    });
    expect((await get(id)).headers.get("etag")).toBe(won.headers.get("etag"));
    const { body } = await api.call("GET", `/v1/audit-log?subject_id=${id}`);
    expect(body).toMatchObject({
      items: [
        {
          action: "integration.updated",
          details: { changes: expect.arrayContaining([{ field: "calls_per_hour", from: 10, to: 1000 }]) },
        },
        { action: "integration.created" },
      ],
    });
  });

  test("by a PUT that says the same leaves no trace, and keeps its credential and secret", async () => {
    const { id, webhook_secret: secret } = await makeIntegration(api, { name: "Same" });
    expect((await api.call("PUT", `/v1/integrations/${id}`, {}, { "if-match": "*" })).status).toBe(200);
    const again = await api.call("PUT", `/v1/integrations/${id}`, { labels: ["x"] }, { "if-match": "*" });
    expect(again.body).toMatchObject({ labels: ["x"], details: { credential: { is_set: true } } });
    expect((await api.call("GET", `/v1/integrations/${id}/webhook`)).body).toMatchObject({ secret });
    const { body } = await api.call("GET", `/v1/audit-log?subject_id=${id}&action=integration.updated`);
    expect(body).toMatchObject({ items: [{}], next_cursor: null });
  });

  test("by switching it off, which leaves its endpoint as it is", async () => {
    const { id } = await makeIntegration(api, { name: "Switched Off" });
    const verifiable = async () => (await listWebhookIntegrations(api.store)).find((each) => each.id === id);
    const before = await verifiable();
    expect(before).toMatchObject({ slug: "switched-off" });
    const off = await api.call("PUT", `/v1/integrations/${id}`, { enabled: false }, { "if-match": "*" });
    expect(off.body).toMatchObject({ details: { enabled: false } });
    expect(await verifiable()).toEqual(before);
  });

  test("in neither its name nor its place", async () => {
    const { id } = await makeIntegration(api, { name: "Immovable" });
    const answer = await api.call(
      "PUT",
      `/v1/integrations/${id}`,
      { name: "Other", space: "payments", default: true },
      { "if-match": "*" },
    );
    expect(answer).toMatchObject({
      status: 400,
      body: { errors: [{ field: "name" }, { field: "space" }, { field: "default" }] },
    });
    const same = { name: "Immovable", space: "root", default: false };
    expect((await api.call("PUT", `/v1/integrations/${id}`, same, { "if-match": "*" })).status).toBe(200);
  });
});

describe("an integration is deleted", () => {
  test("while targets use it: they are detached, and the answer names those that the key sees", async () => {
    const { id } = await makeIntegration(api, { name: "Used", space: "payments" });
    const stack = (name: string) =>
      insertStack(api.store, { integrationId: id, repository: "acme/used", name });
    const [inRoot, inPayments] = [await stack("in root"), await stack("in payments")];
    await api.store.sql`
      UPDATE sluice.targets SET space_id = (SELECT id FROM sluice.spaces WHERE name = 'payments')
      WHERE id = ${inPayments}`;
    const answer = await api.call("DELETE", `/v1/integrations/${id}`, undefined, admin);
    expect(answer).toMatchObject({
      status: 200,
      body: {
        name: "Used",
        detached_count: 2,
        detached: [{ id: inPayments, kind: "stack", name: "in payments" }],
      },
    });
    expect((answer.body as { detached: unknown[] }).detached).toHaveLength(1);
    expect((await get(id)).status).toBe(404);
    const [row] = await api.store.sql`
      SELECT credential_ciphertext, webhook_secret_ciphertext, previous_secret_ciphertext
      FROM sluice.integrations WHERE id = ${id}`;
    expect(Object.values(row ?? {})).toEqual([null, null, null]);
    const rows = await api.store.sql`
      SELECT count(*)::int AS detached FROM sluice.targets
      WHERE id IN (${inRoot}, ${inPayments}) AND integration_id IS NULL`;
    expect(rows).toEqual([{ detached: 2 }]);
    const { body } = await api.call("GET", `/v1/audit-log?subject_id=${id}`);
    expect((body as { items: { action: string }[] }).items.map(({ action }) => action).toSorted()).toEqual([
      "integration.created",
      "integration.deleted",
      "integration.targets_detached",
      "integration.targets_detached",
    ]);
  });

  test("of 250 detached targets a hundred are named, and all are counted", async () => {
    const { id } = await makeIntegration(api, { name: "Much Used" });
    const stack = await insertStack(api.store, { integrationId: id, repository: "acme/much", name: "s-0" });
    await api.store.sql`
      INSERT INTO sluice.targets (space_id, kind, name, integration_id, repository_id, tracked_branch)
      SELECT space_id, kind, 's-' || n, integration_id, repository_id, tracked_branch
      FROM sluice.targets, generate_series(1, 249) AS n WHERE id = ${stack}`;
    const { body } = await api.call("DELETE", `/v1/integrations/${id}`);
    expect(body).toMatchObject({ detached_count: 250 });
    expect((body as { detached: unknown[] }).detached).toHaveLength(100);
  });

  test("and made again under its name: the same endpoint, another secret, targets stay detached", async () => {
    const first = await makeIntegration(api, { name: "Made Again" });
    const stack = await insertStack(api.store, {
      integrationId: first.id,
      repository: "acme/again",
      name: "again",
    });
    await api.call("DELETE", `/v1/integrations/${first.id}`);
    const second = await makeIntegration(api, { name: "Made Again" });
    expect(second.id).not.toBe(first.id);
    expect(second.webhook_secret).not.toBe(first.webhook_secret);
    expect(second.answer.body).toMatchObject({ details: { slug: "made-again" } });
    expect(await api.store.sql`SELECT integration_id FROM sluice.targets WHERE id = ${stack}`).toEqual([
      { integrationId: null },
    ]);
    const slugs = (await listWebhookIntegrations(api.store)).map(({ slug }) => slug);
    expect(slugs.filter((slug) => slug === "made-again")).toHaveLength(1);
  });
});
