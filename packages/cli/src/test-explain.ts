import { randomUUID } from "node:crypto";

import { createTestDatabase } from "@sluice/embedded/test-database";
import { openStore, type Store } from "@sluice/store/client";
import { insertDecisions, type NewDecision } from "@sluice/store/decisions";
import { migrateStore } from "@sluice/store/migrate";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";

import { runCli } from "./cli.ts";

/** A database, and `sluice explain` on it: for tests. */
export interface TestExplain {
  readonly store: Store;
  /** Forgets everything, and makes an integration with the stack `network` of `acme/infra`. */
  begin(): Promise<void>;
  readonly integrationId: () => string;
  /** The id of the stack `network`. */
  readonly network: () => string;
  aStack(name: string, more?: { repository?: string; projectRoot?: string }): Promise<string>;
  /** A decision on `network`, unless another target is named: ignored, unless told otherwise. */
  decide(eventId: string, decision?: Partial<NewDecision>): Promise<void>;
  explain(...args: string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }>;
  /** The same with `--json`. */
  explainAsData(...args: string[]): Promise<ExplainedAsData>;
  close(): Promise<void>;
}

/** What the tests read of the JSON. */
export interface ExplainedAsData {
  readonly code: number;
  readonly hasMore: boolean;
  readonly found: readonly {
    readonly words: string;
    readonly delivery: { readonly id: string };
    readonly event: { readonly id: string } | null;
    readonly decisions: readonly { readonly reason: string }[];
  }[];
}

/** A database of its own on the server. */
export async function startTestExplain(serverUrl: string): Promise<TestExplain> {
  const database = await createTestDatabase({ serverUrl, key: "store", migrate: migrateStore });
  const store = openStore({ url: database.url, maxConnections: 2, applicationName: "test" });
  let integrationId = "";
  let network = "";

  const aStack: TestExplain["aStack"] = (name, more = {}) =>
    insertStack(store, { integrationId, repository: "acme/infra", name, ...more });

  const explain: TestExplain["explain"] = async (...args) => {
    const said = { out: "", err: "" };
    const code = await runCli(["explain", ...args], {
      environment: { DATABASE_URL: database.url },
      print: (text) => void (said.out += text),
      report: (text) => void (said.err += text),
      isInteractive: false,
      confirm: () => Promise.resolve(false),
      readLines: async function* readLines() {
        yield* [];
      },
      workingDirectory: "/",
    });
    return { code, ...said };
  };

  return {
    store,
    integrationId: () => integrationId,
    network: () => network,
    aStack,
    explain,
    async begin() {
      await store.sql`TRUNCATE sluice.integrations CASCADE`;
      integrationId = randomUUID();
      await insertIntegration(store, {
        id: integrationId,
        slug: "acme",
        webhookSecretCiphertext: "-",
        credentialCiphertext: "-",
      });
      network = await aStack("network");
    },
    async decide(eventId, decision = {}) {
      const ignored = { outcome: "ignore", runType: null, reason: "outside_project_root" } as const;
      const rest = { eventId, targetId: network, triggerId: null, evidence: {} };
      await insertDecisions(store, [{ ...rest, ...ignored, ...decision }]);
    },
    async explainAsData(...args) {
      const { code, out } = await explain(...args, "--json");
      // The shape is that of docs/cli.md, and what a test reads of it fails when it is not.
      const data: Omit<ExplainedAsData, "code"> = JSON.parse(out);
      return { code, ...data };
    },
    async close() {
      await store.close();
      await database.drop();
    },
  };
}
