import type { Database } from "./client.ts";

/**
 * Many deliveries of a target's repository, recorded evenly over the last `days`, for tests and measurements of retention.
 * Each has a body and one push with a decision: most of branches that are gone, some of `main` and of tags. A third of
 * the pushes has a trigger that has ended, with three lines of history; one delivery of a hundred could not be read. A tenth
 * are no pushes but reports of pull requests, of which one in a hundred is open.
 */
export async function insertOldDeliveries(
  db: Database,
  { targetId, count, days }: { readonly targetId: string; readonly count: number; readonly days: number },
): Promise<void> {
  await db.sql`
    INSERT INTO sluice.deliveries
      (id, integration_id, request_id, event_key, attempt, secret_version, received_at, recorded_at, outcome, failure, body_bytes)
    SELECT md5('delivery ' || n)::uuid, repositories.integration_id, md5('request ' || n)::uuid, 'repo:push', 1, 'current',
           recorded_at, recorded_at, CASE WHEN n % 100 = 0 THEN 'failed' ELSE 'events' END,
           CASE WHEN n % 100 = 0 THEN '{"code": "not_json", "path": "", "message": "is not JSON"}'::jsonb END, 12000
    FROM sluice.targets JOIN sluice.repositories ON repositories.id = targets.repository_id,
         generate_series(1, ${count}::int) AS n,
         LATERAL (SELECT now() - (1 - n / ${count}::float8) * ${days} * interval '1 day') AS moment (recorded_at)
    WHERE targets.id = ${targetId}`;
  await db.sql`
    INSERT INTO sluice.delivery_bodies (delivery_id, headers, encoding, body, recorded_at)
    SELECT id, '{"x-event-key": "repo:push"}', 'brotli', decode(repeat(md5(id::text), 120), 'hex'), recorded_at
    FROM sluice.deliveries`;
  await db.sql`
    INSERT INTO sluice.branches (repository_id, name, head_sha, arrival_sequence)
    SELECT repository_id, branch.name, branch.head_sha, 1
    FROM sluice.targets, LATERAL (
      SELECT 'main', repeat('a', 40)
      UNION ALL SELECT 'feature/' || n, NULL FROM generate_series(0, ${count}::int / 10) AS n
    ) AS branch (name, head_sha)
    WHERE targets.id = ${targetId}`;
  await db.sql`
    INSERT INTO sluice.events
      (delivery_id, index, sequence, kind, event_key, repository_id, ref_kind, ref_name, change, old_sha, new_sha,
       branch_arrival, received_at, recorded_at, decided_at)
    SELECT md5('delivery ' || n)::uuid, 0, n, 'push', 'repo:push', targets.repository_id,
           CASE WHEN n % 10 = 1 THEN 'tag' ELSE 'branch' END,
           CASE WHEN n % 10 = 1 THEN 'v' || n WHEN n % 10 = 2 THEN 'main' ELSE 'feature/' || n / 10 END, 'updated',
           md5((n - 1)::text) || '00000000', md5(n::text) || '00000000', n, received_at, deliveries.recorded_at,
           deliveries.recorded_at
    FROM sluice.targets, generate_series(1, ${count}::int) AS n
    JOIN sluice.deliveries ON deliveries.id = md5('delivery ' || n)::uuid
    WHERE targets.id = ${targetId} AND n % 100 <> 0`;
  await db.sql`
    INSERT INTO sluice.triggers
      (target_id, repository_id, source_repository_id, event_id, run_type, commit_sha, ref_name, base_sha, branch_arrival,
       position, state, attempt, changes, created_at, updated_at)
    SELECT ${targetId}, repository_id, repository_id, id, CASE WHEN ref_name = 'main' THEN 'tracked' ELSE 'proposed' END, new_sha, ref_name,
           old_sha, branch_arrival, sequence, 'succeeded', 1, '{"known": true, "matched": [], "total": 0}', recorded_at,
           recorded_at
    FROM sluice.events WHERE sequence % 10 IN (2, 5, 8)`;
  await db.sql`
    INSERT INTO sluice.trigger_history (trigger_id, state, actor, at)
    SELECT id, past, 'a scheduler', updated_at FROM sluice.triggers, unnest(ARRAY['queued', 'claimed', 'succeeded']) AS past`;
  await db.sql`
    INSERT INTO sluice.decisions (event_id, target_id, outcome, run_type, reason, evidence, trigger_id, decided_at)
    SELECT events.id, ${targetId}, CASE WHEN triggers.id IS NULL THEN 'ignore' ELSE 'trigger' END, triggers.run_type,
           CASE WHEN triggers.id IS NULL THEN 'outside_project_root' ELSE 'triggered' END, '{}', triggers.id,
           events.recorded_at
    FROM sluice.events LEFT JOIN sluice.triggers ON triggers.event_id = events.id`;
  await insertOldPullRequests(db, targetId);
}

async function insertOldPullRequests(db: Database, targetId: string): Promise<void> {
  await db.sql`
    INSERT INTO sluice.pull_requests
      (repository_id, number, title, state, updated_on, source_repository_id, source_branch, source_sha, destination_branch,
       head_arrival, recorded_at)
    SELECT repository_id, sequence / 10 + 1, 'A change', CASE WHEN sequence % 1000 = 5 THEN 'OPEN' ELSE 'MERGED' END, recorded_at,
           repository_id, ref_name, new_sha, 'main', sequence, recorded_at
    FROM sluice.events WHERE sequence % 10 = 5`;
  await db.sql`
    UPDATE sluice.events
    SET kind = 'pull_request', event_key = 'pullrequest:created', action = 'opened', pull_request_number = sequence / 10 + 1,
        source_repository_id = repository_id, ref_kind = NULL, ref_name = NULL, change = NULL, old_sha = NULL,
        branch_arrival = NULL
    WHERE sequence % 10 = 5`;
  await db.sql`
    INSERT INTO sluice.commit_pull_requests (repository_id, commit_sha, number, source, recorded_at)
    SELECT repository_id, new_sha, pull_request_number, 'event', recorded_at FROM sluice.events
    WHERE pull_request_number IS NOT NULL`;
  await db.sql`
    INSERT INTO sluice.commit_links (repository_id, commit_sha, recorded_at)
    SELECT repository_id, commit_sha, created_at FROM sluice.triggers WHERE target_id = ${targetId}`;
}
