/** Deliveries of a database's history with their bodies and events, in the order in which they came. */
import type postgres from "postgres";

/** How many rows there are, by table. */
export type RowCounts = Readonly<Record<string, number>>;

/** Compressed bodies are of 0.7 to 3.3 KB: a part of them is kept apart from their rows. */
const MIN_BODY_BYTES = 700;
const BODY_RANGE_BYTES = 2_600;

const FACTS = JSON.stringify({
  actor: { kind: "user", uuid: "{7d1c1f0e-3a55-4c8e-9a0f-0d6f5b2c4e11}", displayName: "Nadia Okafor" },
  commit: { date: "2026-01-01T00:00:00+00:00", message: "Widen the subnets of the second region\n" },
});

/** One delivery for each step, and its body; one of a hundred could not be read. */
export async function insertDeliveries(sql: postgres.Sql, random: Buffer): Promise<RowCounts> {
  const deliveries = await sql`
    INSERT INTO sluice.deliveries
      (id, integration_id, request_id, hook_id, event_key, attempt, secret_version, received_at, recorded_at, outcome, failure,
       body_bytes)
    SELECT delivery_id, integration_id, md5('request ' || n || ' ' || step)::uuid, '2c8a5b44-4f7e-4d7c-9d10-8f4b8f2f7a11',
           CASE told WHEN 'pull_request' THEN 'pullrequest:updated' WHEN 'unsupported' THEN 'issue:created' ELSE 'repo:push' END,
           1, 'current', at, at, CASE WHEN told IN ('failed', 'unsupported') THEN told ELSE 'events' END,
           CASE WHEN told = 'failed' THEN '{"code": "not_json", "path": "", "message": "is not JSON"}'::jsonb END, 12000
    FROM steps ORDER BY sequence`;
  const bodies = await sql`
    INSERT INTO sluice.delivery_bodies (delivery_id, headers, encoding, body, recorded_at)
    SELECT delivery_id, '{"user-agent": "Bitbucket-Webhooks/2.0", "content-type": "application/json"}', 'brotli',
           substr(
             ${random}::bytea,
             1 + (hashint8(sequence)::bigint & 2147483647)::int % ${random.length - MIN_BODY_BYTES - BODY_RANGE_BYTES}::int,
             ${MIN_BODY_BYTES}::int + (hashint8(sequence + 1)::bigint & 2147483647)::int % ${BODY_RANGE_BYTES}::int
           ),
           at
    FROM steps ORDER BY sequence`;
  return { deliveries: deliveries.count, bodies: bodies.count };
}

/** One event for each delivery that could be read. All have been decided. */
export async function insertEvents(sql: postgres.Sql): Promise<RowCounts> {
  const events = await sql`
    INSERT INTO sluice.events
      (id, delivery_id, index, sequence, kind, event_key, repository_id, ref_kind, ref_name, change, old_sha, new_sha,
       branch_arrival, action, pull_request_number, source_repository_id, facts, received_at, recorded_at, decided_at)
    SELECT event_id, delivery_id, 0, sequence, CASE WHEN told IN ('pull_request', 'unsupported') THEN told ELSE 'push' END,
           CASE told WHEN 'pull_request' THEN 'pullrequest:updated' WHEN 'unsupported' THEN 'issue:created' ELSE 'repo:push' END,
           CASE WHEN told <> 'unsupported' THEN repository_id END,
           CASE WHEN told IN ('push', 'merge', 'end') THEN 'branch' WHEN told = 'tag' THEN 'tag' END,
           CASE WHEN told IN ('push', 'end') THEN branch WHEN told = 'merge' THEN 'main' WHEN told = 'tag' THEN 'v' || n END,
           CASE WHEN told = 'end' THEN 'deleted' WHEN step = 0 OR told = 'tag' THEN 'created'
                WHEN told IN ('push', 'merge') THEN 'updated' END,
           old_sha,
           CASE WHEN told IN ('end', 'unsupported') THEN NULL WHEN told = 'pull_request' AND step > 5 THEN left(sha, 12) ELSE sha END,
           CASE WHEN told IN ('push', 'merge', 'end') THEN sequence END,
           CASE WHEN told = 'pull_request'
                THEN CASE step WHEN 1 THEN 'opened' WHEN 6 THEN 'approved' WHEN 7 THEN 'commented' WHEN 8 THEN 'closed'
                     ELSE 'synchronize' END END,
           CASE WHEN told = 'pull_request' THEN n END, CASE WHEN told = 'pull_request' THEN repository_id END,
           ${FACTS}::text::jsonb, at, at, at
    FROM steps WHERE told <> 'failed' ORDER BY sequence`;
  return { events: events.count };
}
