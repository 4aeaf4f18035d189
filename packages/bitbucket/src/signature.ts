/** Whether a delivery was signed with a secret that we gave to Bitbucket (rule 7). */
import { createHmac, timingSafeEqual } from "node:crypto";

/** The one form that is accepted: no other algorithm, no upper case, nothing before or after. */
const SIGNATURE_HEADER = /^sha256=([0-9a-f]{64})$/;

/** Keys the work that is done where there is no secret. It verifies nothing, though everybody can read it here. */
export const DUMMY_SECRET = "no-secret-is-kept-here-and-none-verifies-it";

/** The secrets of one integration. `previous` verifies while a rotation overlaps (rule 4); null when there is none. */
export interface WebhookSecrets {
  readonly current: string;
  readonly previous: string | null;
}

/** Whether a header could be a signature at all: without one that could, a body need not be kept to know the answer. */
export function isSignatureHeader(header: string | undefined): boolean {
  return SIGNATURE_HEADER.test(header ?? "");
}

/**
 * Which secret signed the raw bytes of a body; null when none did. `secrets: null` is an unknown slug.
 *
 * A signature that is well formed but wrong takes two HMACs over the body, whether the slug is unknown, has one secret
 * or has two: the time does not tell which. A missing or malformed header takes none, whatever the slug.
 */
export function verifySignature(delivery: {
  readonly body: Uint8Array;
  readonly header: string | undefined;
  readonly secrets: WebhookSecrets | null;
}): "current" | "previous" | null {
  const { body, header, secrets } = delivery;
  const digest = SIGNATURE_HEADER.exec(header ?? "")?.[1];
  if (digest === undefined) return null;
  const claimed = Buffer.from(digest, "hex");
  if (isSignedWith(secrets?.current, body, claimed)) return "current";
  if (isSignedWith(secrets?.previous, body, claimed)) return "previous";
  return null;
}

/** The `X-Hub-Signature` that Bitbucket sends for a body: HMAC-SHA256 over its bytes, keyed with the secret's UTF-8. */
export function signBody(body: Uint8Array, secret: string): string {
  return `sha256=${hmac(body, secret).toString("hex")}`;
}

/** One HMAC and one comparison in every case. An empty secret signs nothing: anybody could use it. */
function isSignedWith(secret: string | null | undefined, body: Uint8Array, claimed: Buffer): boolean {
  const isSecret = secret !== undefined && secret !== null && secret !== "";
  const isEqual = timingSafeEqual(hmac(body, isSecret ? secret : DUMMY_SECRET), claimed);
  return isSecret && isEqual;
}

function hmac(body: Uint8Array, secret: string): Buffer {
  return createHmac("sha256", secret).update(body).digest();
}
