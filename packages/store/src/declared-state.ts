/** What a declarative file describes, as it is stored: by name, the way the file speaks. */
import type { OnUnknownFiles, Target } from "@sluice/domain/target";

import type { Database } from "./client.ts";

/** A space; `parent` is null for the root alone. */
export interface StoredSpace {
  readonly id: string;
  readonly name: string;
  readonly parent: string | null;
  readonly inheritEntities: boolean;
}

/** An integration that is not deleted. Its secrets are still encrypted. */
export interface StoredIntegration {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  /** Null for the default integration. */
  readonly space: string | null;
  readonly credentialKind: "api_token" | "access_token";
  readonly credentialEmail: string | null;
  readonly credentialCiphertext: string | null;
  readonly webhookSecretCiphertext: string | null;
  readonly previousSecretCiphertext: string | null;
  /** Null while there is no previous secret, or one without an end. */
  readonly previousSecretExpiresAt: string | null;
  readonly checksMode: "individual" | "aggregated" | "all";
  readonly labels: readonly string[];
  readonly description: string;
  readonly callsPerHour: number;
}

/** A target that is not removed. */
export interface StoredTarget {
  readonly id: string;
  readonly kind: Target["kind"];
  readonly name: string;
  readonly space: string;
  /** Null: detached (rule 5). */
  readonly integration: string | null;
  /** `workspace/slug`, as Bitbucket last wrote it. */
  readonly repository: string;
  /** Whether a delivery ever came from this repository: before, its name is only what a file says. */
  readonly repositoryIsSeen: boolean;
  /** False when Bitbucket has since named another repository so: this one was deleted and made again, or renamed. */
  readonly repositoryIsLatest: boolean;
  readonly trackedBranch: string;
  readonly projectRoot: string;
  readonly projectGlobs: readonly string[];
  readonly labels: readonly string[];
  readonly externalId: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly onUnknownFiles: OnUnknownFiles | null;
  readonly allowedForkWorkspaces: readonly string[];
  readonly deployers: readonly string[];
  readonly coalesce: boolean;
  /** Null for a stack, and for a module that was written before modules had one. */
  readonly moduleVersionSource: Target["moduleVersionSource"];
  readonly enabled: boolean;
}

/** Everything that a declarative file can describe. */
export interface DeclaredState {
  readonly spaces: readonly StoredSpace[];
  readonly integrations: readonly StoredIntegration[];
  readonly targets: readonly StoredTarget[];
}

/** The advisory lock under which a file is applied: `SLAP` in ASCII. */
const APPLY_LOCK = 0x53_4c_41_50;
/** The budget of an integration that has no row yet: the column's default. */
const DEFAULT_CALLS_PER_HOUR = 1000;

/** Waits until no other transaction applies a file, and keeps others waiting until this one ends. */
export async function lockDeclaredState(tx: Database): Promise<void> {
  await tx.sql`SELECT pg_advisory_xact_lock(${APPLY_LOCK})`;
}

/** The whole state, ordered by name. */
export async function readDeclaredState(db: Database): Promise<DeclaredState> {
  return {
    spaces: await listSpaces(db),
    integrations: await listIntegrations(db),
    targets: await listTargets(db),
  };
}

async function listSpaces(db: Database): Promise<StoredSpace[]> {
  return db.sql<StoredSpace[]>`
    SELECT spaces.id, spaces.name, parents.name AS parent, spaces.inherit_entities
    FROM sluice.spaces LEFT JOIN sluice.spaces AS parents ON parents.id = spaces.parent_id
    ORDER BY spaces.name`;
}

async function listIntegrations(db: Database): Promise<StoredIntegration[]> {
  const rows = await db.sql<(Omit<StoredIntegration, "labels"> & { labels: string })[]>`
    SELECT integrations.id, integrations.name, slug, spaces.name AS space, credential_kind, credential_email,
           credential_ciphertext, webhook_secret_ciphertext, previous_secret_ciphertext, previous_secret_expires_at,
           checks_mode, labels::text AS labels, description,
           coalesce(calls_per_hour, ${DEFAULT_CALLS_PER_HOUR}::int) AS calls_per_hour
    FROM sluice.integrations
    LEFT JOIN sluice.spaces ON spaces.id = integrations.space_id
    LEFT JOIN sluice.call_budgets ON call_budgets.integration_id = integrations.id
    WHERE deleted_at IS NULL
    ORDER BY integrations.name`;
  return rows.map((row) => ({ ...row, labels: readTexts(row.labels) }));
}

type TargetRow = Omit<
  StoredTarget,
  "projectGlobs" | "labels" | "metadata" | "allowedForkWorkspaces" | "deployers"
> & {
  readonly projectGlobs: string;
  readonly labels: string;
  readonly metadata: string;
  readonly allowedForkWorkspaces: string;
  readonly deployers: string;
};

async function listTargets(db: Database): Promise<StoredTarget[]> {
  const rows = await db.sql<TargetRow[]>`
    SELECT targets.id, kind, targets.name, spaces.name AS space, integrations.name AS integration,
           repositories.full_name AS repository, repositories.uuid IS NOT NULL AS repository_is_seen,
           NOT EXISTS (
             SELECT FROM sluice.repositories AS later
             WHERE later.integration_id = repositories.integration_id
               AND lower(later.full_name) = lower(repositories.full_name)
               AND (later.uuid IS NULL, repositories.updated_at, repositories.id)
                 < (repositories.uuid IS NULL, later.updated_at, later.id)
           ) AS repository_is_latest, tracked_branch,
           project_root, project_globs::text AS project_globs, targets.labels::text AS labels, external_id,
           metadata::text AS metadata, on_unknown_files,
           allowed_fork_workspaces::text AS allowed_fork_workspaces, deployers::text AS deployers,
           targets.coalesce, module_version_source, targets.enabled
    FROM sluice.targets
    JOIN sluice.spaces ON spaces.id = targets.space_id
    JOIN sluice.repositories ON repositories.id = targets.repository_id
    LEFT JOIN sluice.integrations ON integrations.id = targets.integration_id AND integrations.deleted_at IS NULL
    WHERE removed_at IS NULL
    ORDER BY spaces.name, kind, targets.name`;
  return rows.map((row) => ({
    ...row,
    projectGlobs: readTexts(row.projectGlobs),
    labels: readTexts(row.labels),
    metadata: readObject(row.metadata),
    allowedForkWorkspaces: readTexts(row.allowedForkWorkspaces),
    deployers: readTexts(row.deployers),
  }));
}

function readTexts(json: string): string[] {
  const value: unknown = JSON.parse(json);
  return Array.isArray(value) ? value.map(String) : [];
}

function readObject(json: string): Record<string, unknown> {
  const value: unknown = JSON.parse(json);
  return typeof value === "object" && value !== null ? { ...value } : {};
}
