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
  const { plan } = await applyDeclaration(scene.store, { ...input, agreed: null });
  expect(describePlan(plan)[0]?.fields.map((field) => field.field)).toEqual([
    "credential.token",
    "webhook_secret",
  ]);
  expect(isEmptyPlan(await planDeclaration(scene.store, input))).toBe(true);
});
