/** Every operation of the API, out of its description, and a body for each; for tests that go through all. Not for anything else. */
import { z } from "zod";

import { PERMISSION_EXTENSION } from "./access/define-route.ts";
import { NOBODY, type TestApi } from "./test-api.ts";
import { aTarget } from "./test-targets.ts";

/** An operation of the description. */
export interface Operation {
  /** `GET /v1/stacks/{id}`. */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly permission: string;
  /** Names of what its query may have. */
  readonly queries: readonly string[];
}

const documentSchema = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        [PERMISSION_EXTENSION]: z.string(),
        parameters: z.array(z.object({ in: z.string(), name: z.string() })).default([]),
      }),
    ),
  ),
});

/** Everything that is described. */
export async function listOperations(api: Pick<TestApi, "call">): Promise<Operation[]> {
  const { paths } = documentSchema.parse((await api.call("GET", "/openapi.json")).body);
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([verb, operation]) => ({
      name: `${verb.toUpperCase()} ${path}`,
      method: verb.toUpperCase(),
      path,
      permission: operation[PERMISSION_EXTENSION],
      queries: operation.parameters.filter((each) => each.in === "query").map(({ name }) => name),
    })),
  );
}

/** A path with the ids of things in it: `ids` by the word behind `/v1/`. What has none there names nothing. */
export function fillPath(path: string, ids: Readonly<Record<string, string>> = {}): string {
  const kind = path.split("/")[2] ?? "";
  return path.replace(/\{\w+\}/, ids[kind] ?? NOBODY).replace("{number}", "1");
}

const EMPTY_PLAN = Buffer.from(JSON.stringify({ through: null, actions: [] })).toString("base64url");

/** The name of everything that is made; only once for each kind and space. */
export const FRESH_NAME = "fresh";

const TARGET = {
  ...aTarget(FRESH_NAME),
  external_id: "e",
  space: "root",
  integration: "account",
  project_root: "r",
  project_globs: ["g/**"],
  labels: ["l"],
  metadata: { k: ["v", 1] },
  on_unknown_files: "run",
  allowed_fork_workspaces: ["w"],
  deployers: ["{00000000-0000-4000-8000-000000000000}"],
};
const CREDENTIAL = {
  kind: "api_token",
  email: "a@b.example",
  token: "t",
  expires_at: "2030-01-01T00:00:00Z",
};
const SETTINGS = { labels: ["l"], description: "d", checks: "all", calls_per_hour: 5 };

/** A body for each operation that takes one, with every field that it has, by the name of the operation. As far as they name things, there are a default integration "account", and a space, a stack and a module "there". */
export const SAMPLE_BODIES: Readonly<Record<string, object>> = {
  "POST /v1/api-keys": { name: FRESH_NAME, role: "read", space: "there", expires_at: "2030-01-01T00:00:00Z" },
  "POST /v1/spaces": { name: FRESH_NAME, parent: "root" },
  "PUT /v1/spaces/{id}": { name: "there", parent: "root", inherit_entities: false },
  "POST /v1/integrations": {
    name: FRESH_NAME,
    space: "there",
    credential: CREDENTIAL,
    check_against: "a/b",
    ...SETTINGS,
  },
  "PUT /v1/integrations/{id}": { name: "account", ...SETTINGS },
  "PUT /v1/integrations/{id}/credential": { credential: CREDENTIAL, check_against: "a/b" },
  "POST /v1/integrations/{id}/check": { against: "a/b" },
  "POST /v1/integrations/{id}/webhook-secret/rotate": { overlap_hours: 1 },
  "POST /v1/integrations/{id}/webhooks/plan": { scope: { repository: "a/b" }, cursor: NOBODY, limit: 1 },
  "POST /v1/integrations/{id}/webhooks/apply": {
    scope: { workspace: "a" },
    cursor: NOBODY,
    plan_digest: EMPTY_PLAN,
  },
  "POST /v1/stacks": TARGET,
  "PUT /v1/stacks/{id}": { ...TARGET, name: "there" },
  "POST /v1/stacks/bulk": { items: [TARGET], remove_missing_in: "there" },
  "POST /v1/modules": { ...TARGET, version_from: "file" },
  "PUT /v1/modules/{id}": { ...TARGET, name: "there", version_from: "file" },
  "POST /v1/modules/bulk": { items: [TARGET], remove_missing_in: "there" },
  "POST /v1/triggers/claim": {
    holder: "h",
    limit: 1,
    lease_ms: 1_000,
    kinds: ["stack"],
    labels: ["l"],
    spaces: ["s"],
  },
  "POST /v1/triggers/{id}/start": {
    lease_token: NOBODY,
    lease_ms: 1_000,
    run_id: "r",
    run_url: "https://a.example",
  },
  "POST /v1/triggers/{id}/wait": { lease_token: NOBODY },
  "POST /v1/triggers/{id}/heartbeat": { lease_token: NOBODY, lease_ms: 1_000 },
  "POST /v1/triggers/{id}/finish": { lease_token: NOBODY, result: "failed", message: "m" },
  "POST /v1/triggers/{id}/cancel": { by: "b" },
  "POST /v1/triggers/{id}/end": { by: "b", result: "failed", message: "m" },
};
