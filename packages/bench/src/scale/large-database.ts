/** What a database holds of the large repository before a run, and what it has to hold after it. */
import { randomUUID } from "node:crypto";
import { withDatabase, type Seed } from "../database.ts";
import type { PushedRepository } from "../webhooks.ts";
import type { LargeTarget } from "./large-repository.ts";

/** The repository with all its stacks, known and counted as in a database that has had them for long. @returns its id */
export function seedLargeRepository(
  url: string,
  input: {
    readonly seed: Seed;
    readonly repository: PushedRepository;
    readonly targets: readonly LargeTarget[];
  },
): Promise<string> {
  const { seed, repository, targets } = input;
  return withDatabase(url, async (sql) => {
    const id = randomUUID();
    await sql`
      INSERT INTO sluice.repositories (id, integration_id, uuid, full_name)
      VALUES (${id}, ${seed.integrationId}, ${repository.uuid}, ${repository.fullName})`;
    await sql`
      INSERT INTO sluice.targets
        (space_id, kind, name, integration_id, repository_id, tracked_branch, project_root, project_globs)
      SELECT spaces.id, 'stack', new.name, ${seed.integrationId}::uuid, ${id}::uuid, 'main', root, globs::jsonb
      FROM sluice.spaces
      CROSS JOIN unnest(
        ${targets.map(({ name }) => name)}::text[],
        ${targets.map(({ projectRoot }) => projectRoot)}::text[],
        ${targets.map(({ projectGlobs }) => JSON.stringify(projectGlobs))}::text[]
      ) AS new (name, root, globs)
      WHERE spaces.name = 'root'`;
    await sql`ANALYZE sluice.targets, sluice.repositories`;
    return id;
  });
}

/** What was sent to the large repository, and to all others. */
export interface SentPushes {
  readonly repositoryId: string;
  readonly largePushes: number;
  readonly targets: number;
  readonly affected: number;
  /** Refs that the pushes to the others moved; each makes one trigger. */
  readonly otherChanges: number;
}

/**
 * Every push to the large repository has a decision for each stack, all of one transaction, and its triggers; and so have
 * the others for their one stack. @throws Error that says what is missing: the run is void.
 */
export async function assertDecided(url: string, sent: SentPushes): Promise<void> {
  const wanted: Readonly<Record<string, number>> = {
    pushes: sent.largePushes,
    fewest: sent.targets,
    most: sent.targets,
    transactions: 1,
    triggers: sent.largePushes * sent.affected,
    other_decisions: sent.otherChanges,
    other_triggers: sent.otherChanges,
    undecided: 0,
  };
  const found = await withDatabase(url, async (sql) => {
    const [row] = await sql<Record<string, number>[]>`
      WITH pushes AS (
        SELECT events.repository_id = ${sent.repositoryId} AS is_large, events.decided_at,
               count(decisions.id)::int AS decisions, count(DISTINCT decisions.xmin::text)::int AS transactions,
               count(triggers.id)::int AS triggers
        FROM sluice.events
        LEFT JOIN sluice.decisions ON decisions.event_id = events.id
        LEFT JOIN sluice.triggers ON triggers.id = decisions.trigger_id AND decisions.outcome = 'trigger'
        GROUP BY events.id
      )
      SELECT count(*) FILTER (WHERE is_large)::int AS pushes,
             min(decisions) FILTER (WHERE is_large) AS fewest,
             max(decisions) FILTER (WHERE is_large) AS most,
             max(transactions) FILTER (WHERE is_large) AS transactions,
             sum(triggers) FILTER (WHERE is_large)::int AS triggers,
             sum(decisions) FILTER (WHERE NOT is_large)::int AS other_decisions,
             sum(triggers) FILTER (WHERE NOT is_large)::int AS other_triggers,
             count(*) FILTER (WHERE decided_at IS NULL)::int AS undecided
      FROM pushes`;
    return row ?? {};
  });
  const wrong = Object.entries(wanted).filter(([name, count]) => found[name] !== count);
  if (wrong.length === 0) return;
  const list = wrong.map(([name, count]) => `${name}: ${found[name] ?? 0} instead of ${count}`).join(", ");
  throw new Error(`the run is void, Postgres does not hold what was sent: ${list}`);
}
