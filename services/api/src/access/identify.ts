/** Whose key it is. */
import { timingSafeEqual } from "node:crypto";

import type { Access } from "@sluice/domain/access";
import { findGrant, markKeyUsed } from "@sluice/store/api-keys";
import type { Database } from "@sluice/store/client";

import { ProblemError } from "../problem.ts";
import { digestApiKey } from "./api-key.ts";

/** The grant of a key; null for one that opens nothing. @throws ProblemError `unauthorized`: it did, and does no longer. */
export type Identify = (key: string) => Promise<Access | null>;

/** How often one process notes that a key is in use. */
const USE_NOTED_EVERY_MS = 60_000;

/**
 * Keys are looked up by their digest at each request, so that a revoked one is refused from the next one on. The key of
 * the configuration, if there is one, is an admin of the root.
 */
export function createIdentify(db: Database, bootstrapKey: string | null): Identify {
  const bootstrapDigest = bootstrapKey === null ? null : digestApiKey(bootstrapKey);
  const notedAt = new Map<string, number>();
  return async (key) => {
    const digest = digestApiKey(key);
    if (bootstrapDigest !== null && isSame(digest, bootstrapDigest)) return BOOTSTRAP_ACCESS;
    const grant = await findGrant(db, { digest });
    if (grant === null) return null;
    const { id, name, role, reach, standing } = grant;
    if (standing !== "valid") {
      throw new ProblemError(
        "unauthorized",
        `The key "${name}" ${standing === "expired" ? "has expired" : "was revoked"}.`,
      );
    }
    const now = Date.now();
    if (now - (notedAt.get(id) ?? 0) >= USE_NOTED_EVERY_MS) {
      notedAt.set(id, now);
      await markKeyUsed(db, id);
    }
    return { keyId: id, keyName: name, role, reach };
  };
}

/** The key of the configuration. */
const BOOTSTRAP_ACCESS: Access = {
  keyId: null,
  keyName: "bootstrap key",
  role: "admin",
  reach: { kind: "everywhere" },
};

/** Digests have one length, so that this takes one time. */
function isSame(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
