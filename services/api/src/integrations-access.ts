/** Who may see an integration, and who may change it (rule 2). */
import { isRootAdmin, isWithinReach, type Access } from "@sluice/domain/access";
import type { Database } from "@sluice/store/client";
import {
  findIntegrationRecord,
  type IntegrationConflict,
  type IntegrationRecord,
} from "@sluice/store/integration-records";

import { ProblemError } from "./problem.ts";

/** An integration that this key sees: the default one, or one of its spaces. @throws ProblemError `not_found`. */
export async function findVisible(
  db: Database,
  id: string,
  access: Access,
  options?: { readonly lock?: boolean },
): Promise<IntegrationRecord> {
  const record = await findIntegrationRecord(db, id, options);
  if (record === null || !isVisible(record, access)) {
    throw new ProblemError("not_found", "There is no integration with this id.");
  }
  return record;
}

/**
 * An integration that this key, which is an admin's, administers.
 * @throws ProblemError `not_found`; `forbidden` for the default one, which everybody sees, by anybody but an admin of the root.
 */
export async function findAdministered(
  db: Database,
  id: string,
  access: Access,
  options?: { readonly lock?: boolean },
): Promise<IntegrationRecord> {
  const record = await findVisible(db, id, access, options);
  if (record.spaceId === null) requireRootAdmin(access);
  return record;
}

/** @throws ProblemError `forbidden`. */
export function requireRootAdmin(access: Access): void {
  if (isRootAdmin(access)) return;
  const detail = "The default integration is for admins of the root space.";
  throw new ProblemError("forbidden", detail);
}

/** Why a new integration cannot be made. What the key does not see is not named. */
export function conflictError(conflict: IntegrationConflict, access: Access): ProblemError {
  const { id, name, on } = conflict;
  const isSeen = isVisible(conflict, access);
  const other = isSeen ? `the integration "${name}"` : "an integration of a space that is not yours";
  const members = { conflict: { on, id: isSeen ? id : null, name: isSeen ? name : null } };
  switch (on) {
    case "name":
      return new ProblemError("name_taken", `The name belongs to ${other}. Choose another.`, members);
    case "slug":
      return new ProblemError(
        "name_taken",
        `The webhook endpoint that is made from the name belongs to ${other}. Choose another name.`,
        members,
      );
    case "default":
      return new ProblemError(
        "default_taken",
        `There is one default integration, and that is "${name}". Delete it first, or make this one of a space.`,
        members,
      );
  }
}

function isVisible({ spaceId }: Pick<IntegrationRecord, "spaceId">, { reach }: Access): boolean {
  return spaceId === null || isWithinReach(reach, spaceId);
}
