/** What is kept of webhooks: what was seen of them, and who changed which. */
import { insertAuditEntries, type AuditActor } from "@sluice/store/audit-log";
import type { Database } from "@sluice/store/client";
import { saveRepositoryHooks, type HookedIntegration, type SeenHooks } from "@sluice/store/repository-hooks";

import type { ApplyOptions } from "./webhooks-apply.ts";
import type { HookedThing, Looked } from "./webhooks-look.ts";

const AUDIT_ACTIONS = {
  create: "webhook.created",
  update: "webhook.updated",
  delete: "webhook.deleted",
} as const;

/** One row for each webhook that was changed, written once it was: Bitbucket takes part in no transaction. */
export function recordChanges(
  db: Database,
  by: {
    readonly actor: AuditActor;
    readonly integration: HookedIntegration;
    readonly thing: HookedThing;
  },
): ApplyOptions["onChanged"] {
  const { actor, integration, thing } = by;
  return async ({ action, hookId, isCertain }) => {
    const url = action.kind === "delete" ? action.currentUrl : action.settings.url;
    const details = { [thing.subject.kind]: thing.name, hook_id: hookId, url, reasons: action.reasons };
    await insertAuditEntries(db, actor, [
      {
        action: AUDIT_ACTIONS[action.kind],
        subject: { kind: "integration", id: integration.id, name: integration.name },
        spaceId: integration.spaceId,
        details: isCertain ? details : { ...details, is_uncertain: true },
      },
    ]);
  };
}

/** Keeps the drift of repositories. What passes says nothing about webhooks: what was known of them stays. */
export async function keepSeen(db: Database, looked: readonly Looked[]): Promise<void> {
  const seen = looked.flatMap((each): SeenHooks[] => {
    const { repositoryId } = each.thing;
    if (repositoryId === null || each.kind === "failed") return [];
    return each.kind === "read"
      ? [{ repositoryId, drift: each.plan.drift, unreadable: null }]
      : [{ repositoryId, drift: [], unreadable: each.error.message }];
  });
  await saveRepositoryHooks(db, seen);
}
