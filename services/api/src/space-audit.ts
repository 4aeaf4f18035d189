/** What the audit log has of spaces. */
import type { AuditEntry } from "@sluice/store/audit-log";

import type { SpaceDocument } from "./space-document.ts";

/** A row of the audit log about a space. It belongs to the parent, whose admins change the space. */
export function spaceEntry(
  action: string,
  { id, name, parentId }: { readonly id: string; readonly name: string; readonly parentId: string | null },
  details: Readonly<Record<string, unknown>>,
): AuditEntry {
  return { action, subject: { kind: "space", id, name }, spaceId: parentId, details };
}

/** A space that moves leaves a row for the admins of either parent, and names the other one to neither. */
export function describeSpaceUpdate(
  was: SpaceDocument,
  is: {
    readonly id: string;
    readonly name: string;
    readonly parentId: string;
    readonly parent: string;
    readonly inheritEntities: boolean;
  },
): AuditEntry[] {
  const rowOf = (parentId: string | null, parent: string | null) => {
    const named = (name: string | null) => (name === parent ? name : null);
    const from = { parent: named(was.parent), inherit_entities: was.inherit_entities };
    const to = { parent: named(is.parent), inherit_entities: is.inheritEntities };
    return spaceEntry("space.updated", { ...is, parentId }, { from, to });
  };
  const left = was.parent_id === is.parentId ? [] : [rowOf(was.parent_id, was.parent)];
  return [...left, rowOf(is.parentId, is.parent)];
}
