/** What the tests of `apply` share: a database for each test, and files to apply to it. */
import { createTestDatabase, type TestDatabase } from "@sluice/embedded/test-database";
import { generateKey, parseKeyring } from "@sluice/runtime/keyring";
import { openStore, type Store } from "@sluice/store/client";
import { migrateStore } from "@sluice/store/migrate";
import { afterAll, afterEach, beforeEach, expect, inject } from "vitest";

import { type Applied, applyDeclaration } from "./apply-declaration.ts";
import type { Declaration } from "./declaration.ts";
import { describePlan, formatPlan } from "./describe-plan.ts";
import { parseDeclaration } from "./parse-declaration.ts";

/** Encrypts the secrets of every test. */
export const KEYRING = parseKeyring(generateKey());

/** What `${NAME}` refers to. */
export const ENVIRONMENT = {
  TOKEN: "LEAK-token-1",
  TOKEN_2: "LEAK-token-2",
  SECRET: "LEAK-webhook-secret-1",
  SECRET_2: "LEAK-webhook-secret-2",
};

/** A default integration. */
export const ACME = `integrations:
  - name: Acme Infra
    default: true
    credential: { kind: api_token, email: bot@acme.example, token: "\${TOKEN}" }
    webhook_secret: \${SECRET}`;

/** The same, which leaves its webhook secret out. */
export const ACME_WITHOUT_SECRET = ACME.split("\n", 4).join("\n");

/** Two stacks of one repository. */
export const STACKS = `stacks:
  - { name: network, repository: acme/infra, tracked_branch: main, project_root: network }
  - { name: database, repository: acme/infra, tracked_branch: main, project_root: database }`;

/** How to apply a file; `environment` takes the place of ENVIRONMENT. */
export interface ApplyOptions {
  readonly prune?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
}

/** A target, with what it is bound to. */
export interface TargetRow {
  readonly name: string;
  readonly integration: string | null;
  readonly fullName: string;
  readonly uuid: string | null;
  readonly removed: boolean;
}

/** The database of the present test. */
export interface Scene {
  readonly store: Store;
  /** Applies a file, given without its first line `version: 1`. */
  apply(text: string, options?: ApplyOptions): Promise<Applied>;
  /** Targets in the order in which they were made. */
  targetRows(): Promise<readonly TargetRow[]>;
}

/** Gives each test of the file a database of its own, and checks at the end that no plan ever showed a secret. */
export function useScene(): Scene {
  const shown: string[] = [];
  let database: TestDatabase;
  let store: Store;
  beforeEach(async () => {
    const serverUrl = inject("postgresUrl");
    database = await createTestDatabase({ serverUrl, key: "store", migrate: migrateStore });
    store = openStore({ url: database.url, maxConnections: 6, applicationName: "cli-test" });
  });
  afterEach(async () => {
    await store.close();
    await database.drop();
  });
  afterAll(() => {
    expect(shown.length).toBeGreaterThan(0);
    expect(shown.join("\n")).not.toContain("LEAK");
  });
  return {
    get store() {
      return store;
    },
    async apply(text, { prune = false, environment } = {}) {
      const declaration = declare(text, environment);
      const input = { declaration, keyring: KEYRING, prune, agreed: null, by: "ada" };
      const applied = await applyDeclaration(store, input);
      shown.push(formatPlan(applied.plan), JSON.stringify(describePlan(applied.plan)));
      return applied;
    },
    targetRows: () => store.sql<TargetRow[]>`
      SELECT targets.name, integrations.name AS integration, full_name, uuid, removed_at IS NOT NULL AS removed
      FROM sluice.targets JOIN sluice.repositories ON repositories.id = repository_id
      LEFT JOIN sluice.integrations ON integrations.id = targets.integration_id
      ORDER BY targets.id`,
  };
}

/** A declaration, given without its first line `version: 1`. */
export function declare(text: string, environment: ApplyOptions["environment"] = ENVIRONMENT): Declaration {
  return parseDeclaration([{ file: "sluice.yaml", text: `version: 1\n${text}` }], environment);
}

/** What changed, in short: `create stack network`. */
export function actionsOf({ plan }: Applied): string[] {
  return describePlan(plan).map(({ action, kind, name }) => `${action} ${kind} ${name}`);
}

/** The keys that changed. */
export function fieldsOf({ plan }: Applied): string[] {
  return describePlan(plan).flatMap(({ fields }) => fields.map((field) => field.field));
}
