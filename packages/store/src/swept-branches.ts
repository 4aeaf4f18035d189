/** What sweeps have seen of branches: where Bitbucket has them, against where we do (rule 34). */
import { isActiveTarget } from "./active-targets.ts";
import type { Database } from "./client.ts";
import type { BranchName } from "./branches.ts";

/** A branch that Bitbucket has elsewhere than we do. */
export interface Suspicion {
  /** Where Bitbucket has it; null: it is gone. */
  readonly headSha: string | null;
  /** Of the branch as we had it. */
  readonly arrivalSequence: number;
  /** How long it has been known. */
  readonly ageMs: number;
}

/** What one look at a branch showed: Bitbucket's head, and ours; null: there is no such branch. */
export interface SeenHead extends BranchName {
  readonly headSha: string | null;
  readonly knownSha: string | null;
}

/** @returns null when there is none. The caller holds the repository's lock. */
export async function findSuspicion(db: Database, branch: BranchName): Promise<Suspicion | null> {
  const [row] = await db.sql<Suspicion[]>`
    SELECT head_sha, arrival_sequence, (extract(epoch FROM now() - since) * 1000)::float8 AS age_ms
    FROM sluice.sweep_suspicions WHERE repository_id = ${branch.repositoryId} AND branch = ${branch.name}`;
  return row ?? null;
}

/** Begins a suspicion, in the place of another one of the branch. */
export async function saveSuspicion(
  db: Database,
  { repositoryId, name, headSha, arrivalSequence }: BranchName & Omit<Suspicion, "ageMs">,
): Promise<void> {
  await db.sql`
    INSERT INTO sluice.sweep_suspicions (repository_id, branch, head_sha, arrival_sequence)
    VALUES (${repositoryId}, ${name}, ${headSha}, ${arrivalSequence})
    ON CONFLICT (repository_id, branch) DO UPDATE
      SET head_sha = excluded.head_sha, arrival_sequence = excluded.arrival_sequence, since = now()`;
}

/** Ends the suspicion about a branch, if there is one. */
export async function deleteSuspicion(db: Database, { repositoryId, name }: BranchName): Promise<void> {
  await db.sql`
    DELETE FROM sluice.sweep_suspicions WHERE repository_id = ${repositoryId} AND branch = ${name}`;
}

/** Ends the suspicions about branches of a repository other than these: nobody tracks them any more. */
export async function deleteOtherSuspicions(
  db: Database,
  repositoryId: string,
  branches: readonly string[],
): Promise<void> {
  await db.sql`
    DELETE FROM sluice.sweep_suspicions
    WHERE repository_id = ${repositoryId} AND branch <> ALL(${branches}::text[])`;
}

/** Whether an event of the branch waits for its decisions. */
export async function hasUndecidedPushes(db: Database, branch: BranchName): Promise<boolean> {
  const [row] = await db.sql<{ found: boolean }[]>`
    SELECT EXISTS (
      SELECT FROM sluice.events
      WHERE repository_id = ${branch.repositoryId} AND ref_kind = 'branch' AND ref_name = ${branch.name}
        AND decided_at IS NULL
    ) AS found`;
  return row?.found ?? false;
}

/** A number for the arrival of a branch of which no push is known. The caller holds the repository's lock. */
export async function drawArrival(db: Database): Promise<number> {
  const [row] = await db.sql<{ sequence: number }[]>`SELECT nextval('sluice.event_sequence') AS sequence`;
  if (row === undefined) throw new Error("no number was drawn");
  return row.sequence;
}

/**
 * Keeps the head as the baseline of each active target of the repository that has none for this branch. One that was begun
 * while we had the branch elsewhere is done once we have it where Bitbucket has it.
 */
export async function saveBaselines(
  db: Database,
  { repositoryId, name, headSha, knownSha }: SeenHead,
): Promise<void> {
  await db.sql`
    INSERT INTO sluice.sweep_baselines AS baselines (target_id, branch, head_sha, known_sha)
    SELECT targets.id, ${name}, ${headSha}, ${knownSha} FROM sluice.targets
    LEFT JOIN sluice.sweep_baselines AS earlier
      ON earlier.target_id = targets.id AND earlier.branch = ${name}
    WHERE repository_id = ${repositoryId} AND ${isActiveTarget(db)}
      AND (earlier.target_id IS NULL
           OR ${headSha === knownSha} AND earlier.head_sha IS DISTINCT FROM earlier.known_sha)
    ORDER BY targets.id
    ON CONFLICT (target_id, branch) DO UPDATE
      SET head_sha = excluded.head_sha, known_sha = excluded.known_sha
      WHERE excluded.head_sha IS NOT DISTINCT FROM excluded.known_sha`;
}

/**
 * For which targets of its repository a push that a sweep found is the baseline: those that have none, and those whose
 * baseline it is.
 * @returns ids.
 */
export async function listBaselineTargets(
  db: Database,
  push: BranchName & { readonly oldSha: string | null; readonly newSha: string | null },
): Promise<ReadonlySet<string>> {
  const rows = await db.sql<{ id: string }[]>`
    SELECT targets.id FROM sluice.targets
    LEFT JOIN sluice.sweep_baselines AS baselines
      ON baselines.target_id = targets.id AND baselines.branch = ${push.name}
    WHERE repository_id = ${push.repositoryId} AND removed_at IS NULL
      AND (baselines.target_id IS NULL
           OR baselines.known_sha IS NOT DISTINCT FROM ${push.oldSha}
             AND baselines.head_sha IS NOT DISTINCT FROM ${push.newSha})`;
  return new Set(rows.map(({ id }) => id));
}

/** The repository could not be read: what it had meanwhile is a baseline again. */
export async function forgetBaselinesOfRepository(db: Database, repositoryId: string): Promise<void> {
  await db.sql`
    DELETE FROM sluice.sweep_baselines USING sluice.targets
    WHERE targets.id = target_id AND targets.repository_id = ${repositoryId}`;
}

/** These targets begin anew: they were removed, or lost their integration. */
export async function forgetBaselines(tx: Database, targetIds: readonly string[]): Promise<void> {
  if (targetIds.length === 0) return;
  await tx.sql`DELETE FROM sluice.sweep_baselines WHERE target_id = ANY(${targetIds}::uuid[])`;
}

/** The targets of these integrations begin anew: the integrations are switched off, or on again. */
export async function forgetBaselinesOfIntegrations(
  tx: Database,
  integrationIds: readonly string[],
): Promise<void> {
  if (integrationIds.length === 0) return;
  await tx.sql`
    DELETE FROM sluice.sweep_baselines USING sluice.targets
    WHERE targets.id = target_id AND targets.integration_id = ANY(${integrationIds}::uuid[])`;
}

/** A target as it is about to be written; `id` is null for a new one. */
export interface ChangedTarget {
  readonly id: string | null;
  readonly integrationId: string;
  readonly repositoryId: string;
  readonly trackedBranch: string;
  readonly enabled: boolean;
}

/** Those of these targets begin anew that are about to get another integration, repository or branch, or to be switched. */
export async function forgetBaselinesOfChanged(tx: Database, rows: readonly ChangedTarget[]): Promise<void> {
  await tx.sql`
    DELETE FROM sluice.sweep_baselines
    USING sluice.targets AS was, unnest(
      ${rows.map((row) => row.id)}::uuid[],
      ${rows.map((row) => row.integrationId)}::uuid[],
      ${rows.map((row) => row.repositoryId)}::uuid[],
      ${rows.map((row) => row.trackedBranch)}::text[],
      ${rows.map((row) => String(row.enabled))}::text[]
    ) AS new (id, integration_id, repository_id, tracked_branch, enabled)
    WHERE target_id = was.id AND was.id = new.id
      AND (was.integration_id, was.repository_id, was.tracked_branch, was.enabled)
        IS DISTINCT FROM (new.integration_id, new.repository_id, new.tracked_branch, new.enabled::boolean)`;
}
