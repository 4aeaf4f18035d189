import { loadSample } from "@sluice/simulator/samples";
import { describe, expect, it } from "vitest";

import { normaliseDelivery } from "./normalise.ts";
import { normalisePullRequest, type PullRequestKey } from "./normalise-pull-request.ts";
import { type JsonPath, pathsOf, removeAt, replaceAt } from "./testing/json-paths.ts";
import { aPullRequestBody, PULL_REQUEST_KEYS } from "./testing/pull-request-body.ts";

const CREATED = "pullrequest:created";
const APPROVED = "pullrequest:approved";
const COMMENTED = "pullrequest:comment_created";
const CHANGES_REQUEST = [
  "pullrequest:changes_request_created",
  "pullrequest:changes_request_removed",
] as const;

/** What every body must have. The members of what may be absent as a whole are needed where it is there. */
const REQUIRED = [
  "repository",
  "repository.uuid",
  "repository.full_name",
  "pullrequest",
  "pullrequest.id",
  "pullrequest.title",
  "pullrequest.state",
  "pullrequest.updated_on",
  "pullrequest.source",
  "pullrequest.source.branch",
  "pullrequest.source.branch.name",
  "pullrequest.source.commit.hash",
  "pullrequest.source.repository.uuid",
  "pullrequest.source.repository.full_name",
  "pullrequest.destination",
  "pullrequest.destination.branch",
  "pullrequest.destination.branch.name",
  "pullrequest.destination.commit.hash",
];
const REQUIRED_BY_KEY: Partial<Record<PullRequestKey, readonly string[]>> = {
  "pullrequest:approved": ["approval"],
  "pullrequest:unapproved": ["approval"],
  "pullrequest:changes_request_created": ["changes_request"],
  "pullrequest:changes_request_removed": ["changes_request"],
  "pullrequest:fulfilled": ["pullrequest.merge_commit.hash"],
  "pullrequest:comment_created": [
    "comment",
    "comment.id",
    "comment.content",
    "comment.content.raw",
    "comment.parent.id",
  ],
};

describe("a body that lacks what a rule needs is failed, with its path", () => {
  it.each(PULL_REQUEST_KEYS)("%s needs exactly this, and nothing else", (eventKey) => {
    const whole = aPullRequestBody(eventKey);
    const refused = pathsOf(whole)
      .filter((path) => path.length > 0 && !isArrayItem(path))
      .flatMap((path) => {
        const result = normalisePullRequest(eventKey, removeAt(whole, path));
        if (result.kind !== "failed") return [];
        expect(result).toMatchObject({ code: "invalid_payload", path: path.join(".") });
        return [result.path];
      });
    const expected = [...REQUIRED, ...(REQUIRED_BY_KEY[eventKey] ?? [])];
    expect(refused.toSorted(byCodeUnits)).toEqual(expected.toSorted(byCodeUnits));
  });

  it.each<[string, PullRequestKey, unknown]>([
    ["", CREATED, null],
    ["", CREATED, []],
    ["", CREATED, "pullrequest"],
    ["actor", CREATED, "ada"],
    ["repository.full_name", CREATED, "landing-zone"],
    ["pullrequest", CREATED, [17]],
    ["pullrequest.id", CREATED, 0],
    ["pullrequest.id", CREATED, "17"],
    ["pullrequest.id", CREATED, 1.5],
    ["pullrequest.id", CREATED, 2 ** 31],
    ["pullrequest.title", CREATED, null],
    ["pullrequest.state", CREATED, ""],
    ["pullrequest.draft", CREATED, "no"],
    ["pullrequest.updated_on", CREATED, 1_795_166_401],
    ["pullrequest.updated_on", CREATED, "yesterday"],
    ["pullrequest.updated_on", CREATED, "2026-02-30T09:20:01+00:00"],
    ["pullrequest.updated_on", CREATED, "2026-11-20T09:20:01"],
    ["pullrequest.updated_on", CREATED, "0000-11-20T09:20:01Z"],
    ["pullrequest.updated_on", CREATED, "2026-11-20T09:20:01+23:00"],
    ["pullrequest.updated_on", CREATED, "2026-11-20T09:20:01.0123456789Z"],
    ["pullrequest.created_on", CREATED, "yesterday"],
    ["pullrequest.source.branch.name", CREATED, ""],
    ["pullrequest.source.branch.name", CREATED, "x".repeat(513)],
    ["pullrequest.source.commit.hash", CREATED, "a1b2c3"],
    ["pullrequest.source.commit.hash", CREATED, "hfjkhsdfahds"],
    ["pullrequest.destination.branch", CREATED, null],
    ["pullrequest.participants", CREATED, Array.from({ length: 1001 }, () => 0)],
    ["pullrequest.participants[1]", CREATED, 7],
    ["pullrequest.participants[1].approved", CREATED, "yes"],
    ["pullrequest.participants[1].participated_on", CREATED, "lately"],
    ["approval", APPROVED, null],
    ["approval", APPROVED, true],
    ["changes_request", "pullrequest:changes_request_removed", null],
    ["pullrequest.state", "pullrequest:fulfilled", "OPEN"],
    ["pullrequest.state", "pullrequest:fulfilled", "DECLINED"],
    ["pullrequest.state", "pullrequest:rejected", "OPEN"],
    ["pullrequest.state", "pullrequest:rejected", "MERGED"],
    ["pullrequest.merge_commit.hash", "pullrequest:fulfilled", "merged"],
    ["comment", COMMENTED, null],
    ["comment.id", COMMENTED, -1],
    ["comment.id", COMMENTED, 2 ** 53],
    ["comment.content.raw", COMMENTED, null],
    ["comment.deleted", COMMENTED, "no"],
    ["comment.inline", COMMENTED, true],
  ])("%s under %s is not %j", (path, eventKey, value) => {
    const body = replaceAt(aPullRequestBody(eventKey), keysOf(path), value);
    expect(normalisePullRequest(eventKey, body)).toMatchObject({
      kind: "failed",
      code: "invalid_payload",
      path,
    });
  });

  it("never repeats a value of the body", () => {
    for (const path of pathsOf(aPullRequestBody(COMMENTED))) {
      const result = normalisePullRequest(
        COMMENTED,
        replaceAt(aPullRequestBody(COMMENTED), path, ["s3cr3t"]),
      );
      expect(JSON.stringify(result)).not.toContain("s3cr3t");
    }
  });
});

/** Which bodies bear a key out, and what the others lack. Those of some keys have one shape, and say the same. */
const ACCEPTED: Record<PullRequestKey, { readonly of: readonly PullRequestKey[]; readonly lack: string }> = {
  "pullrequest:created": { of: PULL_REQUEST_KEYS, lack: "" },
  "pullrequest:updated": { of: PULL_REQUEST_KEYS, lack: "" },
  "pullrequest:approved": { of: [APPROVED, "pullrequest:unapproved"], lack: "approval" },
  "pullrequest:unapproved": { of: [APPROVED, "pullrequest:unapproved"], lack: "approval" },
  "pullrequest:changes_request_created": { of: CHANGES_REQUEST, lack: "changes_request" },
  "pullrequest:changes_request_removed": { of: CHANGES_REQUEST, lack: "changes_request" },
  "pullrequest:fulfilled": { of: ["pullrequest:fulfilled"], lack: "pullrequest.state" },
  "pullrequest:rejected": { of: ["pullrequest:rejected"], lack: "pullrequest.state" },
  "pullrequest:comment_created": { of: [COMMENTED], lack: "comment" },
};

describe.each(PULL_REQUEST_KEYS)("a delivery that says %s (rule 9)", (eventKey) => {
  const deliver = (body: unknown) => normaliseDelivery({ eventKey, body: Buffer.from(JSON.stringify(body)) });
  const { of, lack } = ACCEPTED[eventKey];

  it.each(of)("and has the body of %s is accepted", (bodyKey) => {
    expect(deliver(aPullRequestBody(bodyKey))).toMatchObject({ kind: "events" });
  });

  it.each(PULL_REQUEST_KEYS.filter((key) => !of.includes(key)))(
    "and has the body of %s is failed, with the path",
    (bodyKey) => {
      expect(deliver(aPullRequestBody(bodyKey))).toMatchObject({ code: "invalid_payload", path: lack });
    },
  );

  it("and has the body of a push is failed, and the other way round", () => {
    expect(deliver(loadSample("push-branch-updated").body)).toMatchObject({
      code: "invalid_payload",
      path: "pullrequest",
    });
    const body = Buffer.from(JSON.stringify(aPullRequestBody(eventKey)));
    expect(normaliseDelivery({ eventKey: "repo:push", body })).toMatchObject({
      code: "invalid_payload",
      path: "push",
    });
  });
});

function isArrayItem(path: JsonPath): boolean {
  return /^\d+$/.test(path.at(-1) ?? "");
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** `a.b[0].c` as keys. */
function keysOf(path: string): JsonPath {
  return path.split(/[.[\]]+/).filter((key) => key !== "");
}
