/** What a plan leaves in the audit log: a row for each thing that it changes, in the words of the API. No secrets. */
import type { AuditEntry } from "@sluice/store/audit-log";
import type { StoredTarget } from "@sluice/store/declared-state";
import { SECRET_ROTATED } from "@sluice/store/integration-records";

import { targetKey } from "./check-references.ts";
import type { DeclaredIntegration } from "./declaration.ts";
import type { FieldChange, Plan } from "./plan.ts";
import type { SecretsPlan } from "./plan-secrets.ts";

/** Ids of what was there and of what was made: of spaces and integrations by name, of targets by `targetKey`. */
export interface EntryIds {
  readonly spaces: ReadonlyMap<string, string>;
  readonly integrations: ReadonlyMap<string, string>;
  readonly targets: ReadonlyMap<string, string>;
}

const HOUR_MS = 3_600_000;

/** The rows, in the order in which the changes are shown. A new secret and a new token are rows of their own. */
export function listAuditEntries(plan: Plan, ids: EntryIds): AuditEntry[] {
  return [
    ...listSpaceEntries(plan, ids),
    ...listIntegrationEntries(plan, ids),
    ...listTargetEntries(plan, ids),
    ...plan.integrations.remove.map((removed) => {
      const count = plan.detach.filter(({ integration }) => integration === removed.name).length;
      return entryOfIntegration("integration.deleted", removed, { detached_count: count }, ids);
    }),
    ...plan.spaces.remove.map((space) => entryOfSpace("space.deleted", space, { parent: space.parent }, ids)),
  ];
}

/** Names were checked before: one without an id is a mistake of ours. */
export function idOf(ids: ReadonlyMap<string, string>, name: string): string {
  const id = ids.get(name);
  if (id === undefined) throw new Error(`${name} has no id`);
  return id;
}

function listSpaceEntries({ spaces: { create, update } }: Plan, ids: EntryIds): AuditEntry[] {
  const settingsOf = (space: { readonly parent: string | null; readonly inheritEntities: boolean }) => ({
    parent: space.parent,
    inherit_entities: space.inheritEntities,
  });
  return [
    ...create.map((space) => entryOfSpace("space.created", space, settingsOf(space), ids)),
    ...update.map(({ declared, stored }) => {
      const details = { from: settingsOf(stored), to: settingsOf(declared) };
      return entryOfSpace("space.updated", declared, details, ids);
    }),
  ];
}

function listIntegrationEntries({ integrations }: Plan, ids: EntryIds): AuditEntry[] {
  return [
    ...integrations.create.map((declared) => {
      const { space, credentialKind, enabled } = declared;
      const details = { default: space === null, space, credential_kind: credentialKind, enabled };
      return entryOfIntegration("integration.created", declared, details, ids);
    }),
    ...integrations.update.flatMap(({ declared, changes, secrets }) => [
      ...listSettingsEntries(declared, changes, { secrets, ids }),
      ...listSecretEntries(declared, { secrets, ids }),
    ]),
  ];
}

interface SecretsInput {
  readonly secrets: SecretsPlan;
  readonly ids: EntryIds;
}

/** What the rows of a new token and a new secret say is not said twice. */
function listSettingsEntries(
  declared: DeclaredIntegration,
  changes: readonly FieldChange[],
  { secrets, ids }: SecretsInput,
): AuditEntry[] {
  const told = changes.filter(({ field }) =>
    field.startsWith("credential.") ? secrets.token.kind === "keep" : field !== "webhook_secret",
  );
  if (told.length === 0) return [];
  const details = { changes: told.map(describeChange) };
  return [entryOfIntegration("integration.updated", declared, details, ids)];
}

/** A description may be long; a secret has a name alone. */
function describeChange(change: FieldChange): object {
  const { field } = change;
  return change.kind === "secret" || field === "description"
    ? { field }
    : { field, from: change.from, to: change.to };
}

function listSecretEntries(declared: DeclaredIntegration, { secrets, ids }: SecretsInput): AuditEntry[] {
  const { token, webhookSecret, previous } = secrets;
  const overlapMs = previous.kind === "set" ? previous.expiresInMs : 0;
  const replaced = {
    credential_kind: declared.credentialKind,
    email: declared.credentialEmail,
    expires_at: declared.credentialExpiresAt,
  };
  // Null: for as long as the file names the secret.
  const rotated = { overlap_hours: overlapMs === null ? null : overlapMs / HOUR_MS };
  return [
    ...(token.kind === "keep"
      ? []
      : [entryOfIntegration("integration.credential_replaced", declared, replaced, ids)]),
    ...(webhookSecret.kind === "keep" ? [] : [entryOfIntegration(SECRET_ROTATED, declared, rotated, ids)]),
  ];
}

function listTargetEntries({ targets, detach }: Plan, ids: EntryIds): AuditEntry[] {
  return [
    ...targets.create.map((target) =>
      entryOfTarget("created", target, { repository: target.repository }, ids),
    ),
    ...targets.update.map(({ declared, changes }) =>
      entryOfTarget("updated", declared, { changed: describeTargetChanges(changes) }, ids),
    ),
    ...targets.remove.map((target) => entryOfTarget("removed", target, {}, ids)),
    ...detach.map((target) => entryOfTarget("detached", target, { integration: target.integration }, ids)),
  ];
}

/** What metadata holds is the scheduler's own, and may be a secret. */
function describeTargetChanges(changes: readonly FieldChange[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    changes.map((change) => [
      change.field,
      change.kind === "secret" || change.field === "metadata" ? {} : { from: change.from, to: change.to },
    ]),
  );
}

type Details = Readonly<Record<string, unknown>>;

/** Belongs to the parent, whose admins change the space. */
function entryOfSpace(
  action: string,
  { name, parent }: { readonly name: string; readonly parent: string | null },
  details: Details,
  ids: EntryIds,
): AuditEntry {
  const subject = { kind: "space", id: idOf(ids.spaces, name), name };
  return { action, subject, spaceId: parent === null ? null : idOf(ids.spaces, parent), details };
}

function entryOfIntegration(
  action: string,
  { name, space }: { readonly name: string; readonly space: string | null },
  details: Details,
  ids: EntryIds,
): AuditEntry {
  const subject = { kind: "integration", id: idOf(ids.integrations, name), name };
  return { action, subject, spaceId: space === null ? null : idOf(ids.spaces, space), details };
}

function entryOfTarget(
  what: string,
  target: Pick<StoredTarget, "kind" | "name" | "space">,
  details: Details,
  ids: EntryIds,
): AuditEntry {
  const { kind, name, space } = target;
  const subject = { kind, id: idOf(ids.targets, targetKey(target)), name };
  return { action: `${kind}.${what}`, subject, spaceId: idOf(ids.spaces, space), details };
}
