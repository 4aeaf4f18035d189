/** Integrations with repositories, and what people do with their webhooks, for tests. Not for anything else. */
import { randomUUID } from "node:crypto";

import { credentialContext, webhookSecretContext } from "@sluice/domain/secret-context";
import { RECOMMENDED_BOXES, REQUIRED_BOXES } from "@sluice/domain/webhook-events";
import { generateKey, parseKeyring } from "@sluice/runtime/keyring";
import { openStore, type Store } from "@sluice/store/client";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";
import type { z } from "zod";

import type { RunningApi } from "./start-api.ts";
import { call, startTestApi, type Answer } from "./test-api.ts";
import { appliedSchema, planSchema } from "./webhooks-schema.ts";

/** Where Bitbucket would reach the ingress. */
const PUBLIC_URL = "https://sluice.example.com";
/** Of every integration: to be found in no answer. */
export const WEBHOOK_SECRET = "the-webhook-secret-of-the-tests";
/** What a webhook that was set up subscribes to. */
export const ALL_EVENTS: readonly string[] = [...REQUIRED_BOXES, ...RECOMMENDED_BOXES]
  .map(({ key }) => key)
  .toSorted();

/** A credential, as the simulated Bitbucket knows it. */
export type TestCredential =
  | { readonly kind: "access_token"; readonly token: string }
  | { readonly kind: "api_token"; readonly email: string; readonly token: string };

/** What a request is: its `scope`, and what goes with it. Default: every repository of targets. */
type Wish = Readonly<Record<string, unknown>>;
type Plan = z.infer<typeof planSchema>;
type Report = z.infer<typeof appliedSchema>;

/** An integration, and what an admin does with its webhooks. */
export interface TestIntegration {
  readonly id: string;
  /** Its endpoint. */
  readonly url: string;
  send(verb: "plan" | "apply", body: object, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** @throws when the answer is no success. */
  plan(wish?: Wish): Promise<Plan>;
  /** @throws when the answer is no success. */
  apply(body: Wish): Promise<Report>;
  /** Plans, and applies what was planned. */
  provision(wish?: Wish): Promise<Report>;
  /** The drift of each repository, in words. */
  drifts(): Promise<readonly (readonly string[])[]>;
  /** Its rows in the audit log, the oldest first. */
  audited(): Promise<{ readonly action: string; readonly details: unknown }[]>;
}

/** An API that calls a simulated Bitbucket. */
export interface WebhookScene {
  readonly api: RunningApi;
  readonly store: Store;
  /** Another API on the same database. */
  startApi(publicUrl: string | null): Promise<RunningApi>;
  /** An integration in the root space with a stack in each of these repositories. */
  addIntegration(given: {
    readonly slug: string;
    readonly credential: TestCredential;
    readonly repositories: readonly string[];
  }): Promise<TestIntegration>;
  /** What was kept of a repository's webhooks; undefined: nothing. */
  stored(
    fullName: string,
  ): Promise<{ readonly drift: unknown; readonly unreadable: string | null } | undefined>;
  close(): Promise<void>;
}

/** On a database that `migrateForApi` has made, and that goes with the scene. */
export async function createWebhookScene(input: {
  readonly database: { readonly url: string; drop(): Promise<void> };
  readonly bitbucketUrl: string;
}): Promise<WebhookScene> {
  const { database, bitbucketUrl: bitbucketApiUrl } = input;
  const keyring = parseKeyring(generateKey());
  const store = openStore({ url: database.url, maxConnections: 4, applicationName: "test" });
  const urls = { databaseUrl: database.url, queueUrl: database.url };
  const startApi = (publicUrl: string | null) =>
    startTestApi(urls, { configuration: { keyring, bitbucketApiUrl, publicUrl } });
  const api = await startApi(PUBLIC_URL);
  return {
    api,
    store,
    startApi,
    async addIntegration({ slug, credential, repositories }) {
      const id = randomUUID();
      await insertIntegration(store, {
        id,
        slug,
        webhookSecretCiphertext: keyring.encrypt(WEBHOOK_SECRET, webhookSecretContext(id)),
        credentialCiphertext: keyring.encrypt(credential.token, credentialContext(id)),
      });
      const email = credential.kind === "api_token" ? credential.email : null;
      await store.sql`
        UPDATE sluice.integrations SET credential_kind = ${credential.kind}, credential_email = ${email} WHERE id = ${id}`;
      for (const repository of repositories) {
        await insertStack(store, { integrationId: id, repository, name: repository });
      }
      return testIntegration(store, { id, slug, apiUrl: api.url });
    },
    async stored(fullName) {
      const [row] = await store.sql<{ drift: unknown; unreadable: string | null }[]>`
        SELECT drift, unreadable FROM sluice.repository_hooks
        JOIN sluice.repositories ON repositories.id = repository_id WHERE full_name = ${fullName}`;
      return row;
    },
    async close() {
      await api.close(1_000);
      await store.close();
      await database.drop();
    },
  };
}

const TARGETS: Wish = { scope: "targets" };

function testIntegration(
  store: Store,
  { id, slug, apiUrl }: { readonly id: string; readonly slug: string; readonly apiUrl: string },
): TestIntegration {
  const send: TestIntegration["send"] = (verb, body, headers) =>
    call(`${apiUrl}/v1/integrations/${id}/webhooks/${verb}`, { method: "POST", body, headers });
  const succeed = async <Body>(answer: Promise<Answer>, schema: z.ZodType<Body>): Promise<Body> => {
    const { status, body } = await answer;
    if (status !== 200) throw new Error(`it was answered ${String(status)}: ${JSON.stringify(body)}`);
    return schema.parse(body);
  };
  const plan = (wish = TARGETS) => succeed(send("plan", wish), planSchema);
  const apply = (body: Wish) => succeed(send("apply", body), appliedSchema);
  return {
    id,
    url: `${PUBLIC_URL}/webhooks/bitbucket-cloud/${slug}`,
    send,
    plan,
    apply,
    provision: async (wish = TARGETS) => apply({ ...wish, plan_digest: (await plan(wish)).plan_digest }),
    drifts: async () => (await plan()).items.map(({ drift }) => drift.map(({ kind }) => kind)),
    audited: () => store.sql<{ action: string; details: unknown }[]>`
      SELECT action, details FROM sluice.audit_log WHERE subject_id = ${id} ORDER BY id`,
  };
}
