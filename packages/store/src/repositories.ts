import type { Database } from "./client.ts";

/** A repository as a delivery of one integration names it. */
export interface SeenRepository {
  readonly integrationId: string;
  readonly uuid: string;
  readonly fullName: string;
}

/** A repository with its present name, locked. */
export interface LockedRepository extends SeenRepository {
  readonly id: string;
}

/**
 * Locks those repositories that are known by their uuid until the transaction ends, in one order everywhere: whoever
 * holds the lock numbers a repository's events, moves its branches and writes its decisions.
 * @returns by `repositoryKey`.
 */
export async function lockKnownRepositories(
  db: Database,
  seen: readonly SeenRepository[],
): Promise<ReadonlyMap<string, LockedRepository>> {
  const latest = latestNames(seen);
  const rows = await db.sql<LockedRepository[]>`
    SELECT id, integration_id, uuid, repositories.full_name FROM sluice.repositories
    JOIN unnest(
      ${latest.map((repository) => repository.integrationId)}::uuid[],
      ${latest.map((repository) => repository.uuid)}::text[]
    ) AS seen (integration_id, uuid) USING (integration_id, uuid)
    ORDER BY id FOR NO KEY UPDATE OF repositories`;
  return new Map(rows.map((row) => [repositoryKey(row), row]));
}

/** Whether these repositories are all known, under the names that the deliveries say. */
export function areSettled(
  known: ReadonlyMap<string, LockedRepository>,
  seen: readonly SeenRepository[],
): boolean {
  return latestNames(seen).every((one) => known.get(repositoryKey(one))?.fullName === one.fullName);
}

/**
 * Makes or renames the repositories that deliveries name, and locks each until the transaction ends. The caller holds
 * the locks of those that are known.
 */
export async function lockSeenRepositories(db: Database, seen: readonly SeenRepository[]): Promise<void> {
  const latest = latestNames(seen);
  const integrationIds = latest.map((repository) => repository.integrationId);
  const uuids = latest.map((repository) => repository.uuid);
  const fullNames = latest.map((repository) => repository.fullName);
  await adoptUnseenRepositories(db, integrationIds, uuids, fullNames);
  await db.sql`
    INSERT INTO sluice.repositories (integration_id, uuid, full_name)
    SELECT * FROM unnest(${integrationIds}::uuid[], ${uuids}::text[], ${fullNames}::text[])
    ON CONFLICT (integration_id, uuid) DO NOTHING`;
  await lockKnownRepositories(db, latest);
  await db.sql`
    UPDATE sluice.repositories SET full_name = seen.full_name, updated_at = now()
    FROM unnest(${integrationIds}::uuid[], ${uuids}::text[], ${fullNames}::text[]) AS seen (integration_id, uuid, full_name)
    WHERE repositories.integration_id = seen.integration_id AND repositories.uuid = seen.uuid
      AND repositories.full_name <> seen.full_name`;
}

/** Each repository once, in one order everywhere; the last name of a batch is the newest. */
function latestNames(seen: readonly SeenRepository[]): SeenRepository[] {
  const latest = new Map(seen.map((repository) => [repositoryKey(repository), repository]));
  return [...latest].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, repository]) => repository);
}

export function repositoryKey(repository: { readonly integrationId: string; readonly uuid: string }): string {
  return `${repository.integrationId} ${repository.uuid}`;
}

/**
 * A target may name a repository before any delivery came: the first delivery tells its uuid. Where the uuid is known
 * under another name already (a rename), the targets move to that row instead.
 */
async function adoptUnseenRepositories(
  db: Database,
  integrationIds: readonly string[],
  uuids: readonly string[],
  fullNames: readonly string[],
): Promise<void> {
  const unseen = await db.sql<{ id: string; uuid: string; knownId: string | null }[]>`
    SELECT unseen.id, seen.uuid, known.id AS known_id
    FROM unnest(${integrationIds}::uuid[], ${uuids}::text[], ${fullNames}::text[]) AS seen (integration_id, uuid, full_name)
    JOIN sluice.repositories AS unseen
      ON unseen.integration_id = seen.integration_id
      AND lower(unseen.full_name) = lower(seen.full_name)
      AND unseen.uuid IS NULL
    LEFT JOIN sluice.repositories AS known
      ON known.integration_id = seen.integration_id AND known.uuid = seen.uuid
    ORDER BY unseen.id
    FOR UPDATE OF unseen`;
  for (const row of unseen) {
    if (row.knownId === null) {
      await db.sql`UPDATE sluice.repositories SET uuid = ${row.uuid}, updated_at = now() WHERE id = ${row.id}`;
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
