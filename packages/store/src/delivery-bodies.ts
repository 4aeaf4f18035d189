import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";

import type { Database } from "./client.ts";

/** What is kept of a request besides what its delivery says: the bytes as they came, and a few headers. */
export interface DeliveryBody {
  readonly deliveryId: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/**
 * Of our own compression, since Postgres's takes longer for less: with push bodies of 12 KB, brotli of quality 1 and the
 * way as base64 cost Node and Postgres together less than half of what the driver's hexadecimal `bytea` did, and a row
 * has 2.0 KB. The column is stored as it is (STORAGE EXTERNAL).
 */
const COMPRESSION = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };

/** Inserts bodies, each once. */
export async function insertDeliveryBodies(db: Database, bodies: readonly DeliveryBody[]): Promise<void> {
  await db.sql`
    INSERT INTO sluice.delivery_bodies (delivery_id, headers, encoding, body)
    SELECT delivery_id, headers::jsonb, 'brotli', decode(body, 'base64')
    FROM unnest(
      ${bodies.map(({ deliveryId }) => deliveryId)}::uuid[],
      ${bodies.map(({ headers }) => JSON.stringify(headers))}::text[],
      ${bodies.map(({ body }) => brotliCompressSync(body, COMPRESSION).toString("base64"))}::text[]
    ) AS new (delivery_id, headers, body)
    ON CONFLICT (delivery_id) DO NOTHING`;
}

/** The body of a delivery, byte for byte as it came; null when there is none (any more). */
export async function findDeliveryBody(db: Database, deliveryId: string): Promise<DeliveryBody | null> {
  const [row] = await db.sql<(DeliveryBody & { encoding: "identity" | "brotli"; body: Buffer })[]>`
    SELECT delivery_id, headers, encoding, body FROM sluice.delivery_bodies WHERE delivery_id = ${deliveryId}`;
  if (row === undefined) return null;
  const { encoding, body, ...rest } = row;
  return { ...rest, body: encoding === "brotli" ? brotliDecompressSync(body) : body };
}
