import { readFileSync } from "node:fs";

import { TRIGGER_STATES } from "@sluice/domain/trigger";
import { toTriggerDocument, type TriggerRecord } from "@sluice/domain/trigger-document";
import { Ajv2020, type SchemaObject } from "ajv/dist/2020.js";
import { expect, test } from "vitest";

const ID = "0199aaaa-0000-7000-8000-000000000001";
const TIME = "2026-11-24T09:00:00.000Z";

/** Nothing in it is null. */
const FULL: TriggerRecord = {
  id: ID,
  runType: "tracked",
  state: "running",
  createdAt: TIME,
  attempt: 2,
  cancelRequested: true,
  lease: { token: ID, holder: "scheduler-1", expiresAt: TIME },
  run: { id: "77", url: "https://runs.example/77" },
  message: "done",
  commitSha: "3f786850e387550fdab836ed7e6dc881de23001b",
  refName: "main",
  baseSha: "89e6c98d92887913cadf06b2adb97f26cde4849b",
  moduleVersion: "1.2.3",
  changes: {
    known: false,
    matched: [{ path: "a/b", rule: { kind: "project_glob", value: "a/*" } }],
    total: 60,
    because: "a test says so",
  },
  previouslyTrackedSha: "89e6c98d92887913cadf06b2adb97f26cde4849b",
  event: {
    kind: "push",
    refKind: "branch",
    change: "updated",
    forced: false,
    commit: {
      sha: "3f786850e387550fdab836ed7e6dc881de23001b",
      message: "Widen it",
      author: "A <a@acme.example>",
      date: TIME,
      url: "https://bitbucket.org/acme/infra/commits/3f78685",
    },
    actor: { uuid: "{1}", displayName: "A", kind: "user" },
    pullRequest: { number: 12, action: "opened" },
  },
  delivery: { id: ID, requestId: "0b6b3d8e-8f5e-4b57-93a1-3f2f4f1f3b4c", receivedAt: TIME, source: "sweep" },
  integration: { id: ID, name: "Acme" },
  repository: { uuid: "{2}", fullName: "acme/infra" },
  sourceRepository: { uuid: "{3}", fullName: "someone/infra" },
  pullRequests: [
    {
      number: 12,
      title: "Widen it",
      state: "OPEN",
      author: { uuid: "{1}", displayName: "A", kind: "user" },
      url: "https://bitbucket.org/acme/infra/pull-requests/12",
      sourceBranch: "feature/wide",
      destinationBranch: "main",
    },
  ],
  target: {
    id: ID,
    externalId: "net",
    kind: "module",
    name: "network",
    space: "root",
    labels: ["eu"],
    projectRoot: "",
    metadata: { any: ["thing", 1] },
  },
  decision: { id: ID, reason: "triggered", evidence: {}, runType: "tracked" },
};

/** Everything that may be null is. */
const BARE: TriggerRecord = {
  ...FULL,
  lease: null,
  run: { id: null, url: null },
  message: null,
  baseSha: null,
  moduleVersion: null,
  changes: { known: true, matched: [], total: 0 },
  previouslyTrackedSha: null,
  delivery: { ...FULL.delivery, source: "webhook" },
  event: { ...FULL.event, refKind: null, change: null, commit: null, actor: null, pullRequest: null },
  repository: { uuid: null, fullName: "acme/infra" },
  sourceRepository: { uuid: null, fullName: "acme/infra" },
  pullRequests: [{ ...FULL.pullRequests[0]!, author: null, url: null }],
  target: { ...FULL.target, externalId: null, labels: [] },
  decision: null,
};

const schema = JSON.parse(
  readFileSync(new URL("../../../docs/schemas/trigger-1.json", import.meta.url), "utf8"),
) as SchemaObject;

function validate(candidate: SchemaObject, document: unknown): unknown {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, validateFormats: false, allErrors: true });
  return ajv.validate(candidate, document) ? [] : ajv.errors;
}

/** The schema with nothing allowed beside what it names, except in metadata, which is anybody's. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed);
  if (typeof node !== "object" || node === null) return node;
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]));
  return "properties" in node && "required" in node ? { ...copy, additionalProperties: false } : copy;
}

test.each([
  ["full", FULL],
  ["bare", BARE],
])("a %s document is what the published schema says", (_, record) => {
  expect(validate(schema, toTriggerDocument(record, { showLeaseToken: true }))).toEqual([]);
  expect(validate(schema, toTriggerDocument(record, { showLeaseToken: false }))).toEqual([]);
});

test("the schema names every field of the document, and a document may have more", () => {
  const document = toTriggerDocument(FULL, { showLeaseToken: true });
  const strict = closed(schema) as SchemaObject;
  expect(validate(strict, document)).toEqual([]);
  expect(validate(strict, { ...document, later: 1 })).not.toEqual([]);
  expect(validate(schema, { ...document, later: 1 })).toEqual([]);
});

test("the schema refuses a document without one of its fields", () => {
  const document = toTriggerDocument(FULL, { showLeaseToken: true });
  for (const field of Object.keys(document)) {
    const { [field]: _, ...rest } = document as unknown as Record<string, unknown>;
    expect(validate(schema, rest)).not.toEqual([]);
  }
});

test("the schema knows every state", () => {
  const properties = schema["properties"] as { state: { enum: string[] } };
  expect(properties.state.enum).toEqual([...TRIGGER_STATES]);
});
