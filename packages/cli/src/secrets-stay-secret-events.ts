/** Integrations and their webhooks, good and bad: the first half of the story of secrets-stay-secret.e2e.test.ts. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { signBody } from "@sluice/bitbucket/signature";
import { credentialContext } from "@sluice/domain/secret-context";
import { generateKey, parseKeyring } from "@sluice/runtime/keyring";
import { expect, vi } from "vitest";

import { aSecret, type Scene, stringIn } from "./secrets-stay-secret-scene.ts";
import { createApiReader } from "./test-api-reader.ts";

/** What is applied; secrets are in the environment. */
export const FILE = `version: 1
spaces:
  - name: mailed
  - name: wrong
  - name: broken
integrations:
  - name: Acme
    default: true
    credential: { kind: access_token, token: "\${GOOD_TOKEN}" }
    webhook_secret: "\${SECRET}"
    secret_overlap: 1d
  - name: Mailed
    space: mailed
    credential: { kind: api_token, email: robot@acme.example, token: "\${MAILED_TOKEN}" }
    webhook_secret: "\${OTHER_SECRET}"
  - name: Wrong
    space: wrong
    credential: { kind: api_token, email: robot@acme.example, token: "\${WRONG_TOKEN}" }
    webhook_secret: "\${OTHER_SECRET}"
  - name: Broken
    space: broken
    credential: { kind: access_token, token: "\${GOOD_TOKEN}" }
    webhook_secret: "\${OTHER_SECRET}"
  - name: Made
    space: broken
    credential: { kind: access_token, token: "\${GOOD_TOKEN}" }
stacks:
  - { name: acme, repository: acme/infra, tracked_branch: main, project_root: live }
  - { name: mailed, space: mailed, integration: Mailed, repository: mailed/infra, tracked_branch: main, project_root: live }
  - { name: wrong, space: wrong, integration: Wrong, repository: wrong/infra, tracked_branch: main, project_root: live }
  - { name: broken, space: broken, integration: Broken, repository: broken/infra, tracked_branch: main, project_root: live }
`;

/** What the worker logs when a token cannot be decrypted, another is refused, and a webhook is not of its key's shape. */
export const WORKER_EVENTS = [
  "encryption_key_unknown",
  "queue.job_failed",
  "credential.refused",
  "delivery.failed",
];

/** Applies files, and rotates the secret of one integration; of another the token cannot be decrypted afterwards. */
export async function applyFiles(scene: Scene, folder: string): Promise<void> {
  const { secrets, tokens } = scene;
  const values = {
    GOOD_TOKEN: tokens.good,
    MAILED_TOKEN: tokens.mailed,
    WRONG_TOKEN: aSecret("wrong-token"),
    OTHER_SECRET: aSecret("other-webhook-secret"),
  };
  const [previous, current] = [aSecret("previous-webhook-secret"), aSecret("webhook-secret")];
  secrets
    .set("token that Bitbucket refuses", values.WRONG_TOKEN)
    .set("webhook secret of the others", values.OTHER_SECRET)
    .set("previous webhook secret", previous)
    .set("webhook secret", current);
  const file = join(folder, "sluice.yaml");
  await writeFile(file, FILE);
  const args = ["apply", "-f", file, "--yes", "--json"];
  const made = await scene.cli("apply that makes a secret", args, { ...values, SECRET: previous });
  expect(made).toMatchObject({ code: 0, err: "" });
  secrets.set("webhook secret that apply made", stringIn(JSON.parse(made.out), "webhook_secret"));
  const changed = await scene.cli("apply that changes a secret", args, { ...values, SECRET: current });
  expect(changed.code).toBe(0);
  // A key that nobody has: what is encrypted with it cannot be read.
  const lost = parseKeyring(generateKey());
  for (const { id } of await scene.store.sql<
    { id: string }[]
  >`SELECT id FROM sluice.integrations WHERE slug = 'broken'`) {
    const ciphertext = lost.encrypt(tokens.good, credentialContext(id));
    await scene.store
      .sql`UPDATE sluice.integrations SET credential_ciphertext = ${ciphertext} WHERE id = ${id}`;
  }
}

/** Good ones of each integration, and bad ones that carry secrets where they do not belong. */
export async function sendWebhooks(scene: Scene): Promise<void> {
  const { bitbucket, secrets, ingressUrl, request } = scene;
  const secret = secrets.get("webhook secret") ?? "";
  const other = secrets.get("webhook secret of the others") ?? "";
  const endpoint = (slug: string) => `${ingressUrl}/webhooks/bitbucket-cloud/${slug}`;
  for (const slug of ["acme", "mailed", "wrong", "broken"]) {
    const letGo = bitbucket.webhooks.injectFault({ kind: "lose" });
    const repository = bitbucket.createRepository({ workspace: slug, slug: "infra" });
    repository.push({ files: { "README.md": "1" } });
    await bitbucket.settled();
    letGo();
    const hookSecret = slug === "acme" ? secret : other;
    bitbucket.createWorkspaceHook(slug, { url: endpoint(slug), secret: hookSecret, events: ["repo:push"] });
    repository.push({ files: { "live/main.tf": "1" } });
  }
  await bitbucket.settled();

  const body = Buffer.from(JSON.stringify({ push: { changes: [] }, why: "a body without a repository" }));
  const send = (place: string, url: string, headers: Record<string, string>, sent: Buffer = body) =>
    request(`answer to a webhook ${place}`, url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-event-key": "repo:push",
        "x-request-uuid": crypto.randomUUID(),
        "x-hook-uuid": crypto.randomUUID(),
        ...headers,
      },
      body: new Uint8Array(sent),
    });
  const previous = secrets.get("previous webhook secret") ?? "";
  const signed = { "x-hub-signature": signBody(body, secret) };
  const answers = [
    await send("with the previous secret", endpoint("acme"), { "x-hub-signature": signBody(body, previous) }),
    await send("of the wrong shape", endpoint("acme"), signed),
    await send("without a signature", endpoint("acme"), {}),
    await send("with a wrong signature", endpoint("acme"), { "x-hub-signature": signBody(body, "wrong") }),
    await send("with the secret as signature", endpoint("acme"), { "x-hub-signature": secret }),
    await send(
      "with the secret in the query",
      `${endpoint("acme")}?secret=${encodeURIComponent(secret)}`,
      {},
    ),
    await send("with the secret as slug", endpoint(encodeURIComponent(secret)), signed),
    await send("with the secret in the body", endpoint("acme"), {}, Buffer.from(JSON.stringify({ secret }))),
    await send("with the secret as a header of its own", endpoint("acme"), { ...signed, "x-secret": secret }),
    await send("without a media type, the secret in its place", endpoint("acme"), {
      ...signed,
      "content-type": secret,
    }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 401, 401, 401, 401, 401, 401, 202, 415]);
}

/** The good ones are decided; Bitbucket has refused one token, and another cannot be decrypted. */
export async function awaitOutcomes(scene: Scene): Promise<void> {
  const reader = createApiReader(scene.apiUrl, scene.secrets.get("bootstrap key") ?? "");
  const sent = scene.bitbucket.webhooks.history();
  for (const { requestUuid } of sent.slice(0, 2)) await reader.decided(requestUuid);
  const log = () => scene.lines["worker"]?.join("") ?? "";
  for (const event of WORKER_EVENTS) {
    await vi.waitFor(() => expect(log()).toContain(event), { timeout: 20_000, interval: 50 });
  }
}
