/** Writes stacks and modules whose references are found, and says so in the audit log. */
import type { Target } from "@sluice/domain/target";
import type { AuditEntry } from "@sluice/store/audit-log";
import { drawIds } from "@sluice/store/declared-spaces";
import {
  bindRepositories,
  namedRepositoryKey,
  removeTargets,
  saveTargets,
} from "@sluice/store/declared-targets";
import { listTargetChanges, type TargetChange } from "@sluice/store/target-changes";
import type { TargetRecord } from "@sluice/store/target-records";
import type { Transaction } from "@sluice/store/transaction";

import type { ResolvedTarget } from "./target-references.ts";

/** What became of a target that was asked for. */
export interface WrittenTarget {
  readonly id: string;
  readonly result: "created" | "updated" | "unchanged";
}

/** A target to write; `was` null: it is new. */
export interface TargetWrite {
  readonly wanted: ResolvedTarget;
  readonly was: TargetRecord | null;
}

/**
 * Makes targets what is wanted, and removes others. What is wanted already is not written. Repositories are held before
 * targets are touched, as deliveries do it, so that neither waits for the other for ever.
 * @returns what became of each write, in their order.
 */
export async function writeTargets(
  tx: Transaction,
  { writes, remove }: { readonly writes: readonly TargetWrite[]; readonly remove: readonly TargetRecord[] },
): Promise<{ readonly written: readonly WrittenTarget[]; readonly audit: readonly AuditEntry[] }> {
  const ids = await drawIds(tx, writes.filter(({ was }) => was === null).length);
  const planned = writes.map(({ wanted, was }) => {
    // As many were drawn as there are new ones.
    if (was === null) return { wanted, id: ids.pop() ?? "", changes: [], result: "created" } as const;
    const changes = listTargetChanges(wanted.state, was);
    return { wanted, id: was.id, changes, result: changes.length > 0 ? "updated" : "unchanged" } as const;
  });
  const changed = planned.filter(({ result }) => result !== "unchanged");
  const repositories = await bindRepositories(
    tx,
    changed.map(({ wanted }) => repositoryOf(wanted)),
  );
  await removeTargets(
    tx,
    remove.map(({ id }) => id),
  );
  await saveTargets(
    tx,
    changed.map(({ wanted, id }) => ({
      ...wanted.state,
      id,
      spaceId: wanted.space.id,
      integrationId: wanted.integrationId,
      // Each has been bound.
      repositoryId: repositories.get(namedRepositoryKey(repositoryOf(wanted))) ?? "",
    })),
  );
  return {
    written: planned.map(({ id, result }) => ({ id, result })),
    audit: [
      ...remove.map((target) => entryOf("removed", target, {})),
      ...changed.map(({ wanted: { state, space }, id, result, changes }) =>
        entryOf(
          result,
          { id, spaceId: space.id, kind: state.kind, name: state.name },
          result === "created" ? { repository: state.repository } : { changed: describeChanges(changes) },
        ),
      ),
    ],
  };
}

function repositoryOf({ integrationId, state }: ResolvedTarget) {
  return { integrationId, fullName: state.repository };
}

/** What metadata holds is the scheduler's own, and may be a secret. */
function describeChanges(changes: readonly TargetChange[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    changes.map(({ field, from, to }) => [field, field === "metadata" ? {} : { from, to }]),
  );
}

function entryOf(
  what: string,
  target: {
    readonly id: string;
    readonly spaceId: string;
    readonly kind: Target["kind"];
    readonly name: string;
  },
  details: Readonly<Record<string, unknown>>,
): AuditEntry {
  const { id, kind, name, spaceId } = target;
  return { action: `${kind}.${what}`, subject: { kind, id, name }, spaceId, details };
}
