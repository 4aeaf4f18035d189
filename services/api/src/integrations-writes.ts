/** What becomes of an integration, in the transaction of a change (rules 1 to 5). */
import { isDeepStrictEqual } from "node:util";

import type { BitbucketClients } from "@sluice/bitbucket/clients";
import { isWithinReach, type Access } from "@sluice/domain/access";
import type { AuditEntry } from "@sluice/store/audit-log";
import { findCredentialHealth } from "@sluice/store/credential-health";
import { deleteIntegrations, saveCallBudgets, saveIntegrations } from "@sluice/store/declared-integrations";
import { drawIds } from "@sluice/store/declared-spaces";
import { detachTargets, type DetachedTarget } from "@sluice/store/declared-targets";
import {
  findIntegrationConflict,
  lockRepositoriesOfTargets,
  type IntegrationRecord,
} from "@sluice/store/integration-records";
import { integrationSlug } from "@sluice/store/integration-slug";
import { findSpaceNamed } from "@sluice/store/space-names";
import type { Transaction } from "@sluice/store/transaction";

import type { ChangeContext, Changed } from "./change.ts";
import { conflictError, findAdministered, requireRootAdmin } from "./integrations-access.ts";
import type { IntegrationReplacement, NewIntegration } from "./integrations-body.ts";
import { toIntegrationDocument, type IntegrationDocument } from "./integrations-document.ts";
import { encryptCredential, encryptFirstSecret, makeWebhookSecret, toRow } from "./integrations-secrets.ts";
import { invalidRequest, ProblemError } from "./problem.ts";

/** What the routes of integrations are made with. */
export interface IntegrationContext extends ChangeContext {
  readonly bitbucket: BitbucketClients;
  /** Of the ingress as Bitbucket sees it; null: not known. */
  readonly publicUrl: string | null;
}

/** How many detached targets an audit row names. */
const MAX_NAMED = 100;

/** Makes an integration with a secret of its own. The caller holds `lockDeclaredState`. */
export async function createIntegration(
  tx: Transaction,
  input: { readonly context: IntegrationContext; readonly access: Access; readonly body: NewIntegration },
): Promise<Changed<IntegrationDocument & { webhook_secret: string }>> {
  const { context, access, body } = input;
  const { name } = body;
  const spaceId = body.space === undefined ? null : await administeredSpaceId(tx, body.space, access);
  if (spaceId === null) requireRootAdmin(access);
  // The schema has refused a name without a slug.
  const slug = integrationSlug(name) ?? "";
  const conflict = await findIntegrationConflict(tx, { name, slug, isDefault: spaceId === null });
  if (conflict !== null) throw conflictError(conflict, access);
  const [id = ""] = await drawIds(tx, 1);
  const secret = makeWebhookSecret();
  const { checks: checksMode, labels, description, enabled } = body;
  await saveIntegrations(tx, [
    {
      id,
      name,
      slug,
      spaceId,
      checksMode,
      labels,
      description,
      enabled,
      ...encryptCredential(context.keyring, id, body.credential),
      ...encryptFirstSecret(context.keyring, id, secret),
    },
  ]);
  await saveCallBudgets(tx, [{ integrationId: id, callsPerHour: body.calls_per_hour }]);
  const made = await findAdministered(tx, id, access);
  const details = {
    default: spaceId === null,
    space: made.space,
    credential_kind: made.credentialKind,
    enabled,
  };
  return {
    body: { ...(await showIntegration(tx, made, { access, context })), webhook_secret: secret },
    audit: [auditEntry("integration.created", made, details)],
  };
}

/** Changes what may be changed. `check` is asked whether the version that is there may be replaced, and throws if not. */
export async function replaceIntegration(
  tx: Transaction,
  input: {
    readonly context: IntegrationContext;
    readonly access: Access;
    readonly id: string;
    readonly body: IntegrationReplacement;
    readonly check: (document: IntegrationDocument) => void;
  },
): Promise<Changed<IntegrationDocument>> {
  const { context, access, id, body, check } = input;
  const was = await findAdministered(tx, id, access, { lock: true });
  const shown = await showIntegration(tx, was, { access, context });
  check(shown);
  refuseMove(was, body);
  const changes = listChanges(was, body);
  if (changes.length === 0) return { body: shown, audit: [] };
  const { checks: checksMode, labels, description, enabled } = body;
  if (enabled !== was.enabled) await lockRepositoriesOfTargets(tx, id);
  await saveIntegrations(tx, [{ ...toRow(was), checksMode, labels, description, enabled }]);
  await saveCallBudgets(tx, [{ integrationId: id, callsPerHour: body.calls_per_hour }]);
  const is = await findAdministered(tx, id, access);
  return {
    body: await showIntegration(tx, is, { access, context }),
    audit: [auditEntry("integration.updated", is, { changes })],
  };
}

/**
 * Deletes an integration and detaches what uses it (rule 5). One audit row for it, and one for each space that has targets
 * which it leaves behind, so that the admins of that space see it.
 */
export async function deleteIntegration(
  tx: Transaction,
  { access, id }: { readonly access: Access; readonly id: string },
): Promise<{
  readonly record: IntegrationRecord;
  readonly detached: readonly DetachedTarget[];
  readonly audit: readonly AuditEntry[];
}> {
  const record = await findAdministered(tx, id, access, { lock: true });
  await lockRepositoriesOfTargets(tx, id);
  await deleteIntegrations(tx, [id]);
  const detached = await detachTargets(tx, [id]);
  const left = groupBySpace(detached).map(([spaceId, targets]) => {
    const named = targets
      .slice(0, MAX_NAMED)
      .map(({ id: targetId, kind, name }) => ({ id: targetId, kind, name }));
    const details = { count: targets.length, targets: named };
    return { ...auditEntry("integration.targets_detached", record, details), spaceId };
  });
  const deleted = auditEntry("integration.deleted", record, { detached_count: detached.length });
  return { record, detached, audit: [deleted, ...left] };
}

function groupBySpace(targets: readonly DetachedTarget[]): [string, DetachedTarget[]][] {
  const groups = new Map<string, DetachedTarget[]>();
  for (const target of targets) {
    const group = groups.get(target.spaceId);
    if (group === undefined) groups.set(target.spaceId, [target]);
    else group.push(target);
  }
  return [...groups];
}

/** A row of the audit log about an integration. */
export function auditEntry(
  action: string,
  { id, name, spaceId }: Pick<IntegrationRecord, "id" | "name" | "spaceId">,
  details: Readonly<Record<string, unknown>>,
): AuditEntry {
  return { action, subject: { kind: "integration", id, name }, spaceId, details };
}

async function showIntegration(
  tx: Transaction,
  record: IntegrationRecord,
  { access, context }: { readonly access: Access; readonly context: IntegrationContext },
): Promise<IntegrationDocument> {
  const health = await findCredentialHealth(tx, record.id);
  return toIntegrationDocument(record, { access, health, publicUrl: context.publicUrl });
}

async function administeredSpaceId(tx: Transaction, name: string, { reach }: Access): Promise<string> {
  const space = await findSpaceNamed(tx, name);
  if (space === null || !isWithinReach(reach, space.id)) {
    throw new ProblemError("not_found", "There is no such space, or you do not administer it.");
  }
  return space.id;
}

/** @throws ProblemError `invalid_request` when a name or a place is given that is another one. */
function refuseMove(was: IntegrationRecord, body: IntegrationReplacement): void {
  const errors = [
    ...(body.name === undefined || body.name === was.name
      ? []
      : [{ field: "name", message: "never changes: the webhook endpoint is made from it" }]),
    ...(body.space === undefined || body.space === was.space ? [] : [{ field: "space", message: STAYS }]),
    ...(body.default === undefined || body.default === (was.spaceId === null)
      ? []
      : [{ field: "default", message: STAYS }]),
  ];
  if (errors.length > 0) throw invalidRequest(errors);
}

const STAYS = "an integration stays where it is: make another one, and give it to the stacks and modules";

/** Without the description's text, which may be long. */
function listChanges(was: IntegrationRecord, body: IntegrationReplacement) {
  const fields = [
    { field: "checks", from: was.checksMode, to: body.checks },
    { field: "calls_per_hour", from: was.callsPerHour, to: body.calls_per_hour },
    { field: "enabled", from: was.enabled, to: body.enabled },
    { field: "labels", from: was.labels, to: body.labels },
  ].filter(({ from, to }) => !isDeepStrictEqual(from, to));
  return was.description === body.description ? fields : [...fields, { field: "description" }];
}
