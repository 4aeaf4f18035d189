/** What a declarative file describes, as it is stored: by name, the way the file speaks. */
import type { OnUnknownFiles, Target } from "@sluice/domain/target";

import type { Database } from "./client.ts";
import { listAllIntegrations } from "./integration-records.ts";
import { selectTargetRecords, type TargetRecord, toTargetRecord } from "./target-records.ts";

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
  /** When the token ends, as whoever made it said; null: not known. */
  readonly credentialExpiresAt: string | null;
  /** Whether events of its webhooks make anything. */
  readonly enabled: boolean;
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

/** Waits until no other transaction applies a file, and keeps others waiting until this one ends. */
export async function lockDeclaredState(tx: Database): Promise<void> {
  await tx.sql`SELECT pg_advisory_xact_lock(${APPLY_LOCK})`;
}

/** The whole state, ordered by name. */
export async function readDeclaredState(db: Database): Promise<DeclaredState> {
  return {
    spaces: await listSpaces(db),
    integrations: await listAllIntegrations(db),
    targets: await listTargets(db),
  };
}

async function listSpaces(db: Database): Promise<StoredSpace[]> {
  return db.sql<StoredSpace[]>`
    SELECT spaces.id, spaces.name, parents.name AS parent, spaces.inherit_entities
    FROM sluice.spaces LEFT JOIN sluice.spaces AS parents ON parents.id = spaces.parent_id
    ORDER BY spaces.name`;
}

async function listTargets(db: Database): Promise<StoredTarget[]> {
  const rows = await db.sql<TargetRecord[]>`
    ${selectTargetRecords(db)} WHERE removed_at IS NULL ORDER BY spaces.name, kind, targets.name`;
  return rows.map(toTargetRecord);
}
