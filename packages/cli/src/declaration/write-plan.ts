/** Writes a plan, inside the transaction that made it. */
import { randomBytes } from "node:crypto";
import {
  credentialContext,
  previousSecretContext,
  webhookSecretContext,
} from "@sluice/domain/secret-context";
import type { Keyring } from "@sluice/runtime/keyring";
import { insertAuditEntries } from "@sluice/store/audit-log";
import type { Database } from "@sluice/store/client";
import {
  deleteIntegrations,
  type IntegrationRow,
  saveCallBudgets,
  saveIntegrations,
} from "@sluice/store/declared-integrations";
import { deleteSpaces, drawIds, saveSpaces } from "@sluice/store/declared-spaces";
import type { DeclaredState, StoredIntegration } from "@sluice/store/declared-state";
import {
  bindRepositories,
  detachTargets,
  namedRepositoryKey,
  removeTargets,
  saveTargets,
} from "@sluice/store/declared-targets";
import { lockRepositoriesOfTargets } from "@sluice/store/integration-records";

import { type EntryIds, idOf, listAuditEntries } from "./audit-plan.ts";
import { targetKey } from "./check-references.ts";
import type { DeclaredIntegration } from "./declaration.ts";
import type { Plan, PlannedTarget } from "./plan.ts";
import { planNewSecrets, type SecretsPlan } from "./plan-secrets.ts";

/** A secret that was made, to be shown once and never again. */
export interface GeneratedSecret {
  readonly integration: string;
  readonly slug: string;
  readonly secret: string;
}

/** What a plan is written with. */
export interface WriteOptions {
  /** What the plan was made from. */
  readonly stored: DeclaredState;
  readonly keyring: Keyring;
  /** Who applies it, for the audit log. */
  readonly by: string;
}

/** Filled while entries are made. */
interface Ids extends EntryIds {
  readonly spaces: Map<string, string>;
  readonly integrations: Map<string, string>;
  readonly targets: Map<string, string>;
}

/** Rule 4. */
const SECRET_BYTES = 32;

/**
 * Writes everything with its audit rows, and gives the secrets that were made for it. What is removed goes before what comes, which may have
 * its slug or its place as the default; repositories are held before targets are touched, as deliveries do it, so that
 * neither waits for the other for ever.
 */
export async function writePlan(tx: Database, plan: Plan, options: WriteOptions): Promise<GeneratedSecret[]> {
  const { stored, keyring, by } = options;
  const ids: Ids = {
    spaces: new Map(stored.spaces.map((space) => [space.name, space.id])),
    integrations: new Map(stored.integrations.map((each) => [each.name, each.id])),
    targets: new Map(stored.targets.map((target) => [targetKey(target), target.id])),
  };
  const removedIntegrations = plan.integrations.remove.map((each) => each.id);
  await writeSpaces(tx, plan.spaces, ids);
  await deleteIntegrations(tx, removedIntegrations);
  const generated = await writeIntegrations(tx, plan.integrations, { ids, keyring });
  await writeTargets(tx, plan, ids);
  await detachTargets(tx, removedIntegrations);
  await deleteSpaces(
    tx,
    plan.spaces.remove.map((space) => space.id),
  );
  const actor = { kind: "command_line", keyId: null, name: by, address: null } as const;
  await insertAuditEntries(tx, actor, listAuditEntries(plan, ids));
  return generated;
}

async function writeSpaces(tx: Database, { create, update }: Plan["spaces"], ids: Ids): Promise<void> {
  await addIds(
    tx,
    ids.spaces,
    create.map((space) => space.name),
  );
  const declared = [...create, ...update.map((each) => each.declared)];
  await saveSpaces(
    tx,
    declared.map((space) => ({
      id: idOf(ids.spaces, space.name),
      name: space.name,
      parentId: idOf(ids.spaces, space.parent),
      inheritEntities: space.inheritEntities,
    })),
  );
}

async function writeIntegrations(
  tx: Database,
  { create, update }: Plan["integrations"],
  { ids, keyring }: { readonly ids: Ids; readonly keyring: Keyring },
): Promise<GeneratedSecret[]> {
  await addIds(
    tx,
    ids.integrations,
    create.map((each) => each.name),
  );
  for (const { declared, stored } of update) {
    if (declared.enabled !== stored.enabled) await lockRepositoriesOfTargets(tx, stored.id);
  }
  const generated: GeneratedSecret[] = [];
  const generate = ({ name, slug }: DeclaredIntegration): string => {
    const secret = randomBytes(SECRET_BYTES).toString("base64url");
    generated.push({ integration: name, slug, secret });
    return secret;
  };
  const written = [
    ...create.map((declared) => ({ declared, stored: null, secrets: planNewSecrets(declared) })),
    ...update,
  ];
  const rows = written.map((each) => createRow({ ...each, ids, keyring, generate }));
  await saveIntegrations(tx, rows);
  await saveCallBudgets(
    tx,
    written.map(({ declared }) => ({
      integrationId: idOf(ids.integrations, declared.name),
      callsPerHour: declared.callsPerHour,
    })),
  );
  return generated;
}

interface RowInput {
  readonly declared: DeclaredIntegration;
  /** Null for a new one. */
  readonly stored: StoredIntegration | null;
  readonly secrets: SecretsPlan;
  readonly ids: Ids;
  readonly keyring: Keyring;
  readonly generate: (integration: DeclaredIntegration) => string;
}

function createRow({ declared, stored, secrets, ids, keyring, generate }: RowInput): IntegrationRow {
  const id = idOf(ids.integrations, declared.name);
  const { token, webhookSecret, previous } = secrets;
  const secret = webhookSecret.kind === "generate" ? generate(declared) : webhookSecret;
  return {
    id,
    name: declared.name,
    slug: declared.slug,
    spaceId: declared.space === null ? null : idOf(ids.spaces, declared.space),
    credentialKind: declared.credentialKind,
    credentialEmail: declared.credentialEmail,
    credentialCiphertext:
      token.kind === "set"
        ? keyring.encrypt(token.value, credentialContext(id))
        : (stored?.credentialCiphertext ?? null),
    credentialExpiresAt: declared.credentialExpiresAt,
    webhookSecretCiphertext:
      typeof secret === "string"
        ? keyring.encrypt(secret, webhookSecretContext(id))
        : secret.kind === "set"
          ? keyring.encrypt(secret.value, webhookSecretContext(id))
          : (stored?.webhookSecretCiphertext ?? null),
    previousSecretCiphertext:
      previous.kind === "set"
        ? keyring.encrypt(previous.value, previousSecretContext(id))
        : previous.kind === "keep"
          ? (stored?.previousSecretCiphertext ?? null)
          : null,
    previousSecretExpiresInMs: previous.kind === "set" ? previous.expiresInMs : null,
    previousSecretExpiresAt: previous.kind === "keep" ? (stored?.previousSecretExpiresAt ?? null) : null,
    checksMode: declared.checksMode,
    labels: declared.labels,
    description: declared.description,
    enabled: declared.enabled,
  };
}

async function writeTargets(tx: Database, { targets }: Plan, ids: Ids): Promise<void> {
  await addIds(tx, ids.targets, targets.create.map(targetKey));
  const written = [...targets.create, ...targets.update.map(({ declared }) => declared)];
  const repositories = await bindRepositories(
    tx,
    written.map((declared) => nameRepository(declared, ids)),
  );
  await removeTargets(
    tx,
    targets.remove.map((target) => target.id),
  );
  await saveTargets(
    tx,
    written.map((declared) => ({
      ...declared,
      id: idOf(ids.targets, targetKey(declared)),
      spaceId: idOf(ids.spaces, declared.space),
      integrationId: idOf(ids.integrations, declared.integration),
      repositoryId: idOf(repositories, namedRepositoryKey(nameRepository(declared, ids))),
    })),
  );
}

function nameRepository({ integration, repository }: PlannedTarget, ids: Ids) {
  return { integrationId: idOf(ids.integrations, integration), fullName: repository };
}

async function addIds(tx: Database, ids: Map<string, string>, created: readonly string[]): Promise<void> {
  const drawn = await drawIds(tx, created.length);
  for (const [index, id] of drawn.entries()) {
    const key = created[index];
    if (key !== undefined) ids.set(key, id);
  }
}
