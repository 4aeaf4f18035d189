import { randomUUID } from "node:crypto";

import { listAuditRecords } from "@sluice/store/audit-log";
import { findLastVerified } from "@sluice/store/integration-records";
import { expect, test } from "vitest";

import { ACME, ENVIRONMENT, STACKS, useScene } from "./test-scene.ts";

const scene = useScene();

/** The rows since the last call, the oldest first. */
let seen = new Set<string>();
async function newRows() {
  const rows = await listAuditRecords(scene.store, {
    reach: { kind: "everywhere" },
    limit: 1000,
    before: null,
  });
  const fresh = rows.filter(({ id }) => !seen.has(id)).toReversed();
  seen = new Set(rows.map(({ id }) => id));
  return fresh;
}

const told = async () =>
  (await newRows()).map(({ action, subjectName, details }) => [action, subjectName, details]);

const idOfSpace = async (name: string) =>
  (await scene.store.sql<{ id: string }[]>`SELECT id FROM sluice.spaces WHERE name = ${name}`)[0]?.id;

test("each thing that a file makes has a row, of the one who applied it, in the space whose admins may read it", async () => {
  const space = "spaces: [{ name: team, inherit_entities: true }]";
  await scene.apply(`${space}\n${ACME}\n${STACKS}
modules: [{ name: vpc, space: team, repository: acme/vpc, tracked_branch: main }]`);
  const rows = await newRows();
  expect(rows.map(({ action, subjectName, details }) => [action, subjectName, details])).toEqual([
    ["space.created", "team", { parent: "root", inherit_entities: true }],
    [
      "integration.created",
      "Acme Infra",
      { default: true, space: null, credential_kind: "api_token", enabled: true },
    ],
    ["stack.created", "network", { repository: "acme/infra" }],
    ["stack.created", "database", { repository: "acme/infra" }],
    ["module.created", "vpc", { repository: "acme/vpc" }],
  ]);
  for (const row of rows) {
    expect(row).toMatchObject({
      actorKind: "command_line",
      actorKeyId: null,
      actorName: "ada",
      address: null,
    });
  }
  const [root, team] = [await idOfSpace("root"), await idOfSpace("team")];
  expect(rows.map(({ spaceId }) => spaceId)).toEqual([root, null, root, root, team]);
  const made = await scene.store.sql<{ id: string }[]>`
    SELECT id FROM sluice.spaces WHERE name = 'team'
    UNION ALL SELECT id FROM sluice.integrations UNION ALL SELECT id FROM sluice.targets`;
  expect(new Set(rows.map(({ subjectId }) => subjectId))).toEqual(new Set(made.map(({ id }) => id)));
});

test("a change has the keys that changed, and nothing of a secret, of metadata or of a description", async () => {
  const stack = "{ name: s, repository: acme/s, tracked_branch: main }";
  await scene.apply(`spaces: [{ name: team }]\n${ACME}\nstacks: [${stack}]`);
  await newRows();
  const file = `spaces: [{ name: team, inherit_entities: true }]
${ACME.replace('"${TOKEN}" }', '"${TOKEN_2}", expires_at: 2030-01-31 }')}
    previous_webhook_secret: \${SECRET_2}
    description: PRIVATE
    calls_per_hour: 700
stacks: [${stack.replace("main", "dev, metadata: { key: PRIVATE }")}]`;
  await scene.apply(file);
  expect(await told()).toEqual([
    [
      "space.updated",
      "team",
      {
        from: { parent: "root", inherit_entities: false },
        to: { parent: "root", inherit_entities: true },
      },
    ],
    [
      "integration.updated",
      "Acme Infra",
      {
        changes: [
          { field: "description" },
          { field: "calls_per_hour", from: 1000, to: 700 },
          { field: "previous_webhook_secret" },
        ],
      },
    ],
    [
      "integration.credential_replaced",
      "Acme Infra",
      { credential_kind: "api_token", email: "bot@acme.example", expires_at: "2030-01-31T00:00:00.000Z" },
    ],
    ["stack.updated", "s", { changed: { tracked_branch: { from: "main", to: "dev" }, metadata: {} } }],
  ]);
  const log = await scene.store.sql<{ text: string }[]>`SELECT audit_log::text AS text FROM sluice.audit_log`;
  expect(log.map(({ text }) => text).join("\n")).not.toMatch(/LEAK|PRIVATE/);
  await scene.apply(file);
  expect(await told()).toEqual([]);
});

test("what is removed, and what loses its integration, has a row each", async () => {
  await scene.apply(`spaces: [{ name: team }]\n${ACME}\n${STACKS}`);
  await newRows();
  await scene.apply(`spaces: []\nintegrations: []`, { prune: true });
  expect(await told()).toEqual([
    ["stack.detached", "database", { integration: "Acme Infra" }],
    ["stack.detached", "network", { integration: "Acme Infra" }],
    ["integration.deleted", "Acme Infra", { detached_count: 2 }],
    ["space.deleted", "team", { parent: "root" }],
  ]);
  await scene.apply("stacks: []", { prune: true });
  expect(await told()).toEqual([
    ["stack.removed", "database", {}],
    ["stack.removed", "network", {}],
  ]);
});

test("after a rotation by a file, what the secret before verified is known as verified by that (rule 4)", async () => {
  await scene.apply(ACME);
  const [integration] = await scene.store.sql<{ id: string }[]>`SELECT id FROM sluice.integrations`;
  const id = integration?.id ?? "";
  await scene.store.sql`
    INSERT INTO sluice.deliveries (id, integration_id, request_id, source, event_key, attempt, secret_version, received_at, outcome, body_bytes)
    VALUES (uuidv7(), ${id}, ${randomUUID()}, 'webhook', 'repo:push', 1, 'current', now(), 'events', 0)`;
  const verifiedBy = async () => (await findLastVerified(scene.store, id))?.verifiedBy;
  expect(await verifiedBy()).toBe("current");
  await newRows();
  const rotate = (SECRET: string) =>
    scene.apply(`${ACME}\n    secret_overlap: 90m`, { environment: { ...ENVIRONMENT, SECRET } });
  await rotate(ENVIRONMENT.SECRET_2);
  expect(await told()).toEqual([["webhook_secret.rotated", "Acme Infra", { overlap_hours: 1.5 }]]);
  expect(await verifiedBy()).toBe("previous");
  await rotate("LEAK-webhook-secret-3");
  expect(await verifiedBy()).toBe("older");
});

test("an apply that fails on its way has left no row", async () => {
  await scene.apply(`spaces: [{ name: team }]\n${ACME}`);
  await newRows();
  await scene.store.sql`
    INSERT INTO sluice.api_keys (name, prefix, digest, role, space_id)
    SELECT 'a key', 'slk_1', repeat('0', 64), 'read', id FROM sluice.spaces WHERE name = 'team'`;
  const file = `spaces: []\n${ACME}\n    labels: [new]\n${STACKS}`;
  await expect(scene.apply(file, { prune: true })).rejects.toMatchObject({ code: "space_in_use" });
  expect(await told()).toEqual([]);
});
