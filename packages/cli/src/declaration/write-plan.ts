/** Writes a plan, inside the transaction that made it. */
import { randomBytes } from "node:crypto";
import {
  credentialContext,
  previousSecretContext,
  webhookSecretContext,
} from "@sluice/domain/secret-context";
import type { Keyring } from "@sluice/runtime/keyring";
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
}

/** Ids by name, of what was there and of what is made. */
interface Ids {
  readonly spaces: Map<string, string>;
  readonly integrations: Map<string, string>;
}

/** Rule 4. */
const SECRET_BYTES = 32;

/**
 * Writes everything, and gives the secrets that were made for it. What is removed goes before what comes, which may have
 * its slug or its place as the default; repositories are held before targets are touched, as deliveries do it, so that
 * neither waits for the other for ever.
 */
export async function writePlan(tx: Database, plan: Plan, options: WriteOptions): Promise<GeneratedSecret[]> {
  const { stored, keyring } = options;
  const ids: Ids = {
    spaces: new Map(stored.spaces.map((space) => [space.name, space.id])),
    integrations: new Map(stored.integrations.map((each) => [each.name, each.id])),
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
  return generated;
}

async function writeSpaces(tx: Database, { create, update }: Plan["spaces"], ids: Ids): Promise<void> {
  await addIds(tx, ids.spaces, create);
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
  await addIds(tx, ids.integrations, create);
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
  };
}

async function writeTargets(tx: Database, { targets }: Plan, ids: Ids): Promise<void> {
  const written = [
    ...targets.create.map((declared) => ({ declared, id: null })),
    ...targets.update.map(({ declared, stored }) => ({ declared, id: stored.id })),
  ];
  const repositories = await bindRepositories(
    tx,
    written.map(({ declared }) => nameRepository(declared, ids)),
  );
  await removeTargets(
    tx,
    targets.remove.map((target) => target.id),
  );
  await saveTargets(
    tx,
    written.map(({ declared, id }) => ({
      ...declared,
      id,
      spaceId: idOf(ids.spaces, declared.space),
      integrationId: idOf(ids.integrations, declared.integration),
      repositoryId: idOf(repositories, namedRepositoryKey(nameRepository(declared, ids))),
    })),
  );
}

function nameRepository({ integration, repository }: PlannedTarget, ids: Ids) {
  return { integrationId: idOf(ids.integrations, integration), fullName: repository };
}

async function addIds(
  tx: Database,
  ids: Map<string, string>,
  created: readonly { readonly name: string }[],
): Promise<void> {
  const drawn = await drawIds(tx, created.length);
  for (const [index, id] of drawn.entries()) {
    const entry = created[index];
    if (entry !== undefined) ids.set(entry.name, id);
  }
}

/** Names were checked before: one without an id is a mistake of ours. */
function idOf(ids: ReadonlyMap<string, string>, name: string): string {
  const id = ids.get(name);
  if (id === undefined) throw new Error(`${name} has no id`);
  return id;
}
