/**
 * Many raw deliveries in one small string of a job.
 *
 * Bodies look alike, so the whole batch is compressed at once. Brotli of quality 1, then base64, with Bitbucket-like
 * push bodies of 10.6 KB on a shared core (bytes of JSON for a body; µs for a body, compressing + decompressing; zlib is
 * deflate of level 1):
 *
 * | Bodies | brotli 1           | brotli 0           | zlib 1             |
 * | ------ | ------------------ | ------------------ | ------------------ |
 * | 1      | 3 410 B, 43 + 22   | 3 580 B, 43 + 34   | 3 290 B, 104 + 34  |
 * | 8      | 2 120 B, 19 + 17   | 2 510 B, 20 + 19   | 2 340 B, 35 + 13   |
 * | 32     | 1 770 B, 15 + 11   | 2 190 B, 11 + 11   | 2 230 B, 35 + 12   |
 * | 100    | 1 670 B, 17 + 12   | 2 130 B, 15 + 14   | 2 200 B, 34 + 11   |
 *
 * As text in JSON a body costs 13.6 KB of Redis and 26 µs. In zlib's thread pool a batch of one pays 240 µs to get
 * there and back; a batch of 32 or 100 takes 21 µs a body of which the event loop sees 4, so only large ones go there.
 */
import { promisify } from "node:util";
import {
  brotliCompress,
  brotliCompressSync,
  brotliDecompress,
  brotliDecompressSync,
  constants,
} from "node:zlib";
import { AppError } from "@sluice/domain/app-error";
import { z } from "zod";

/** Bounds what one failed job holds back, and what a worker holds in memory. */
export const MAX_DELIVERIES_PER_JOB = 100;
/** Of a job before compression, both when it is written and when it is read. */
export const MAX_BATCH_BYTES = 64 * 1024 * 1024;
/** Smaller inputs are done sooner on this thread than they travel to another. */
const SYNC_MAX_BYTES = 64 * 1024;
const SYNC_MAX_COMPRESSED_BYTES = 16 * 1024;
const LENGTH_BYTES = 4;

/** What a job of the queue `deliveries` carries. */
export const deliveriesPayload = z.strictObject({
  v: z.literal(1),
  encoding: z.literal("brotli"),
  /** How many deliveries the job carries; for people who look at the job. */
  count: z.int().min(1).max(MAX_DELIVERIES_PER_JOB),
  /** Base64 of what `frame` makes, compressed. */
  deliveries: z.string().min(1),
});

/** See deliveriesPayload. */
export type DeliveriesPayload = z.infer<typeof deliveriesPayload>;

/** One verified HTTP request of Bitbucket, byte for byte. */
export interface RawDelivery {
  /** A UUID that the ingress gave it. */
  readonly id: string;
  readonly integrationId: string;
  /** `X-Request-UUID`: with the integration, the delivery's identity. */
  readonly requestId: string;
  /** `X-Hook-UUID`. null = the header was missing. */
  readonly hookId: string | null;
  /** `X-Event-Key`. */
  readonly eventKey: string;
  /** `X-Attempt-Number`, 1-based. */
  readonly attempt: number;
  /** Which of the integration's secrets verified it. */
  readonly secretVersion: "current" | "previous";
  /** ISO 8601. */
  readonly receivedAt: string;
  /** The few that are kept. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /**
   * `sweep`: not a request of Bitbucket's. A sweep found what it says, and wrote it down as Bitbucket would have. Absent: a
   * webhook. A release that does not know this fails such a job, and the sweep makes it again.
   */
  readonly source?: "sweep";
}

const headerSchema = z.array(
  z.strictObject({
    id: z.string(),
    integrationId: z.string(),
    requestId: z.string(),
    hookId: z.string().nullable(),
    eventKey: z.string(),
    attempt: z.number(),
    secretVersion: z.enum(["current", "previous"]),
    receivedAt: z.string(),
    headers: z.record(z.string(), z.string()),
    bodyBytes: z.int().nonnegative(),
    source: z.literal("sweep").exactOptional(),
  }),
);

/**
 * 1..100 deliveries as a job of the queue `deliveries`.
 * @throws AppError `deliveries_unencodable` when there are too many, or none, or they are larger than MAX_BATCH_BYTES.
 */
export async function encodeDeliveries(deliveries: readonly RawDelivery[]): Promise<DeliveriesPayload> {
  const count = deliveries.length;
  if (count < 1 || count > MAX_DELIVERIES_PER_JOB) throw unencodable(`${count} deliveries in one job`);
  const batch = frame(deliveries);
  if (batch.length > MAX_BATCH_BYTES) throw unencodable(`${batch.length} bytes in one job`);
  const compressed = await compress(batch);
  return { v: 1, encoding: "brotli", count, deliveries: compressed.toString("base64") };
}

/** The deliveries of a job, in their order. @throws AppError `deliveries_undecodable`, which no retry mends. */
export async function decodeDeliveries(payload: DeliveriesPayload): Promise<RawDelivery[]> {
  try {
    const deliveries = unframe(await decompress(Buffer.from(payload.deliveries, "base64")));
    if (deliveries.length === payload.count) return deliveries;
    throw new Error(`it says ${payload.count} deliveries and holds ${deliveries.length}`);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError("deliveries_undecodable", `A job of deliveries cannot be read: ${reason}`, {
      retry: "never",
      cause,
    });
  }
}

/**
 * What a dashboard shows of a job's data: which deliveries it carries, without their bodies. What cannot be read is given
 * back as it is. Synchronous, as dashboards want it: for people who look at a few jobs.
 */
export function summarizeDeliveries(data: unknown): unknown {
  const payload = deliveriesPayload.safeParse(data);
  if (!payload.success) return data;
  try {
    const batch = brotliDecompressSync(Buffer.from(payload.data.deliveries, "base64"), DECOMPRESSION);
    const deliveries = unframe(batch).map(({ body, headers: _headers, ...rest }) => ({
      ...rest,
      bodyBytes: body.byteLength,
    }));
    return { v: payload.data.v, deliveries };
  } catch {
    return data;
  }
}

/** [length of the header, 4 bytes big-endian][the header, JSON][the bodies, one after the other] */
function frame(deliveries: readonly RawDelivery[]): Buffer {
  // JSON escapes what UTF-8 cannot hold (lone surrogates), so any string comes back as it was.
  const header = Buffer.from(
    JSON.stringify(deliveries.map(({ body, ...rest }) => ({ ...rest, bodyBytes: body.byteLength }))),
  );
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(header.length);
  return Buffer.concat([length, header, ...deliveries.map(({ body }) => body)]);
}

function unframe(batch: Buffer): RawDelivery[] {
  const bodies = LENGTH_BYTES + batch.readUInt32BE();
  const header: unknown = JSON.parse(batch.toString("utf8", LENGTH_BYTES, bodies));
  let end = bodies;
  const deliveries = headerSchema.parse(header).map(({ bodyBytes, ...rest }): RawDelivery => {
    const start = end;
    end += bodyBytes;
    return { ...rest, body: batch.subarray(start, end) };
  });
  if (end !== batch.length) throw new Error(`it holds ${batch.length} bytes and its header says ${end}`);
  return deliveries;
}

const COMPRESSION = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
/** A few bytes may unpack to gigabytes: zlib stops at the limit. */
const DECOMPRESSION = { maxOutputLength: MAX_BATCH_BYTES };

const compressElsewhere = promisify(brotliCompress);
const decompressElsewhere = promisify(brotliDecompress);

async function compress(batch: Buffer): Promise<Buffer> {
  return batch.length <= SYNC_MAX_BYTES
    ? brotliCompressSync(batch, COMPRESSION)
    : compressElsewhere(batch, COMPRESSION);
}

async function decompress(compressed: Buffer): Promise<Buffer> {
  return compressed.length <= SYNC_MAX_COMPRESSED_BYTES
    ? brotliDecompressSync(compressed, DECOMPRESSION)
    : decompressElsewhere(compressed, DECOMPRESSION);
}

function unencodable(what: string): AppError {
  return new AppError(
    "deliveries_unencodable",
    `${what}: a job takes 1..${MAX_DELIVERIES_PER_JOB} deliveries and ${MAX_BATCH_BYTES} bytes`,
    { retry: "never" },
  );
}
