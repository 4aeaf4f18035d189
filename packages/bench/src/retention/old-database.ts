/**
 * A database that has been written to for five months and never cleaned. Its history is made of changes: a branch that is
 * pushed to, its pull request, the merge and the end of the branch, each of which came in a delivery of its own. As many
 * changes are under way at any time as in a large company, so that their deliveries are mixed.
 */
import { randomBytes } from "node:crypto";
import type postgres from "postgres";
import { withDatabase } from "../database.ts";
import { insertDecisions, insertTriggers } from "./old-decisions.ts";
import { insertDeliveries, insertEvents, type RowCounts } from "./old-deliveries.ts";
import { insertBranches, insertPullRequests } from "./old-pull-requests.ts";

/** How far back the history goes: with 90 days for decisions, two fifths of it are past their age. */
const DAYS = 150;
/** Deliveries of one change; one step is the next of each change that is under way. */
const STEPS = 12;
/** Of all changes, those that begin between two steps of one: so it takes 16 days. */
const STARTED_PER_STEP = 0.01;
/** What one change leaves, over all tables: a little less than there is, so that there are no fewer rows than asked for. */
const ROWS_PER_CHANGE = 80;
/** Repositories that nothing is pushed to later have two more stacks, which no change concerns. */
const OTHER_STACKS = 2;
/** Compressed bodies are pieces of it, which cannot be compressed further. */
const RANDOM_BYTES = 1024 * 1024;

/** What a database was filled with, and when that was done, by the database's clock. */
export interface FilledDatabase {
  readonly counts: RowCounts;
  readonly at: string;
}

/** A repository that is pushed to while it is measured. */
export interface LiveRepository {
  readonly fullName: string;
  /** The commit of `main` that the first push goes on from. */
  readonly head: string;
}

/** Fills a seeded database with at least `rows` rows. Repositories that are `live` have the longest histories. */
export function fillDatabase(
  url: string,
  { rows, live }: { readonly rows: number; readonly live: readonly LiveRepository[] },
): Promise<FilledDatabase> {
  const changes = Math.ceil(rows / ROWS_PER_CHANGE);
  return withDatabase(url, async (sql) => {
    // What is inserted refers to what is there; to check it takes longer than to insert it.
    await sql`SET session_replication_role = 'replica'`;
    await sql`SET work_mem = '256MB'`;
    await createChanges(sql, { changes, names: live.map(({ fullName }) => fullName) });
    await createSteps(sql, changes);
    await chainMerges(sql, live);
    const counts = {
      ...(await insertDeliveries(sql, randomBytes(RANDOM_BYTES))),
      ...(await insertEvents(sql)),
      ...(await insertTriggers(sql)),
      ...(await insertDecisions(sql)),
      ...(await insertBranches(sql)),
      ...(await insertPullRequests(sql)),
    };
    await sql`SELECT setval('sluice.event_sequence', (SELECT max(sequence) FROM steps) + 1)`;
    // As autovacuum has left a database that was written to for so long.
    await sql`VACUUM (ANALYZE)`;
    await sql`CHECKPOINT`;
    const [now] = await sql<{ at: string }[]>`SELECT now()::text AS at`;
    return { counts, at: now?.at ?? "" };
  });
}

/** `changes`: the first repositories, which are the named ones, have most of them. One of a hundred is open for ever. */
async function createChanges(
  sql: postgres.Sql,
  { changes, names }: { readonly changes: number; readonly names: readonly string[] },
): Promise<void> {
  await sql`
    INSERT INTO sluice.targets (space_id, kind, name, integration_id, repository_id, tracked_branch, project_root)
    SELECT space_id, kind, name || '-' || n, targets.integration_id, repository_id, tracked_branch, 'elsewhere'
    FROM sluice.targets JOIN sluice.repositories ON repositories.id = repository_id, generate_series(1, ${OTHER_STACKS}::int) AS n
    WHERE full_name <> ALL(${[...names]}::text[])`;
  await sql`
    CREATE TEMPORARY TABLE changes AS
    WITH places AS (
      SELECT row_number() OVER (ORDER BY full_name <> ALL(${[...names]}::text[]), full_name) - 1 AS place, count(*) OVER () AS places,
             repositories.id AS repository_id, repositories.integration_id, targets.id AS target_id
      FROM sluice.repositories JOIN sluice.targets ON repository_id = repositories.id AND targets.name = full_name
    )
    SELECT n, n % 100 = 0 AS is_open, 'feature/change-' || n AS branch, repository_id, integration_id, target_id
    FROM generate_series(1, ${changes}::int) AS n
    JOIN places ON place = floor(places * power((hashint4(n)::bigint & 2147483647) / 2147483648.0, 2))`;
}

/**
 * `steps`: a delivery of a change, when it came, and its place among all. Hashes are of the change's three commits and of
 * its merge. Later steps that tell of the pull request give 12 digits of a hash, as Bitbucket does.
 */
async function createSteps(sql: postgres.Sql, changes: number): Promise<void> {
  const startedPerStep = Math.ceil(changes * STARTED_PER_STEP);
  await sql`
    CREATE TEMPORARY TABLE steps AS
    SELECT changes.*, step, place * ${STEPS}::int + step AS sequence, at,
           md5('delivery ' || n || ' ' || step)::uuid AS delivery_id, uuidv7(at - now()) AS event_id,
           CASE WHEN step < 9 THEN md5(n || ' ' || least(step / 2, 2)) ELSE md5(n || ' merge') END || '01234567' AS sha,
           CASE WHEN step IN (2, 4) THEN md5(n || ' ' || step / 2 - 1) || '01234567' END AS old_sha,
           CASE
             WHEN step = 11 THEN CASE WHEN n % 8 = 0 THEN 'failed' WHEN n % 8 < 4 THEN 'tag' ELSE 'unsupported' END
             WHEN step IN (0, 2, 4) THEN 'push' WHEN step = 9 THEN 'merge' WHEN step = 10 THEN 'end' ELSE 'pull_request'
           END AS told
    FROM changes CROSS JOIN generate_series(0, ${STEPS - 1}::int) AS step,
         LATERAL (SELECT n + step * ${startedPerStep}::int) AS ordered (place),
         LATERAL (
           SELECT now() - (1 - place / ${changes + STEPS * startedPerStep}::float8) * ${DAYS}::int * interval '1 day'
         ) AS moment (at)
    WHERE step < 8 OR NOT is_open
    ORDER BY sequence`;
}

/** Each merge goes on from the one before it in its repository, and the last one is where the next push goes on. */
async function chainMerges(sql: postgres.Sql, live: readonly LiveRepository[]): Promise<void> {
  await sql`
    UPDATE steps SET sha = head
    FROM (
      SELECT DISTINCT ON (repository_id) sequence, full_name
      FROM steps JOIN sluice.repositories ON repositories.id = repository_id
      WHERE told = 'merge' ORDER BY repository_id, sequence DESC
    ) AS latest
    JOIN unnest(
      ${live.map(({ fullName }) => fullName)}::text[], ${live.map(({ head }) => head)}::text[]
    ) AS live (full_name, head) USING (full_name)
    WHERE latest.sequence = steps.sequence`;
  await sql`
    UPDATE steps SET old_sha = before.sha
    FROM (
      SELECT sequence, lag(sha) OVER (PARTITION BY repository_id ORDER BY sequence) AS sha FROM steps WHERE told = 'merge'
    ) AS before
    WHERE before.sequence = steps.sequence`;
  await sql`ANALYZE steps`;
}
