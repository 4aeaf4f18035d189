import type { Database } from "./client.ts";
import type { CompressedBody } from "./delivery-bodies.ts";

/** A delivery as it is kept (rule 9). */
export interface DeliveryRow {
  readonly id: string;
  readonly integrationId: string;
  readonly requestId: string;
  /** `sweep`: what it says was found by a sweep and told by nobody (rule 34). */
  readonly source: "webhook" | "sweep";
  readonly hookId: string | null;
  readonly eventKey: string;
  readonly attempt: number;
  readonly secretVersion: "current" | "previous";
  /** RFC 3339. */
  readonly receivedAt: string;
  readonly outcome: "events" | "no_events" | "unsupported" | "failed";
  readonly failure: DeliveryFailure | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: CompressedBody;
}

/** Why a delivery could not be read: a stable code, the JSON path it is about (empty: the whole body), a sentence. */
export interface DeliveryFailure {
  readonly code: string;
  readonly path: string;
  readonly message: string;
}

/**
 * Inserts deliveries with their bodies, in one statement; one that is recorded already stays as it is. No id may be among
 * them twice. @returns the ids that were new.
 */
export async function insertDeliveries(
  db: Database,
  rows: readonly DeliveryRow[],
): Promise<ReadonlySet<string>> {
  const inserted = await db.sql<{ id: string }[]>`
    WITH given AS (
      SELECT * FROM unnest(
        ${rows.map((row) => row.id)}::uuid[],
        ${rows.map((row) => row.integrationId)}::uuid[],
        ${rows.map((row) => row.requestId)}::text[],
        ${rows.map((row) => row.hookId)}::text[],
        ${rows.map((row) => row.eventKey)}::text[],
        ${rows.map((row) => row.attempt)}::int[],
        ${rows.map((row) => row.secretVersion)}::text[],
        ${rows.map((row) => row.receivedAt)}::text[],
        ${rows.map((row) => row.outcome)}::text[],
        ${rows.map((row) => (row.failure === null ? null : JSON.stringify(row.failure)))}::text[],
        ${rows.map((row) => JSON.stringify(row.headers))}::text[],
        ${rows.map((row) => row.body.bytes)}::int[],
        ${rows.map((row) => row.body.base64)}::text[],
        ${rows.map((row) => row.source)}::text[]
      ) AS given (id, integration_id, request_id, hook_id, event_key, attempt, secret_version, received_at, outcome, failure,
                  headers, body_bytes, body, source)
    ), inserted AS (
      INSERT INTO sluice.deliveries
        (id, integration_id, request_id, hook_id, event_key, attempt, secret_version, received_at, outcome, failure, body_bytes, source)
      SELECT id, integration_id, request_id, hook_id, event_key, attempt, secret_version, received_at::timestamptz, outcome, failure::jsonb, body_bytes, source
      FROM given
      -- In one order everywhere, so that two workers with the same deliveries wait for each other instead of deadlocking.
      ORDER BY id
      ON CONFLICT DO NOTHING
      RETURNING id
    ), bodies AS (
      INSERT INTO sluice.delivery_bodies (delivery_id, headers, encoding, body)
      SELECT id, headers::jsonb, 'brotli', decode(body, 'base64') FROM given JOIN inserted USING (id)
    )
    SELECT id FROM inserted`;
  return new Set(inserted.map((row) => row.id));
}
