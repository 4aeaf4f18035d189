import { createHash } from "node:crypto";

/**
 * The id of a delivery, made from its identity (rule 9), so that each sender of the same request is told the same id,
 * whichever process answers. A UUID of version 8 (RFC 9562 §5.8), from SHA-256.
 */
export function deliveryId(integrationId: string, requestId: string): string {
  const hash = createHash("sha256").update(`${integrationId}\n${requestId}`).digest();
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x80, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = hash.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    "-",
  );
}
