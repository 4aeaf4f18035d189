import {
  credentialContext,
  previousSecretContext,
  webhookSecretContext,
} from "@sluice/domain/secret-context";
import { generateKey, parseKeyring } from "@sluice/runtime/keyring";
import { expect, test } from "vitest";

import { applyDeclaration, planDeclaration } from "./apply-declaration.ts";
import { describePlan } from "./describe-plan.ts";
import { isEmptyPlan } from "./plan.ts";
import {
  ACME,
  ACME_WITHOUT_SECRET,
  declare,
  ENVIRONMENT,
  fieldsOf,
  KEYRING,
  useScene,
} from "./test-scene.ts";

const scene = useScene();

async function secretsOf(slug: string) {
  const [row] = await scene.store.sql<
    {
      id: string;
      credentialCiphertext: string;
      webhookSecretCiphertext: string;
      previousSecretCiphertext: string | null;
      hoursLeft: number | null;
    }[]
  >`
    SELECT id, credential_ciphertext, webhook_secret_ciphertext, previous_secret_ciphertext,
           round(extract(epoch FROM previous_secret_expires_at - now()) / 3600)::float AS hours_left
    FROM sluice.integrations WHERE slug = ${slug} AND deleted_at IS NULL`;
  if (row === undefined) throw new Error(`no integration ${slug}`);
  return {
    token: KEYRING.decrypt(row.credentialCiphertext, credentialContext(row.id)),
    current: KEYRING.decrypt(row.webhookSecretCiphertext, webhookSecretContext(row.id)),
    previous:
      row.previousSecretCiphertext === null
        ? null
        : KEYRING.decrypt(row.previousSecretCiphertext, previousSecretContext(row.id)),
    hoursLeft: row.hoursLeft,
  };
}

test("secrets are stored encrypted, each for its own place", async () => {
  await scene.apply(ACME);
  expect(await secretsOf("acme-infra")).toEqual({
    token: ENVIRONMENT.TOKEN,
    current: ENVIRONMENT.SECRET,
    previous: null,
    hoursLeft: null,
  });
  const [row] = await scene.store.sql<
    { stored: string }[]
  >`SELECT integrations::text AS stored FROM sluice.integrations`;
  expect(row?.stored).toContain("bot@acme.example");
  expect(row?.stored).not.toContain("LEAK");
});

test("a webhook secret that is left out is made once, shown once, and kept (rule 4)", async () => {
  const text = ACME_WITHOUT_SECRET;
  const first = await scene.apply(text);
  expect(first.generated).toEqual([
    { integration: "Acme Infra", slug: "acme-infra", secret: expect.stringMatching(/^[\w-]{43}$/) },
  ]);
  const second = await scene.apply(text);
  expect(second.generated).toEqual([]);
  expect((await secretsOf("acme-infra")).current).toBe(first.generated[0]?.secret);
});

test("a new webhook secret is shown as changed, and the one before verifies for the overlap (rule 4)", async () => {
  await scene.apply(ACME);
  const rotated = { ...ENVIRONMENT, SECRET: ENVIRONMENT.SECRET_2, TOKEN: ENVIRONMENT.TOKEN_2 };
  const applied = await scene.apply(`${ACME}\n    secret_overlap: 7d`, { environment: rotated });
  expect(fieldsOf(applied)).toEqual(["credential.token", "webhook_secret"]);
  expect(await secretsOf("acme-infra")).toEqual({
    token: ENVIRONMENT.TOKEN_2,
    current: ENVIRONMENT.SECRET_2,
    previous: ENVIRONMENT.SECRET,
    hoursLeft: 7 * 24,
  });
  expect(
    isEmptyPlan((await scene.apply(`${ACME}\n    secret_overlap: 7d`, { environment: rotated })).plan),
  ).toBe(true);
});

test("a rotation without an overlap ends the old secret at once (rule 4)", async () => {
  await scene.apply(ACME);
  const environment = { ...ENVIRONMENT, SECRET: ENVIRONMENT.SECRET_2 };
  await scene.apply(`${ACME}\n    secret_overlap: 0s`, { environment });
  expect(await secretsOf("acme-infra")).toMatchObject({ current: ENVIRONMENT.SECRET_2, previous: null });
});

test("a previous secret that the file names verifies for as long as it is there", async () => {
  const named = `${ACME}\n    previous_webhook_secret: \${SECRET_2}`;
  await scene.apply(named);
  expect(await secretsOf("acme-infra")).toMatchObject({ previous: ENVIRONMENT.SECRET_2, hoursLeft: null });
  expect(isEmptyPlan((await scene.apply(named)).plan)).toBe(true);
  const applied = await scene.apply(ACME);
  expect(fieldsOf(applied)).toEqual(["previous_webhook_secret"]);
  expect(await secretsOf("acme-infra")).toMatchObject({ current: ENVIRONMENT.SECRET, previous: null });
});

test("secrets that no present key decrypts are replaced by those of the file", async () => {
  await scene.apply(ACME);
  const keyring = parseKeyring(generateKey());
  const input = { declaration: declare(ACME), keyring, prune: false };
  const { plan } = await applyDeclaration(scene.store, { ...input, agreed: null, by: "ada" });
  expect(describePlan(plan)[0]?.fields.map((field) => field.field)).toEqual([
    "credential.token",
    "webhook_secret",
  ]);
  expect(isEmptyPlan(await planDeclaration(scene.store, input))).toBe(true);
});

test("what the API has set and a file leaves out gets its default, which is shown; a token that is replaced loses its health", async () => {
  const said = ACME.replace('"${TOKEN}" }', '"${TOKEN}", expires_at: 2030-01-31 }\n    enabled: false');
  await scene.apply(ACME);
  const { sql } = scene.store;
  await sql`
    UPDATE sluice.integrations SET enabled = false, credential_expires_at = '2030-01-31Z' WHERE slug = 'acme-infra'`;
  await sql`
    INSERT INTO sluice.credential_health (integration_id, state)
    SELECT id, 'ok' FROM sluice.integrations WHERE slug = 'acme-infra'`;
  const read = async () => {
    const [row] = await sql`
      SELECT enabled, credential_expires_at AT TIME ZONE 'UTC' AS ends, health.state
      FROM sluice.integrations LEFT JOIN sluice.credential_health AS health ON integration_id = id
      WHERE slug = 'acme-infra'`;
    return row;
  };
  expect(isEmptyPlan((await scene.apply(said)).plan)).toBe(true);
  expect(fieldsOf(await scene.apply(ACME))).toEqual(["credential.expires_at", "enabled"]);
  expect(await read()).toEqual({ enabled: true, ends: null, state: "ok" });
  expect(fieldsOf(await scene.apply(said))).toEqual(["credential.expires_at", "enabled"]);
  expect(await read()).toEqual({ enabled: false, ends: "2030-01-31 00:00:00", state: "ok" });
  await scene.apply(said, { environment: { ...ENVIRONMENT, TOKEN: "another-token" } });
  expect(await read()).toEqual({ enabled: false, ends: "2030-01-31 00:00:00", state: null });
});

test("a file without integrations leaves alone what the API has set of them", async () => {
  await scene.apply(ACME);
  await scene.store
    .sql`UPDATE sluice.integrations SET enabled = false, credential_expires_at = '2030-01-31Z'`;
  await scene.apply("stacks: [{ name: s, repository: acme/s, tracked_branch: main }]", { prune: true });
  const rows = await scene.store
    .sql`SELECT enabled, credential_expires_at IS NOT NULL AS has_end FROM sluice.integrations`;
  expect([...rows]).toEqual([{ enabled: false, hasEnd: true }]);
});
