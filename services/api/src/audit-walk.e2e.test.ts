import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { startBitbucketServer, type BitbucketServer } from "@sluice/simulator/rest-server";
import { compressBody } from "@sluice/store/delivery-bodies";
import { insertTrigger } from "@sluice/store/test-trigger-fixtures";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { z } from "zod";

import { migrateForApi, TEST_KEY } from "./test-api.ts";
import {
  arrangeIntegrations,
  CREDENTIALS,
  REPOSITORY,
  TOKEN,
  type IntegrationScene,
} from "./test-integrations.ts";
import { listOperations } from "./test-operations.ts";
import { aTarget } from "./test-targets.ts";

/** Changes of which the audit log has nothing, each with what has it instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "POST /v1/triggers/claim": "the trigger's history",
  "POST /v1/triggers/{id}/start": "the trigger's history",
  "POST /v1/triggers/{id}/wait": "the trigger's history",
  "POST /v1/triggers/{id}/heartbeat": "the trigger's history",
  "POST /v1/triggers/{id}/finish": "the trigger's history",
  "POST /v1/integrations/{id}/check": "the integration's health, nothing else changes",
  "POST /v1/integrations/{id}/webhooks/plan": "the repository's drift, nothing else changes",
};
/** Looks that are noted as changes are. */
const NOTED_LOOKS = ["GET /v1/integrations/{id}/webhook", "GET /v1/deliveries/{id}/body"];

const OTHER_TOKEN = "another-token-of-the-tests";
/** Metadata is the scheduler's, and is stored as it is; what it holds is not for the log. */
const METADATA_TOKENS = ["a-token-in-metadata", "another-token-in-metadata"];

let api: IntegrationScene<BitbucketServer>;

beforeAll(async () => {
  const bitbucket = createBitbucket({ seed: "audit" });
  const [workspace = "", slug = ""] = REPOSITORY.split("/");
  bitbucket.createRepository({ workspace, slug });
  const server = await startBitbucketServer({ bitbucket, credentials: CREDENTIALS });
  const serverUrl = inject("postgresUrl");
  const database = await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" });
  api = await arrangeIntegrations({ database, server });
});

afterAll(() => api.close());

test("every change leaves a row that says who did it to what, and no secret", async () => {
  const walked = new Set<string>();
  const secrets = [TEST_KEY, TOKEN.token, OTHER_TOKEN, ...METADATA_TOKENS];
  let rows = 0;

  /** Does it, and looks at what it left. @returns the answer. */
  async function walk(name: string, { id = "" }: { readonly id?: string } = {}, body?: unknown) {
    const [method = "", template = ""] = name.split(" ");
    const path = template.replace("{id}", id);
    const answer = await api.call(method, path, body, { "if-match": "*" });
    expect({ name, answer }).toMatchObject({ answer: { status: expect.toBeOneOf([200, 201]) as number } });
    const secretsOf = z
      .looseObject({ key: z.string(), webhook_secret: z.string(), secret: z.string() })
      .partial();
    const { key, webhook_secret: first, secret } = secretsOf.parse(answer.body);
    secrets.push(...[key, first, secret].filter((each) => each !== undefined));
    const left = await api.store.sql<Record<string, unknown>[]>`
      SELECT * FROM sluice.audit_log ORDER BY id OFFSET ${rows}`;
    expect({ name, left }).toMatchObject({
      left: [{ actorKind: "bootstrap_key", address: "127.0.0.1", subjectKind: expect.any(String) as string }],
    });
    const told = JSON.stringify(left);
    expect({ name, leaked: secrets.filter((each) => told.includes(each)) }).toEqual({ name, leaked: [] });
    rows += left.length;
    walked.add(name);
    return z.looseObject({ id: z.string().default("") }).parse(answer.body);
  }

  const space = await walk("POST /v1/spaces", {}, { name: "team" });
  await walk("PUT /v1/spaces/{id}", space, { parent: "root", inherit_entities: true });
  const key = await walk("POST /v1/api-keys", {}, { name: "ci", role: "write", space: "team" });
  await walk("DELETE /v1/api-keys/{id}", key);

  const made = { name: "acme", default: true, credential: TOKEN };
  const integration = await walk("POST /v1/integrations", {}, made);
  await walk("PUT /v1/integrations/{id}", integration, { calls_per_hour: 500 });
  await walk("PUT /v1/integrations/{id}/credential", integration, {
    credential: { ...TOKEN, token: OTHER_TOKEN },
  });
  await walk("PUT /v1/integrations/{id}/credential", integration, { credential: TOKEN });
  await walk("POST /v1/integrations/{id}/webhook-secret/rotate", integration, {});
  await walk("GET /v1/integrations/{id}/webhook", integration);

  const target = { ...aTarget("network", { space: "team", repository: REPOSITORY }) };
  const entry = { repository: REPOSITORY, tracked_branch: "main", metadata: { token: METADATA_TOKENS[0] } };
  const stack = await walk("POST /v1/stacks", {}, target);
  await walk("PUT /v1/stacks/{id}", stack, entry);
  await walk(
    "POST /v1/stacks/bulk",
    {},
    { items: [{ ...target, labels: ["eu"], metadata: { token: METADATA_TOKENS[1] } }] },
  );
  const module = await walk("POST /v1/modules", {}, target);
  await walk("PUT /v1/modules/{id}", module, entry);
  await walk("POST /v1/modules/bulk", {}, { items: [{ ...target, labels: ["eu"] }] });

  const scope = { scope: "targets" };
  const plan = await api.call("POST", `/v1/integrations/${integration.id}/webhooks/plan`, scope);
  const { plan_digest: digest } = z.object({ plan_digest: z.string() }).parse(plan.body);
  await walk("POST /v1/integrations/{id}/webhooks/apply", integration, { ...scope, plan_digest: digest });

  const triggers = [];
  for (const position of [1, 2])
    triggers.push(await insertTrigger(api.store, { targetId: stack.id, position }));
  const [canceled = "", ended = ""] = triggers;
  await walk("POST /v1/triggers/{id}/cancel", { id: canceled }, { by: "ada" });
  await api.call("POST", "/v1/triggers/claim", { holder: "h" });
  await walk("POST /v1/triggers/{id}/end", { id: ended }, { by: "ada", result: "failed", force: true });
  const [delivery] = await api.store.sql<{ id: string }[]>`SELECT id FROM sluice.deliveries LIMIT 1`;
  await api.store.sql`
    INSERT INTO sluice.delivery_bodies (delivery_id, headers, encoding, body)
    VALUES (${delivery!.id}, '{}', 'brotli', decode(${compressBody(Buffer.from(OTHER_TOKEN)).base64}, 'base64'))`;
  await walk("GET /v1/deliveries/{id}/body", delivery);

  await walk("DELETE /v1/stacks/{id}", stack);
  await walk("DELETE /v1/modules/{id}", module);
  await walk("DELETE /v1/integrations/{id}", integration);
  await walk("DELETE /v1/spaces/{id}", space);

  const changes = (await listOperations(api))
    .filter(({ method }) => method !== "GET")
    .map(({ name }) => name);
  const expected = [...changes.filter((name) => ELSEWHERE[name] === undefined), ...NOTED_LOOKS];
  expect([...walked].toSorted()).toEqual(expected.toSorted());
});
