/** Which webhooks an integration needs at Bitbucket, and what was last seen of them. */
import type { HookDrift } from "@sluice/domain/webhook-plan";

import type { Database } from "./client.ts";

/** What a webhook of an integration is made of. Its secret is still encrypted. */
export interface HookedIntegration {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  /** Null: it is the default. */
  readonly spaceId: string | null;
  /** Null only where none is stored. */
  readonly webhookSecretCiphertext: string | null;
}

/** A repository that is to have a webhook. */
export interface HookedRepository {
  readonly id: string;
  /** Null until a delivery or a sweep has told it. */
  readonly uuid: string | null;
  /** `workspace/slug`. */
  readonly fullName: string;
}

/** What was seen of a repository's webhooks. */
export interface SeenHooks {
  readonly repositoryId: string;
  /** Empty: all was well, or they could not be read. */
  readonly drift: readonly HookDrift[];
  /** Why they could not be read; null: they were. */
  readonly unreadable: string | null;
}

/** @returns null when there is no such integration, or it is deleted. */
export async function findHookedIntegration(db: Database, id: string): Promise<HookedIntegration | null> {
  const [row] = await db.sql<HookedIntegration[]>`
    SELECT id, name, slug, space_id, webhook_secret_ciphertext FROM sluice.integrations
    WHERE id = ${id} AND deleted_at IS NULL`;
  return row ?? null;
}

/**
 * Repositories that targets of an integration use, by id: those after `after` up to and with `through`, at most `limit`.
 * `total` counts also what is beyond the limit.
 */
export async function listHookedRepositories(
  db: Database,
  page: {
    readonly integrationId: string;
    /** Null: from the first. */
    readonly after: string | null;
    /** Null: to the last. */
    readonly through: string | null;
    readonly limit: number;
  },
): Promise<{ readonly repositories: HookedRepository[]; readonly total: number }> {
  const { integrationId, after, through, limit } = page;
  const all = db.sql`true`;
  const rows = await db.sql<(HookedRepository & { total: number })[]>`
    SELECT id, uuid, full_name, (count(*) OVER ())::int AS total FROM sluice.repositories
    WHERE integration_id = ${integrationId}
      AND ${after === null ? all : db.sql`id > ${after}::uuid`}
      AND ${through === null ? all : db.sql`id <= ${through}::uuid`}
      AND EXISTS (
        SELECT FROM sluice.targets
        WHERE repository_id = repositories.id AND removed_at IS NULL AND targets.integration_id IS NOT NULL
      )
    ORDER BY id LIMIT ${limit}`;
  return {
    repositories: rows.map(({ id, uuid, fullName }) => ({ id, uuid, fullName })),
    total: rows[0]?.total ?? 0,
  };
}

/** The repository that Bitbucket last named so, as an integration sees it; null: it knows none. */
export async function findHookedRepository(
  db: Database,
  { integrationId, fullName }: { readonly integrationId: string; readonly fullName: string },
): Promise<HookedRepository | null> {
  const [row] = await db.sql<HookedRepository[]>`
    SELECT id, uuid, full_name FROM sluice.repositories
    WHERE integration_id = ${integrationId} AND lower(full_name) = lower(${fullName})
    ORDER BY uuid IS NULL, updated_at DESC LIMIT 1`;
  return row ?? null;
}

/** Keeps what was seen, instead of what was seen before. A repository that is no longer there is left out. */
export async function saveRepositoryHooks(db: Database, seen: readonly SeenHooks[]): Promise<void> {
  if (seen.length === 0) return;
  await db.sql`
    INSERT INTO sluice.repository_hooks (repository_id, checked_at, drift, unreadable)
    SELECT repositories.id, now(), seen.drift::jsonb, seen.unreadable
    FROM unnest(
      ${seen.map((each) => each.repositoryId)}::uuid[],
      ${seen.map((each) => JSON.stringify(each.drift))}::text[],
      ${seen.map((each) => each.unreadable)}::text[]
    ) AS seen (repository_id, drift, unreadable)
    JOIN sluice.repositories ON repositories.id = seen.repository_id
    ORDER BY repositories.id
    ON CONFLICT (repository_id) DO UPDATE
      SET checked_at = excluded.checked_at, drift = excluded.drift, unreadable = excluded.unreadable`;
}
