/** What must not become of spaces: a circle, targets without their integration, a deleted home. */
import { isWithinReach, type Reach } from "@sluice/domain/access";
import { createSpaceTree, findCycle, isUsableIn, type TreeSpace } from "@sluice/domain/space-tree";
import type { Database } from "@sluice/store/client";
import { listInheritedUses, listSpaceUses, type SpaceUse } from "@sluice/store/space-records";

import { invalidRequest, ProblemError } from "./problem.ts";

/** How many users of something are named. */
const MAX_NAMED = 100;
const MAX_DESCRIBED = 5;

/** @throws ProblemError `invalid_request` when a space has become its own ancestor. */
export function refuseCircle(after: readonly TreeSpace[], name: string): void {
  const cycle = findCycle(createSpaceTree(after), name);
  if (cycle === null) return;
  const message = `${name} would be its own ancestor: ${cycle.join(" → ")}`;
  throw invalidRequest([{ field: "parent", message }]);
}

/**
 * A target that loses its integration would ignore every event from then on, which nobody asked for: whoever moves spaces
 * gives it another one first, as `sluice apply` demands too. @throws ProblemError `in_use`.
 */
export async function refuseLostIntegrations(
  tx: Database,
  { before, after }: { readonly before: readonly TreeSpace[]; readonly after: readonly TreeSpace[] },
): Promise<void> {
  const was = createSpaceTree(before);
  const is = createSpaceTree(after);
  const lost = (await listInheritedUses(tx)).filter(
    ({ space, integrationSpace }) =>
      isUsableIn(was, integrationSpace, space) && !isUsableIn(is, integrationSpace, space),
  );
  if (lost.length === 0) return;
  const described = lost.map(
    ({ kind, name, space, integration }) =>
      `${kind} "${name}" in "${space}" could no longer use the integration "${integration}"`,
  );
  const usedBy = lost.map(({ kind, id, name, space, integration }) => ({
    kind,
    id,
    name,
    space,
    integration,
  }));
  throw inUse(`Give these another integration first: ${enumerate(described)}.`, usedBy);
}

/** What is out of reach is counted, not named. @throws ProblemError `in_use` while something belongs to the space. */
export async function refuseUsedSpace(
  tx: Database,
  space: { readonly id: string; readonly name: string },
  reach: Reach,
): Promise<void> {
  const uses = await listSpaceUses(tx, space.id);
  if (uses.length === 0) return;
  const named = uses.filter(({ kind, id }) => kind !== "space" || isWithinReach(reach, id));
  const hidden = uses.length - named.length;
  const described = named.map((use) => `${NOUNS[use.kind]} "${use.name}"`);
  if (hidden > 0) described.push(`spaces out of your reach (${String(hidden)})`);
  throw inUse(`The space "${space.name}" still has ${enumerate(described)}.`, named);
}

const NOUNS: Readonly<Record<SpaceUse["kind"], string>> = {
  space: "the space",
  integration: "the integration",
  stack: "the stack",
  module: "the module",
  api_key: "the API key",
};

function inUse(detail: string, usedBy: readonly unknown[]): ProblemError {
  return new ProblemError("in_use", detail, {
    used_by: usedBy.slice(0, MAX_NAMED),
    used_by_count: usedBy.length,
  });
}

function enumerate(texts: readonly string[]): string {
  const shown = texts.slice(0, MAX_DESCRIBED).join(", ");
  const more = texts.length - MAX_DESCRIBED;
  return more > 0 ? `${shown} and ${String(more)} more` : shown;
}
