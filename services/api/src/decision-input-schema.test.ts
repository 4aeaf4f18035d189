import { readFileSync } from "node:fs";

import { toDecisionInput, type DecisionContext } from "@sluice/domain/decision-input";
import type { PullRequestEvent, PushEvent } from "@sluice/domain/event";
import type { PullRequestState } from "@sluice/domain/pull-request";
import type { Target } from "@sluice/domain/target";
import { Ajv2020, type SchemaObject } from "ajv/dist/2020.js";
import { expect, test } from "vitest";

const HEAD = "7d0c3c7a5f1e4b2d9a86e0f3b1c4d5e6f7a8b9c0";
const BASE = "2b9a1e4f6c8d0a3b5c7d9e1f3a5b7c9d1e3f5a7b";
const REPOSITORY = { uuid: "{3f2a6a7e-4c1b-4a5d-9f0e-6b7c8d9e0f1a}", fullName: "acme/infra" };
const ADA = { uuid: "{0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d}", displayName: "Ada", kind: "user" };
const BOB = "{9f8e7d6c-5b4a-4c3d-8e2f-1a0b9c8d7e6f}";

const PULL_REQUEST: PullRequestState = {
  number: 12,
  title: "Widen the network",
  state: "OPEN",
  isDraft: false,
  author: ADA,
  url: "https://bitbucket.org/acme/infra/pull-requests/12",
  createdOn: "2026-11-24T09:00:00.000000+00:00",
  updatedOn: "2026-11-24T09:30:00.123456+00:00",
  source: { repository: REPOSITORY, branch: "feature/wider", sha: HEAD },
  destination: { branch: "main", sha: BASE },
  mergeSha: null,
  reviews: [{ userUuid: BOB, state: "approved", participatedOn: "2026-11-24T09:20:00.000000+00:00" }],
  headArrival: 7,
};

const TARGET: Target = {
  id: "0199aaaa-0000-7000-8000-000000000004",
  kind: "stack",
  name: "network",
  state: "active",
  trackedBranch: "main",
  projectRoot: "/network/",
  projectGlobs: ["modules/vpc/**"],
  onUnknownFiles: null,
  allowedForkWorkspaces: [],
  deployers: [],
  moduleVersionSource: null,
};

const SPACE = { id: "0199aaaa-0000-7000-8000-000000000001", name: "root" };

const CONTEXT: DecisionContext = {
  target: {
    externalId: "net-eu",
    labels: ["eu"],
    space: SPACE,
    trackedSha: BASE,
    currentVersion: null,
  },
  integration: {
    id: "0199aaaa-0000-7000-8000-000000000003",
    name: "Acme",
    description: "",
    labels: [],
    space: null,
  },
  inProgress: [
    {
      id: "0199aaaa-0000-7000-8000-000000000009",
      runType: "proposed",
      state: "queued",
      refName: "feature/wider",
      commitSha: "5e4d3c2b1a0f9e8d7c6b5a4f3e2d1c0b9a8f7e6d",
      createdAt: "2026-11-24T09:10:00.000Z",
    },
  ],
  files: { kind: "listed", paths: ["network/main.tf", "README.md"], spec: "7d0c..2b9a" },
  pullRequest: PULL_REQUEST,
};

const SYNCHRONIZED: PullRequestEvent = {
  kind: "pull_request",
  action: "synchronize",
  repository: REPOSITORY,
  actor: ADA,
  pullRequest: PULL_REQUEST,
  comment: null,
};

const PUSHED: PushEvent = {
  kind: "push",
  repository: REPOSITORY,
  actor: ADA,
  refKind: "branch",
  refName: "main",
  change: "updated",
  oldSha: BASE,
  newSha: HEAD,
  forced: false,
  commit: {
    sha: HEAD,
    message: "Widen it",
    author: "Ada <ada@acme.example>",
    date: "2026-11-24T09:00:00+00:00",
    url: null,
  },
};

/** Everything that may be null is. */
const BARE_CONTEXT: DecisionContext = {
  target: { externalId: null, labels: [], space: SPACE, trackedSha: null, currentVersion: null },
  integration: null,
  inProgress: [],
  files: null,
  pullRequest: null,
};
const BARE_FACTS: PullRequestEvent["pullRequest"] = {
  ...PULL_REQUEST,
  isDraft: null,
  author: null,
  url: null,
  source: { repository: null, branch: "feature/wider", sha: null },
  destination: { branch: "main", sha: null },
  reviews: null,
};
const MODULE: Target = { ...TARGET, kind: "module", moduleVersionSource: "file" };
const RELEASED: DecisionContext = {
  ...CONTEXT,
  target: { ...CONTEXT.target, currentVersion: "1.2.3" },
};
const MERGED: DecisionContext = {
  ...CONTEXT,
  pullRequest: { ...PULL_REQUEST, state: "MERGED", mergeSha: "0f1e2d3c4b5a" },
};
const COMMENT: PullRequestEvent["comment"] = {
  id: 1,
  text: "/sluice propose network",
  author: ADA,
  createdOn: null,
  isDeleted: false,
  parentId: null,
  isInline: false,
};
const OWNED: DecisionContext = {
  ...CONTEXT,
  integration: { ...CONTEXT.integration!, space: SPACE, labels: ["eu"], description: "The EU team's" },
};

const DOCUMENTS: readonly (readonly [string, ReturnType<typeof toDecisionInput>])[] = [
  ["a pull request's", toDecisionInput(SYNCHRONIZED, TARGET, CONTEXT)],
  ["a merge's", toDecisionInput({ ...SYNCHRONIZED, action: "merged" }, TARGET, MERGED)],
  [
    "a comment's",
    toDecisionInput({ ...SYNCHRONIZED, action: "commented", comment: COMMENT }, TARGET, CONTEXT),
  ],
  [
    "a bare pull request's",
    toDecisionInput({ ...SYNCHRONIZED, actor: null, pullRequest: BARE_FACTS }, TARGET, BARE_CONTEXT),
  ],
  ["a push's", toDecisionInput(PUSHED, TARGET, OWNED)],
  ["a module's", toDecisionInput(PUSHED, MODULE, RELEASED)],
  [
    "a bare push's",
    toDecisionInput(
      { ...PUSHED, actor: null, newSha: null, change: "deleted", commit: null },
      MODULE,
      BARE_CONTEXT,
    ),
  ],
  ["a tag's", toDecisionInput({ ...PUSHED, refKind: "tag", refName: "v1.2.3" }, MODULE, RELEASED)],
];

const schema = JSON.parse(read("schemas/decision-input-1.json")) as SchemaObject;
const errorsOf = compile(schema);

test.each(DOCUMENTS)("%s input is what the published schema says", (_, input) => {
  expect(errorsOf(input)).toEqual([]);
});

test("the schema names every field of an input, and an input may have more", () => {
  const errorsOfClosed = compile(closed(schema) as SchemaObject);
  for (const [, input] of DOCUMENTS) {
    expect(errorsOfClosed(input)).toEqual([]);
    expect(errorsOfClosed({ ...input, later: 1 })).not.toEqual([]);
    expect(errorsOf({ ...input, later: 1 })).toEqual([]);
  }
});

test("the schema refuses an input without one of its fields, at any depth", () => {
  for (const [, input] of DOCUMENTS) {
    for (const smaller of oneFieldLess(input)) expect(errorsOf(smaller)).not.toEqual([]);
  }
});

test("the page shows the input as it is made, and names every field of the schema", () => {
  const page = read("decision-input.md");
  const example = /```json\n([\s\S]*?)```/.exec(page)?.[1] ?? "null";
  expect(JSON.parse(example)).toEqual(toDecisionInput(SYNCHRONIZED, TARGET, CONTEXT));
  expect(propertyNames(schema).filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

function read(path: string): string {
  return readFileSync(new URL(`../../../docs/${path}`, import.meta.url), "utf8");
}

/** Gives what is wrong with a document; compiled once, because that takes longer than everything else here. */
function compile(candidate: SchemaObject): (document: unknown) => unknown {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, validateFormats: false, allErrors: true });
  const validate = ajv.compile(candidate);
  return (document) => (validate(document) ? [] : validate.errors);
}

/** The schema with nothing allowed beside what it names. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed);
  if (!isObject(node)) return node;
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]));
  return "properties" in node && "required" in node ? { ...copy, additionalProperties: false } : copy;
}

/** Every document that lacks exactly one field of `value`, or of an object within it. */
function oneFieldLess(value: unknown): unknown[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => oneFieldLess(item).map((smaller) => value.with(index, smaller)));
  }
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, field]) => {
    const { [key]: _, ...rest } = value;
    return [rest, ...oneFieldLess(field).map((smaller) => ({ ...value, [key]: smaller }))];
  });
}

/** The names of all properties in a schema. */
function propertyNames(node: unknown): string[] {
  if (Array.isArray(node)) return node.flatMap(propertyNames);
  if (!isObject(node)) return [];
  const named = isObject(node["properties"]) ? Object.keys(node["properties"]) : [];
  return [...named, ...Object.values(node).flatMap(propertyNames)];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
