/** Repositories as people see them: what is known of each, and what came from it last. Times are RFC 3339. */
import type { Reach } from "@sluice/domain/access";
import type { CommitLinks } from "@sluice/domain/commit-links";

import type { Database } from "./client.ts";
import type { DeliveryFailure } from "./deliveries.ts";
import { isReached } from "./reach.ts";
import { toRfc3339 } from "./rfc3339.ts";
import type { SweepFailure } from "./sweeps.ts";

/** A repository as one integration sees it. */
export interface RepositoryRecord {
  readonly id: string;
  /** With braces; null until the first delivery or sweep. */
  readonly uuid: string | null;
  /** `workspace/slug`. */
  readonly fullName: string;
  readonly integrationId: string;
  readonly integration: string;
  /** Null: the default integration. */
  readonly integrationSpaceId: string | null;
  /** Within reach, as the two counts below. */
  readonly stacks: number;
  readonly modules: number;
  /** Null: not asked yet. */
  readonly commitLinks: CommitLinks | null;
  readonly commitLinksCheckedAt: string | null;
  /** Null: never. */
  readonly sweptAt: string | null;
  /** Pushes and states of pull requests that the last sweep recovered. */
  readonly found: number;
  readonly sweepFailure: (SweepFailure & { readonly since: string }) | null;
  /** What was last seen of its webhooks; null: nobody has looked. */
  readonly hooks: RepositoryHooks | null;
}

/** What was last seen of a repository's webhooks. */
export interface RepositoryHooks {
  readonly checkedAt: string;
  readonly drift: readonly {
    readonly kind: string;
    readonly hookId: string | null;
    readonly detail: string;
  }[];
  /** Why they could not be read; null: they were. */
  readonly unreadable: string | null;
}

/** What was told last of one event key. */
export interface LastDelivery {
  readonly repositoryId: string;
  readonly eventKey: string;
  readonly deliveryId: string;
  readonly receivedAt: string;
}

/** A delivery that could not be read. */
export interface LastFailure {
  readonly integrationId: string;
  readonly deliveryId: string;
  readonly eventKey: string;
  readonly receivedAt: string;
  readonly failure: DeliveryFailure;
}

/** How far back a failed delivery is looked for: no index has the failed ones alone. */
const LOOK_BACK_DELIVERIES = 1_000;

type RepositoryRow = Omit<RepositoryRecord, "sweepFailure" | "hooks"> & {
  readonly failureCode: string | null;
  readonly failureMessage: string | null;
  readonly failingSince: string | null;
  readonly hooksCheckedAt: string | null;
  readonly drift: RepositoryHooks["drift"] | null;
  readonly unreadable: string | null;
};

/**
 * Repositories within reach, by name: those of an integration within reach, and those of targets within reach. `after`: the
 * last one of the page before; `fullName` of it in lower case.
 */
export async function listRepositoryRecords(
  db: Database,
  page: {
    readonly reach: Reach;
    readonly filter: { readonly integration?: string; readonly namePrefix?: string };
    readonly limit: number;
    readonly after: { readonly name: string; readonly id: string } | null;
  },
): Promise<RepositoryRecord[]> {
  const { reach, filter, limit, after } = page;
  const { integration, namePrefix } = filter;
  const { sql } = db;
  const all = sql`true`;
  const rows = await sql<RepositoryRow[]>`
    ${selectRepositories(db, reach)}
      AND ${integration === undefined ? all : sql`integrations.name = ${integration}`}
      AND ${namePrefix === undefined ? all : sql`starts_with(lower(full_name), lower(${namePrefix}))`}
      AND ${after === null ? all : sql`(lower(full_name), repositories.id) > (${after.name}, ${after.id}::uuid)`}
    ORDER BY lower(full_name), repositories.id
    LIMIT ${limit}`;
  return rows.map(toRecord);
}

/** A repository; null when there is none within reach. */
export async function findRepositoryRecord(
  db: Database,
  { id, reach }: { readonly id: string; readonly reach: Reach },
): Promise<RepositoryRecord | null> {
  const [row] = await db.sql<RepositoryRow[]>`${selectRepositories(db, reach)} AND repositories.id = ${id}`;
  return row === undefined ? null : toRecord(row);
}

/** The last webhook delivery of each key from each repository, as far as deliveries are kept. What a sweep found is none. */
export async function listLastDeliveries(
  db: Database,
  {
    repositoryIds,
    eventKeys,
  }: { readonly repositoryIds: readonly string[]; readonly eventKeys: readonly string[] },
): Promise<LastDelivery[]> {
  const rows = await db.sql<LastDelivery[]>`
    SELECT repository_id, event_key, last.delivery_id, last.received_at
    FROM unnest(${[...repositoryIds]}::uuid[]) AS repository_id
    CROSS JOIN unnest(${[...eventKeys]}::text[]) AS event_key
    CROSS JOIN LATERAL (
      SELECT delivery_id, events.received_at
      FROM sluice.events JOIN sluice.deliveries ON deliveries.id = delivery_id
      WHERE events.repository_id = repository_id.repository_id AND events.event_key = event_key.event_key
        AND source = 'webhook'
      ORDER BY events.id DESC LIMIT 1
    ) AS last
    ORDER BY repository_id, event_key`;
  return rows.map((row) => ({ ...row, receivedAt: toRfc3339(row.receivedAt) }));
}

/** The last delivery of each integration that could not be read, among its last thousand. */
export async function listLastFailures(
  db: Database,
  integrationIds: readonly string[],
): Promise<LastFailure[]> {
  const rows = await db.sql<LastFailure[]>`
    SELECT integration_id, last.id AS delivery_id, event_key, received_at, failure
    FROM unnest(${[...integrationIds]}::uuid[]) AS integration_id
    CROSS JOIN LATERAL (
      SELECT id, event_key, received_at, failure, recorded_at FROM (
        SELECT * FROM sluice.deliveries WHERE deliveries.integration_id = integration_id.integration_id
        ORDER BY recorded_at DESC, id DESC LIMIT ${LOOK_BACK_DELIVERIES}
      ) AS recent
      WHERE outcome = 'failed' ORDER BY recorded_at DESC, id DESC LIMIT 1
    ) AS last`;
  return rows.map((row) => ({ ...row, receivedAt: toRfc3339(row.receivedAt) }));
}

/** Ends in a condition, for more of them to follow. */
function selectRepositories(db: Database, reach: Reach) {
  const { sql } = db;
  const targets = sql`
    FROM sluice.targets
    WHERE targets.repository_id = repositories.id AND removed_at IS NULL AND ${isReached(db, reach, sql`targets.space_id`)}`;
  return sql`
    SELECT repositories.id, repositories.uuid, full_name, integration_id, integrations.name AS integration,
           integrations.space_id AS integration_space_id,
           (SELECT count(*)::int ${targets} AND kind = 'stack') AS stacks,
           (SELECT count(*)::int ${targets} AND kind = 'module') AS modules,
           commit_links, commit_links_checked_at, swept_at, coalesce(found, 0) AS found, failure_code, failure_message,
           failing_since, repository_hooks.checked_at AS hooks_checked_at, drift, unreadable
    FROM sluice.repositories
    JOIN sluice.integrations ON integrations.id = repositories.integration_id
    LEFT JOIN sluice.repository_sweeps ON repository_sweeps.repository_id = repositories.id
    LEFT JOIN sluice.repository_hooks ON repository_hooks.repository_id = repositories.id
    WHERE (
      deleted_at IS NULL AND ${isReached(db, reach, sql`integrations.space_id`)} OR EXISTS (SELECT ${targets})
    )`;
}

function toRecord(row: RepositoryRow): RepositoryRecord {
  const { failureCode: code, failureMessage: message, failingSince: since, ...rest } = row;
  const { hooksCheckedAt: checkedAt, drift, unreadable, ...record } = rest;
  const time = (value: string | null) => (value === null ? null : toRfc3339(value));
  return {
    ...record,
    commitLinksCheckedAt: time(record.commitLinksCheckedAt),
    sweptAt: time(record.sweptAt),
    sweepFailure:
      code === null || message === null || since === null ? null : { code, message, since: toRfc3339(since) },
    hooks:
      checkedAt === null || drift === null ? null : { checkedAt: toRfc3339(checkedAt), drift, unreadable },
  };
}
