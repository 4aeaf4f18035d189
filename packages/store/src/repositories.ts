import type postgres from "postgres";

import type { Database } from "./client.ts";

/** A repository as a delivery of one integration names it. */
export interface SeenRepository {
  readonly integrationId: string;
  readonly uuid: string;
  readonly fullName: string;
  /** When what names it so was received, RFC 3339: a later name stays. Absent: it is its name now. */
  readonly receivedAt?: string;
}

/** A repository with its present name, locked. */
export interface LockedRepository extends SeenRepository {
  readonly id: string;
}

/** Under which one transaction at a time makes repositories: `MAKE` in ASCII. */
const MAKING_LOCK = 0x4d_41_4b_45;

/**
 * Locks those repositories that are known by their uuid until the transaction ends, in one order everywhere: whoever
 * holds the lock numbers a repository's events, moves its branches and writes its decisions.
 * @returns by `repositoryKey`.
 */
export async function lockKnownRepositories(
  db: Database,
  seen: readonly SeenRepository[],
): Promise<ReadonlyMap<string, LockedRepository>> {
  const named = namesOf(db, latestNames(seen));
  return lockWhere(db, named, db.sql`true`);
}

/**
 * As `lockKnownRepositories`, but locks and returns none unless `areSettled`: whoever has to make one must hold none
 * (`lockSeenRepositories`).
 */
export async function lockSettledRepositories(
  db: Database,
  seen: readonly SeenRepository[],
): Promise<ReadonlyMap<string, LockedRepository>> {
  const named = namesOf(db, latestNames(seen));
  const isSettled = db.sql`NOT EXISTS (
    SELECT FROM ${named} LEFT JOIN sluice.repositories AS known USING (integration_id, uuid)
    WHERE known.full_name IS DISTINCT FROM named.full_name
  )`;
  return lockWhere(db, named, isSettled);
}

async function lockWhere(
  db: Database,
  named: postgres.Fragment,
  condition: postgres.Fragment,
): Promise<ReadonlyMap<string, LockedRepository>> {
  const rows = await db.sql<LockedRepository[]>`
    SELECT id, integration_id, uuid, repositories.full_name
    FROM sluice.repositories JOIN ${named} USING (integration_id, uuid)
    WHERE ${condition}
    ORDER BY id FOR NO KEY UPDATE OF repositories`;
  return new Map(rows.map((row) => [repositoryKey(row), row]));
}

/** Whether these repositories are all known, under the names that the deliveries say last. */
export function areSettled(
  known: ReadonlyMap<string, LockedRepository>,
  seen: readonly SeenRepository[],
): boolean {
  return latestNames(seen).every((one) => known.get(repositoryKey(one))?.fullName === one.fullName);
}

/**
 * Makes or renames the repositories that deliveries name, and locks each until the transaction ends. `updated_at` is when
 * the name was received that stands: a delivery that waited somewhere while another one told of a rename does not undo
 * that (rule 11).
 *
 * The caller holds no repository unless all of these are known. Who makes a repository makes others wait before they can
 * see it, so that no order of locks helps: one at a time does that, and holds nothing before it is his turn.
 */
export async function lockSeenRepositories(db: Database, seen: readonly SeenRepository[]): Promise<void> {
  const named = namesOf(db, latestNames(seen));
  await db.sql`
    SELECT pg_advisory_xact_lock(${MAKING_LOCK})
    WHERE EXISTS (
      SELECT FROM ${named} LEFT JOIN sluice.repositories AS known USING (integration_id, uuid) WHERE known.id IS NULL
    )`;
  await lockNamedRepositories(db, named);
  await adoptUnseenRepositories(db, named);
  await db.sql`
    INSERT INTO sluice.repositories (integration_id, uuid, full_name, updated_at)
    SELECT integration_id, uuid, full_name, ${nameTime(db)} FROM ${named}
    ON CONFLICT (integration_id, uuid) DO NOTHING`;
  await db.sql`
    UPDATE sluice.repositories SET full_name = named.full_name, updated_at = ${nameTime(db)}
    FROM ${named}
    WHERE repositories.integration_id = named.integration_id AND repositories.uuid = named.uuid
      AND repositories.full_name <> named.full_name AND repositories.updated_at <= ${nameTime(db)}`;
}

/** Those that are known, and those that targets named before they were, in the order of all locks. */
async function lockNamedRepositories(db: Database, named: postgres.Fragment): Promise<void> {
  await db.sql`
    SELECT FROM sluice.repositories
    WHERE id IN (
      SELECT known.id FROM ${named} JOIN sluice.repositories AS known USING (integration_id, uuid)
      UNION ALL
      SELECT unseen.id
      FROM ${named} JOIN sluice.repositories AS unseen
        ON unseen.integration_id = named.integration_id AND lower(unseen.full_name) = lower(named.full_name)
        AND unseen.uuid IS NULL
    )
    ORDER BY id FOR NO KEY UPDATE`;
}

/** What is named, as rows. */
function namesOf(db: Database, latest: readonly SeenRepository[]): postgres.Fragment {
  return db.sql`unnest(
      ${latest.map((repository) => repository.integrationId)}::uuid[],
      ${latest.map((repository) => repository.uuid)}::text[],
      ${latest.map((repository) => repository.fullName)}::text[],
      ${latest.map((repository) => repository.receivedAt ?? null)}::text[]
    ) AS named (integration_id, uuid, full_name, received_at)`;
}

function nameTime(db: Database): postgres.Fragment {
  return db.sql`coalesce(received_at::timestamptz, now())`;
}

/** Each repository once, in one order everywhere, by the name of a batch that was received last. */
function latestNames(seen: readonly SeenRepository[]): SeenRepository[] {
  const byTime = seen.toSorted((a, b) => (timeOf(a) < timeOf(b) ? -1 : Number(timeOf(a) > timeOf(b))));
  const latest = new Map(byTime.map((repository) => [repositoryKey(repository), repository]));
  return [...latest].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, repository]) => repository);
}

function timeOf({ receivedAt }: SeenRepository): number {
  return receivedAt === undefined ? Infinity : Date.parse(receivedAt);
}

export function repositoryKey(repository: { readonly integrationId: string; readonly uuid: string }): string {
  return `${repository.integrationId} ${repository.uuid}`;
}

/**
 * A target may name a repository before any delivery came: the first delivery tells its uuid. Where the uuid is known
 * under another name already (a rename), the targets move to that row instead.
 */
async function adoptUnseenRepositories(db: Database, named: postgres.Fragment): Promise<void> {
  const unseen = await db.sql<{ id: string; uuid: string; namedAt: string; knownId: string | null }[]>`
    SELECT unseen.id, named.uuid, ${nameTime(db)} AS named_at, known.id AS known_id
    FROM ${named}
    JOIN sluice.repositories AS unseen
      ON unseen.integration_id = named.integration_id
      AND lower(unseen.full_name) = lower(named.full_name)
      AND unseen.uuid IS NULL
    LEFT JOIN sluice.repositories AS known
      ON known.integration_id = named.integration_id AND known.uuid = named.uuid
    ORDER BY unseen.id
    FOR UPDATE OF unseen`;
  for (const row of unseen) {
    if (row.knownId === null) {
      await db.sql`UPDATE sluice.repositories SET uuid = ${row.uuid}, updated_at = ${row.namedAt} WHERE id = ${row.id}`;
    } else {
      await db.sql`UPDATE sluice.targets SET repository_id = ${row.knownId}, updated_at = now() WHERE repository_id = ${row.id}`;
      await db.sql`DELETE FROM sluice.repositories WHERE id = ${row.id}`;
    }
  }
}

/** Locks repositories until the transaction ends, in one order everywhere. */
export async function lockRepositories(db: Database, ids: readonly string[]): Promise<void> {
  await db.sql`SELECT FROM sluice.repositories WHERE id = ANY(${ids}::uuid[]) ORDER BY id FOR NO KEY UPDATE`;
}
