import { createHmac, randomUUID } from "node:crypto";

import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { startBitbucketServer, type BitbucketServer } from "@sluice/simulator/rest-server";
import { verifySignature } from "@sluice/bitbucket/signature";
import { previousSecretContext, webhookSecretContext } from "@sluice/domain/secret-context";
import { listWebhookIntegrations } from "@sluice/store/integrations";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { makeKey } from "./test-access.ts";
import { call, startTestApi, migrateForApi } from "./test-api.ts";
import {
  arrangeIntegrations,
  CREDENTIALS,
  bearer,
  makeIntegration,
  PUBLIC_URL,
  type IntegrationScene,
} from "./test-integrations.ts";

let api: IntegrationScene<BitbucketServer>;

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
afterAll(() => api.close());

interface Webhook {
  readonly secret: string;
  readonly previous_secret: { readonly secret: string; readonly expires_at: string } | null;
}

const webhookOf = async (id: string) =>
  (await api.call("GET", `/v1/integrations/${id}/webhook`)).body as Webhook;
const rotate = (id: string, body: object = {}, headers?: Record<string, string>) =>
  api.call("POST", `/v1/integrations/${id}/webhook-secret/rotate`, body, headers);
const actionsOf = async (id: string) => {
  const { body } = await api.call("GET", `/v1/audit-log?subject_id=${id}`);
  return (body as { items: { action: string }[] }).items.map(({ action }) => action);
};

/** What verifies a body signed with `secret`, by what the ingress reads of an integration. */
async function verifiedBy(id: string, secret: string): Promise<"current" | "previous" | null> {
  const row = (await listWebhookIntegrations(api.store)).find((each) => each.id === id);
  if (row === undefined) throw new Error("the ingress knows no such integration");
  const { webhookSecretCiphertext, previousSecretCiphertext, previousSecretExpiresAt } = row;
  const isOver = previousSecretExpiresAt !== null && Date.parse(previousSecretExpiresAt) <= Date.now();
  const previous =
    previousSecretCiphertext === null || isOver
      ? null
      : api.keyring.decrypt(previousSecretCiphertext, previousSecretContext(id));
  const body = Buffer.from('{"push":{"changes":[]}}');
  return verifySignature({
    body,
    header: `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
    secrets: { current: api.keyring.decrypt(webhookSecretCiphertext, webhookSecretContext(id)), previous },
  });
}

/** A delivery as the worker records it. */
async function recordDelivery(id: string, secretVersion: "current" | "previous"): Promise<string> {
  const deliveryId = randomUUID();
  await api.store.sql`
    INSERT INTO sluice.deliveries
      (id, integration_id, request_id, event_key, attempt, secret_version, received_at, outcome, body_bytes)
    VALUES (${deliveryId}, ${id}, ${deliveryId}, 'repo:push', 1, ${secretVersion}, clock_timestamp(), 'no_events', 2)`;
  return deliveryId;
}

describe("the webhook of an integration", () => {
  test("is shown with its secret to its admins, and the audit log has the look each time", async () => {
    const { id, webhook_secret: secret } = await makeIntegration(api, { name: "Looked At" });
    const { key, id: keyId } = await makeKey(api, { name: "looker", role: "admin", space: "root" });
    const look = () =>
      api.call("GET", `/v1/integrations/${id}/webhook`, undefined, {
        ...bearer(key),
        "idempotency-key": "look",
      });
    expect(await look()).toMatchObject({
      status: 200,
      body: {
        endpoint: { url: `${PUBLIC_URL}/webhooks/bitbucket-cloud/looked-at`, note: null },
        secret,
        previous_secret: null,
        last_delivery: null,
      },
    });
    const again = await look();
    expect(again.headers.get("cache-control")).toBe("no-store");
    const { body } = await api.call("GET", `/v1/audit-log?subject_id=${id}&action=webhook_secret.seen`);
    const seen = {
      actor: { kind: "api_key", key_id: keyId, name: "looker" },
      subject: { name: "Looked At" },
    };
    expect(body).toMatchObject({ items: [seen, seen] });
    expect(JSON.stringify(body)).not.toContain(secret);
  });

  test("is not shown when the look cannot be noted", async () => {
    const { id } = await makeIntegration(api, { name: "Unnoted" });
    await api.store.sql`
      ALTER TABLE sluice.audit_log ADD CONSTRAINT unnoted CHECK (subject_name <> 'Unnoted') NOT VALID`;
    const answer = await api.call("GET", `/v1/integrations/${id}/webhook`);
    await api.store.sql`ALTER TABLE sluice.audit_log DROP CONSTRAINT unnoted`;
    expect(answer.status).toBe(500);
    expect(JSON.stringify(answer.body)).not.toMatch(/[\w-]{43}/);
  });

  test("is a path and a note where nobody said how Bitbucket reaches the ingress", async () => {
    const { id } = await makeIntegration(api, { name: "Somewhere" });
    const other = await startTestApi({ databaseUrl: api.databaseUrl, queueUrl: api.databaseUrl });
    expect((await call(`${other.url}/v1/integrations/${id}`)).body).toMatchObject({
      details: {
        endpoint: {
          path: "/webhooks/bitbucket-cloud/somewhere",
          url: null,
          note: expect.stringContaining("SLUICE_PUBLIC_URL"),
        },
      },
    });
    await other.close(1_000);
  });
});

describe("a rotation", () => {
  test("makes a secret that verifies, beside the one before until its time is over", async () => {
    const { id, webhook_secret: first } = await makeIntegration(api, { name: "Rotated" });
    const before = Date.now();
    const { status, body } = await rotate(id);
    expect(status).toBe(200);
    const { secret: second, previous_secret: previous } = body as Webhook;
    expect(second).toMatch(/^[\w-]{43}$/);
    expect(second).not.toBe(first);
    expect(previous?.secret).toBe(first);
    const overlapMs = Date.parse(previous?.expires_at ?? "") - before;
    expect(overlapMs).toBeGreaterThan(23.9 * 3_600_000);
    expect(overlapMs).toBeLessThan(24.1 * 3_600_000);
    expect(await verifiedBy(id, second)).toBe("current");
    expect(await verifiedBy(id, first)).toBe("previous");
    await api.store.sql`UPDATE sluice.integrations SET previous_secret_expires_at = now() WHERE id = ${id}`;
    expect(await verifiedBy(id, first)).toBeNull();
    expect(await webhookOf(id)).toMatchObject({ secret: second, previous_secret: null });
    expect(await actionsOf(id)).toEqual([
      "webhook_secret.seen",
      "webhook_secret.rotated",
      "integration.created",
    ]);
  });

  test("in the time of another leaves the last two secrets", async () => {
    const { id, webhook_secret: first } = await makeIntegration(api, { name: "Rotated Twice" });
    const second = ((await rotate(id)).body as Webhook).secret;
    const third = ((await rotate(id, { overlap_hours: 1 })).body as Webhook).secret;
    const verified = await Promise.all([first, second, third].map((secret) => verifiedBy(id, secret)));
    expect(verified).toEqual([null, "previous", "current"]);
  });

  test("of which two come at once is two, one after the other", async () => {
    const { id, webhook_secret: first } = await makeIntegration(api, { name: "Rotated At Once" });
    const [one, other] = await Promise.all([rotate(id), rotate(id)]);
    const secrets = [one, other].map(({ body }) => (body as Webhook).secret);
    const { secret, previous_secret: previous } = await webhookOf(id);
    expect(new Set([secret, previous?.secret])).toEqual(new Set(secrets));
    expect(await verifiedBy(id, first)).toBeNull();
  });

  test("is done once for one Idempotency-Key, which does not keep the secret in the clear", async () => {
    const { id } = await makeIntegration(api, { name: "Rotated Once" });
    const [one, other] = await Promise.all([
      rotate(id, {}, { "idempotency-key": "rotation" }),
      rotate(id, {}, { "idempotency-key": "rotation" }),
    ]);
    expect(other.body).toEqual(one.body);
    const { secret } = await webhookOf(id);
    expect((one.body as Webhook).secret).toBe(secret);
    const rows = await api.store.sql`SELECT body_ciphertext FROM sluice.idempotency_keys`;
    expect(JSON.stringify(rows)).not.toContain(secret);
  });

  test("without an overlap leaves the new secret alone", async () => {
    const { id, webhook_secret: first } = await makeIntegration(api, { name: "Rotated Hard" });
    expect((await rotate(id, { overlap_hours: 0 })).body).toMatchObject({ previous_secret: null });
    expect(await verifiedBy(id, first)).toBeNull();
  });

  test.each([[-1], [721], [1.5], ["24"]])("over %j hours is refused", async (hours) => {
    const { id } = await makeIntegration(api, { name: `Refused ${String(hours)}` });
    expect((await rotate(id, { overlap_hours: hours })).status).toBe(400);
  });

  test("tells with which secret the last delivery was signed, by what that secret is now", async () => {
    const { id } = await makeIntegration(api, { name: "Delivered" });
    const last = async () => ((await webhookOf(id)) as unknown as { last_delivery: unknown }).last_delivery;
    const first = await recordDelivery(id, "current");
    expect(await last()).toMatchObject({
      id: first,
      verified_by: "current",
      received_at: expect.any(String),
    });
    await rotate(id);
    expect(await last()).toMatchObject({ id: first, verified_by: "previous" });
    const second = await recordDelivery(id, "previous");
    expect(await last()).toMatchObject({ id: second, verified_by: "previous" });
    const third = await recordDelivery(id, "current");
    expect(await last()).toMatchObject({ id: third, verified_by: "current" });
    await rotate(id);
    await rotate(id);
    expect(await last()).toMatchObject({ id: third, verified_by: "older" });
  });
});
