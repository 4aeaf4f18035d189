import type { Database } from "./client.ts";

/** Rows that tests and benchmarks start from. Not for anything else. */

/** An integration with a webhook secret, given encrypted. */
export async function insertIntegration(
  db: Database,
  row: {
    readonly id: string;
    readonly slug: string;
    readonly webhookSecretCiphertext: string;
    readonly credentialCiphertext?: string;
  },
): Promise<void> {
  await db.sql`
    INSERT INTO sluice.integrations
      (id, name, slug, space_id, credential_kind, credential_ciphertext, webhook_secret_ciphertext)
    SELECT ${row.id}, ${row.slug}, ${row.slug}, spaces.id, 'access_token', ${row.credentialCiphertext ?? null},
           ${row.webhookSecretCiphertext}
    FROM sluice.spaces WHERE name = 'root'`;
}

/** A stack of a repository that may not have been seen yet. @returns its id. */
export async function insertStack(
  db: Database,
  row: {
    readonly integrationId: string;
    readonly repository: string;
    readonly name: string;
    readonly trackedBranch?: string;
    readonly projectRoot?: string;
    readonly projectGlobs?: readonly string[];
  },
): Promise<string> {
  const [repository] = await db.sql<{ id: string }[]>`
    WITH known AS (
      SELECT id FROM sluice.repositories
      WHERE integration_id = ${row.integrationId} AND lower(full_name) = lower(${row.repository}) LIMIT 1
    ), made AS (
      INSERT INTO sluice.repositories (integration_id, full_name)
      SELECT ${row.integrationId}, ${row.repository} WHERE NOT EXISTS (SELECT FROM known)
      RETURNING id
    )
    SELECT id FROM known UNION ALL SELECT id FROM made`;
  const [stack] = await db.sql<{ id: string }[]>`
    INSERT INTO sluice.targets
      (space_id, kind, name, integration_id, repository_id, tracked_branch, project_root, project_globs)
    SELECT spaces.id, 'stack', ${row.name}, ${row.integrationId}, ${repository?.id ?? null},
           ${row.trackedBranch ?? "main"}, ${row.projectRoot ?? ""}, ${JSON.stringify(row.projectGlobs ?? [])}::jsonb
    FROM sluice.spaces WHERE name = 'root'
    RETURNING id`;
  return stack?.id ?? "";
}
