/** When which repository is swept, and what came of it (rule 34). Times are those of the database's clock. */
import type { CommitLinks } from "@sluice/domain/commit-links";

import { isActiveTarget } from "./active-targets.ts";
import type { Database } from "./client.ts";
import { toRfc3339 } from "./rfc3339.ts";

/** A repository that is to be swept now. */
export interface DueSweep {
  readonly repositoryId: string;
  readonly integrationId: string;
  /** Null until a delivery or a sweep has told it. */
  readonly uuid: string | null;
  /** `workspace/slug`. */
  readonly fullName: string;
  /** The branches that its targets track, each once. */
  readonly branches: readonly string[];
}

/** Why a repository could not be swept. */
export interface SweepFailure {
  readonly code: string;
  readonly message: string;
}

/** How a repository's sweeps stand. Times are RFC 3339. */
export interface SweepReport {
  /** `workspace/slug`. */
  readonly repository: string;
  readonly integration: string;
  /** Null: never. */
  readonly sweptAt: string | null;
  /** Pushes and states of pull requests that the last sweep recovered. */
  readonly found: number;
  /**
   * Branches that Bitbucket has elsewhere, and that are looked at again before anything is done. Pull requests that changed
   * moments ago are looked at again too, and are not counted: nothing is kept of them.
   */
  readonly suspected: number;
  /** Null: the last sweep could look at everything. */
  readonly failure: (SweepFailure & { readonly since: string }) | null;
  /** Whether Bitbucket can tell the pull requests of its commits; null: not asked yet. */
  readonly commitLinks: CommitLinks | null;
}

/** Makes the sweep of every repository that an active target uses known. */
export async function addSweptRepositories(db: Database): Promise<void> {
  await db.sql`
    INSERT INTO sluice.repository_sweeps (repository_id)
    SELECT DISTINCT repository_id FROM sluice.targets
    WHERE ${isActiveTarget(db)}
      AND NOT EXISTS (SELECT FROM sluice.repository_sweeps WHERE repository_sweeps.repository_id = targets.repository_id)
    ON CONFLICT DO NOTHING`;
}

/**
 * Takes repositories that are due, those first that have waited longest: nobody else is given them before `takeForMs` are
 * over. Due: the schedule or somebody says so, or whoever took it is not done in time. `intervalMs` null: there is no
 * schedule. `except`: integrations whose repositories are left alone.
 */
export async function takeDueSweeps(
  db: Database,
  options: {
    readonly intervalMs: number | null;
    readonly limit: number;
    readonly takeForMs: number;
    readonly except: readonly string[];
  },
): Promise<DueSweep[]> {
  const { intervalMs, limit, takeForMs, except } = options;
  return db.sql<DueSweep[]>`
    WITH due AS (
      SELECT repository_id FROM sluice.repository_sweeps
      JOIN sluice.repositories ON repositories.id = repository_sweeps.repository_id
      WHERE integration_id <> ALL(${except}::uuid[])
        AND (taken_until < now() OR taken_until IS NULL AND (
          due_at <= now()
          OR due_at IS NULL AND ${intervalMs !== null}
            AND coalesce(swept_at + ${intervalMs ?? 0} * interval '1 millisecond', '-infinity') <= now()
        ))
        AND EXISTS (SELECT FROM sluice.targets WHERE targets.repository_id = repositories.id AND ${isActiveTarget(db)})
      ORDER BY coalesce(due_at, swept_at) NULLS FIRST LIMIT ${limit}
      FOR NO KEY UPDATE OF repository_sweeps SKIP LOCKED
    ), taken AS (
      UPDATE sluice.repository_sweeps
      SET taken_until = now() + ${takeForMs} * interval '1 millisecond', due_at = NULL
      FROM due WHERE due.repository_id = repository_sweeps.repository_id
      RETURNING repository_sweeps.repository_id
    )
    SELECT repositories.id AS repository_id, integration_id, uuid, full_name, (
      SELECT json_agg(DISTINCT tracked_branch) FROM sluice.targets
      WHERE targets.repository_id = repositories.id AND ${isActiveTarget(db)}
    ) AS branches
    FROM taken JOIN sluice.repositories ON repositories.id = taken.repository_id
    ORDER BY repositories.id`;
}

/**
 * Keeps what came of a sweep. `lookAgainInMs`: sooner than the schedule; null: by the schedule. Who asked for a sweep while
 * this one was under way is not forgotten.
 */
export async function finishSweep(
  db: Database,
  sweep: {
    readonly repositoryId: string;
    readonly found: number;
    readonly lookAgainInMs: number | null;
    readonly failure: SweepFailure | null;
  },
): Promise<void> {
  const { repositoryId, found, lookAgainInMs, failure } = sweep;
  await db.sql`
    UPDATE sluice.repository_sweeps
    SET swept_at = now(), taken_until = NULL, found = ${found},
        due_at = least(due_at, now() + ${lookAgainInMs}::float8 * interval '1 millisecond'),
        failure_code = ${failure?.code ?? null}, failure_message = ${failure?.message ?? null},
        failing_since = CASE WHEN ${failure !== null} THEN coalesce(failing_since, now()) END
    WHERE repository_id = ${repositoryId}`;
}

/** Gives a repository back unswept: it is due as before. */
export async function releaseSweep(db: Database, repositoryId: string): Promise<void> {
  await db.sql`
    UPDATE sluice.repository_sweeps SET taken_until = NULL, due_at = now() WHERE repository_id = ${repositoryId}`;
}

/**
 * Makes repositories due at once: those that were not swept within the last `notSweptForMs`; of one name only, where
 * `repository` is given.
 */
export async function requestSweeps(
  db: Database,
  wanted: { readonly repository: string | null; readonly notSweptForMs: number },
): Promise<void> {
  await addSweptRepositories(db);
  const { repository, notSweptForMs } = wanted;
  await db.sql`
    UPDATE sluice.repository_sweeps SET due_at = now()
    FROM sluice.repositories
    WHERE repositories.id = repository_sweeps.repository_id
      AND (${repository}::text IS NULL OR lower(full_name) = lower(${repository}))
      AND (swept_at IS NULL OR swept_at <= now() - ${notSweptForMs} * interval '1 millisecond')`;
}

/** How the sweeps of repositories with active targets stand, by name; `repository` null: all of them. */
export async function listSweepReports(db: Database, repository: string | null): Promise<SweepReport[]> {
  const rows = await db.sql<
    (Omit<SweepReport, "failure"> & {
      failureCode: string | null;
      failureMessage: string | null;
      failingSince: string | null;
    })[]
  >`
    SELECT full_name AS repository, integrations.name AS integration, swept_at, found,
           (SELECT count(*)::int FROM sluice.sweep_suspicions
            WHERE sweep_suspicions.repository_id = repositories.id) AS suspected,
           failure_code, failure_message, failing_since, commit_links
    FROM sluice.repository_sweeps
    JOIN sluice.repositories ON repositories.id = repository_sweeps.repository_id
    JOIN sluice.integrations ON integrations.id = repositories.integration_id
    WHERE (${repository}::text IS NULL OR lower(full_name) = lower(${repository}))
      AND EXISTS (SELECT FROM sluice.targets WHERE targets.repository_id = repositories.id AND ${isActiveTarget(db)})
    ORDER BY lower(full_name), integrations.name`;
  return rows.map(({ failureCode: code, failureMessage: message, failingSince: since, sweptAt, ...row }) => ({
    ...row,
    sweptAt: sweptAt === null ? null : toRfc3339(sweptAt),
    failure:
      code === null || message === null || since === null ? null : { code, message, since: toRfc3339(since) },
  }));
}
