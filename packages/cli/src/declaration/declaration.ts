/** What files declare, after their references to the environment are resolved: what the plan compares with the store. */
import type { StoredIntegration, StoredTarget } from "@sluice/store/declared-state";

import type { Position } from "./problem.ts";

/** The sections of a file. One that no file has is not managed: neither compared nor pruned. */
export type Section = "spaces" | "integrations" | "stacks" | "modules";

/** Where an entry, or one of its keys, stands in its file. */
export type Locate = (key?: string) => Position;

/** A space. */
export interface DeclaredSpace {
  readonly name: string;
  readonly parent: string;
  readonly inheritEntities: boolean;
  readonly locate: Locate;
}

/** An integration, with its secrets in the clear. */
export interface DeclaredIntegration extends Pick<
  StoredIntegration,
  | "name"
  | "slug"
  | "space"
  | "credentialKind"
  | "credentialEmail"
  | "checksMode"
  | "labels"
  | "description"
  | "callsPerHour"
  | "enabled"
> {
  /** When the token ends, RFC 3339 in UTC; null: not known. */
  readonly credentialExpiresAt: string | null;
  readonly token: string;
  /** Null: kept, or generated for a new one. */
  readonly webhookSecret: string | null;
  readonly previousWebhookSecret: string | null;
  /** How long a replaced secret still verifies; 0: not at all. */
  readonly secretOverlapMs: number;
  readonly locate: Locate;
}

/** A stack or a module. */
export interface DeclaredTarget extends Omit<
  StoredTarget,
  "id" | "integration" | "repositoryIsSeen" | "repositoryIsLatest"
> {
  /** Null: the default integration, which a later look into the store has to name. */
  readonly integration: string | null;
  readonly locate: Locate;
}

/** Everything that the files declare. */
export interface Declaration {
  readonly sections: ReadonlySet<Section>;
  readonly spaces: readonly DeclaredSpace[];
  readonly integrations: readonly DeclaredIntegration[];
  readonly targets: readonly DeclaredTarget[];
}
