import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";

import type { Database } from "./client.ts";

/** What is kept of a request besides what its delivery says: the bytes as they came, and a few headers. */
export interface DeliveryBody {
  readonly deliveryId: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** A body as it goes into the store. */
export interface CompressedBody {
  /** Before compression. */
  readonly bytes: number;
  /** Of the bytes after brotli. */
  readonly base64: string;
}

/**
 * Of our own compression, since Postgres's takes longer for less: with push bodies of 12 KB, brotli of quality 1 and the
 * way as base64 cost Node and Postgres together less than half of what the driver's hexadecimal `bytea` did, and a row
 * has 2.0 KB. The column is stored as it is (STORAGE EXTERNAL).
 */
const COMPRESSION = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };

/** Makes a body ready to be inserted; apart from the insert, so that no transaction has to wait for it. */
export function compressBody(body: Uint8Array): CompressedBody {
  return { bytes: body.byteLength, base64: brotliCompressSync(body, COMPRESSION).toString("base64") };
}

/** The body of a delivery, byte for byte as it came; null when there is none (any more). */
export async function findDeliveryBody(db: Database, deliveryId: string): Promise<DeliveryBody | null> {
  const [row] = await db.sql<(DeliveryBody & { encoding: "identity" | "brotli"; body: Buffer })[]>`
    SELECT delivery_id, headers, encoding, body FROM sluice.delivery_bodies WHERE delivery_id = ${deliveryId}`;
  if (row === undefined) return null;
  const { encoding, body, ...rest } = row;
  return { ...rest, body: encoding === "brotli" ? brotliDecompressSync(body) : body };
}
