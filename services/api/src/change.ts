/** How the API changes anything: with the grant looked at again, an audit row, and an answer that is given once. */
import { createHash } from "node:crypto";

import { z } from "@hono/zod-openapi";
import { mayDo, type Access, type Permission } from "@sluice/domain/access";
import type { Keyring } from "@sluice/runtime/keyring";
import { findGrant } from "@sluice/store/api-keys";
import { insertAuditEntries, type AuditActor, type AuditEntry } from "@sluice/store/audit-log";
import type { Database, Store } from "@sluice/store/client";
import {
  idempotencyContext,
  lockIdempotencyKey,
  saveAnswer,
  type IdempotencyKey,
} from "@sluice/store/idempotency-keys";
import { withTransaction, type Transaction } from "@sluice/store/transaction";
import type { Context } from "hono";

import { accessOf } from "./access/define-route.ts";
import type { ApiEnv } from "./api-env.ts";
import { invalidRequest, ProblemError } from "./problem.ts";

/** What changes are made with. */
export interface ChangeContext {
  readonly store: Store;
  readonly keyring: Keyring;
}

/** What a change came to. */
export interface Changed<Body> {
  readonly body: Body;
  /** One row for each thing that was changed; none: nothing was. */
  readonly audit: readonly AuditEntry[];
}

/** Beyond this an index could not hold it. */
const MAX_IDEMPOTENCY_KEY_LENGTH = 255;

/** `Idempotency-Key`, as draft-ietf-httpapi-idempotency-key-header describes it. */
export const idempotencyHeaders = z.object({
  "idempotency-key": z.string().min(1).max(MAX_IDEMPOTENCY_KEY_LENGTH).optional().openapi({
    description:
      "Any text of the sender's, a UUID say. The same request with the same key is done once, and answered the same for a day.",
  }),
});

/**
 * Runs `work` in one transaction with the audit rows of what it did: both are there, or none. The grant is looked at again
 * under a lock, so that a key that is revoked meanwhile changes nothing.
 *
 * With an `Idempotency-Key` a request is done once, whatever its method: repeated, it has the first answer; `status` is that
 * of a success.
 * @throws ProblemError `unauthorized`, `forbidden`; `invalid_request` for a key that is none, `idempotency_key_reused` when it
 * came with another request; and what `work` throws.
 */
export async function change<Body>(
  c: Context<ApiEnv>,
  { store, keyring }: ChangeContext,
  options: {
    readonly permission: Permission;
    readonly status: number;
    readonly schema: z.ZodType<Body>;
    /** Held from before the grant is looked at: what it protects, the key's spaces among them, stays as `work` sees it. */
    readonly lock?: (tx: Transaction) => Promise<void>;
  },
  work: (tx: Transaction, access: Access) => Promise<Changed<Body>>,
): Promise<Body> {
  const access = accessOf(c);
  const key = idempotencyKeyOf(c, access);
  const requestDigest = key === null ? "" : await digestRequest(c);
  return withTransaction(store, async (tx) => {
    await options.lock?.(tx);
    const present = await presentAccess(tx, access, { permission: options.permission, lock: true });
    if (key !== null) {
      const given = await lockIdempotencyKey(tx, key);
      if (given !== null) {
        if (given.requestDigest !== requestDigest) {
          const detail = "This `Idempotency-Key` came with another request before. Send a new one.";
          throw new ProblemError("idempotency_key_reused", detail);
        }
        const body: unknown = JSON.parse(keyring.decrypt(given.bodyCiphertext, idempotencyContext(key)));
        return options.schema.parse(body);
      }
    }
    const { body, audit } = await work(tx, present);
    await insertAuditEntries(tx, actorOf(c, access), audit);
    if (key !== null) {
      const bodyCiphertext = keyring.encrypt(JSON.stringify(body), idempotencyContext(key));
      await saveAnswer(tx, key, { requestDigest, status: options.status, bodyCiphertext });
    }
    return body;
  });
}

/** Who is doing it, for the audit log. */
export function actorOf(c: Context<ApiEnv>, access: Access): AuditActor {
  return {
    kind: access.keyId === null ? "bootstrap_key" : "api_key",
    keyId: access.keyId,
    name: access.keyName,
    address: c.get("address") ?? null,
  };
}

/**
 * The grant as it is now. `lock`: the key is not revoked before the transaction ends.
 * @throws ProblemError `unauthorized` when the key was revoked or has expired, `forbidden` when its role may this no longer.
 */
export async function presentAccess(
  db: Database,
  access: Access,
  { permission, lock }: { readonly permission: Permission; readonly lock: boolean },
): Promise<Access> {
  if (access.keyId === null) return access;
  const grant = await findGrant(db, { id: access.keyId }, { lock });
  if (grant === null || grant.standing !== "valid") {
    throw new ProblemError("unauthorized", `The key "${access.keyName}" was revoked or has expired.`);
  }
  if (!mayDo(grant.role, permission)) {
    throw new ProblemError("forbidden", `The role of the key "${access.keyName}" has changed.`);
  }
  return { keyId: grant.id, keyName: grant.name, role: grant.role, reach: grant.reach };
}

/** Null: the request came without. */
function idempotencyKeyOf(c: Context, { keyId }: Access): IdempotencyKey | null {
  // A look at a secret is noted each time.
  if (c.req.method === "GET" || c.req.method === "HEAD") return null;
  const key = c.req.header("idempotency-key");
  if (key === undefined) return null;
  if (key.length === 0 || key.length > MAX_IDEMPOTENCY_KEY_LENGTH) {
    const message = `is empty or longer than ${String(MAX_IDEMPOTENCY_KEY_LENGTH)} characters`;
    throw invalidRequest([{ field: "idempotency-key", message }]);
  }
  return { owner: keyId ?? "bootstrap", key };
}

/** What is asked for, of which version. */
async function digestRequest(c: Context): Promise<string> {
  const asked = JSON.stringify([c.req.method, c.req.path, c.req.header("if-match") ?? null]);
  return createHash("sha256")
    .update(`${asked}\n${await c.req.text()}`)
    .digest("hex");
}
