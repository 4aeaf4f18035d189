import { readFileSync } from "node:fs";

import { loadSample, sampleNames } from "@sluice/simulator/samples";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { normaliseDelivery } from "./normalise.ts";
import { isPullRequestKey, normalisePullRequest, type PullRequestKey } from "./normalise-pull-request.ts";
import { type JsonPath, pathsOf, replaceAt } from "./testing/json-paths.ts";
import { aPullRequestBody, PULL_REQUEST_KEYS } from "./testing/pull-request-body.ts";

const CREATED = "pullrequest:created";
const APPROVED = "pullrequest:approved";
const COMMENTED = "pullrequest:comment_created";
const UTC = "2026-11-20T09:20:01Z";

const ADA = { uuid: "{9e1f6c02-7d34-4b8a-b1c9-35a0f2d4c6e8}", displayName: "Ada Example", kind: "user" };
const GRACE = { uuid: "{1c7b5e93-2f08-4d6a-8e41-b9d3f7a60c25}", displayName: "Grace Example", kind: "user" };
const REPOSITORY = { uuid: "{5b0c7d1e-8f41-4a63-9c55-1d2f7ab0e3c4}", fullName: "northwind/landing-zone" };
const FORK = { uuid: "{e7a90c35-26d8-4f1b-8b04-c5d1902f7e63}", fullName: "grace-example/landing-zone" };

/** The repository as a body has it. */
const NAMED = { type: "repository", uuid: REPOSITORY.uuid, full_name: REPOSITORY.fullName };

const OPEN = {
  number: 17,
  title: "Add the audit account",
  state: "OPEN",
  isDraft: false,
  author: GRACE,
  url: "https://bitbucket.org/northwind/landing-zone/pull-requests/17",
  createdOn: "2026-11-20T09:20:00.102030+00:00",
  updatedOn: "2026-11-20T09:20:01.405060+00:00",
  source: { repository: FORK, branch: "main", sha: "a14c0d9e7b4c" },
  destination: { branch: "main", sha: "c305f8a6e205" },
  mergeSha: null,
  reviews: [
    { userUuid: ADA.uuid, state: "approved", participatedOn: "2026-11-20T09:19:00.000001+00:00" },
    { userUuid: GRACE.uuid, state: "changes_requested", participatedOn: null },
    { userUuid: null, state: "none", participatedOn: null },
  ],
};
const COMMENT = {
  id: 4_294_967_311,
  text: "/sluice propose",
  author: ADA,
  createdOn: "2026-11-20T10:00:00.000001+00:00",
  isDeleted: false,
  parentId: 4_294_967_297,
  isInline: true,
};
const EVENT = {
  kind: "pull_request",
  repository: REPOSITORY,
  actor: ADA,
  pullRequest: OPEN,
  comment: null,
};

const EVENTS = {
  "pullrequest:created": { ...EVENT, action: "opened" },
  "pullrequest:updated": { ...EVENT, action: "updated" },
  "pullrequest:approved": { ...EVENT, action: "approved" },
  "pullrequest:unapproved": { ...EVENT, action: "unapproved" },
  "pullrequest:changes_request_created": { ...EVENT, action: "changes_requested" },
  "pullrequest:changes_request_removed": { ...EVENT, action: "changes_request_removed" },
  "pullrequest:fulfilled": {
    ...EVENT,
    action: "merged",
    pullRequest: { ...OPEN, state: "MERGED", mergeSha: "d418a7b9f316" },
  },
  "pullrequest:rejected": {
    ...EVENT,
    action: "closed",
    pullRequest: { ...OPEN, state: "DECLINED" },
  },
  "pullrequest:comment_created": { ...EVENT, action: "commented", comment: COMMENT },
} satisfies Record<PullRequestKey, object>;

describe("the body of each key (rules 10 and 11)", () => {
  it.each(PULL_REQUEST_KEYS)("%s gives its one event", (eventKey) => {
    const body = aPullRequestBody(eventKey);
    expect(normalisePullRequest(eventKey, body)).toEqual({ kind: "events", events: [EVENTS[eventKey]] });
  });

  it("keeps of people no more than who they are and what they are called", () => {
    for (const eventKey of PULL_REQUEST_KEYS) {
      const body = aPullRequestBody(eventKey);
      expect(JSON.stringify(body)).toContain("private");
      expect(JSON.stringify(normalisePullRequest(eventKey, body))).not.toContain("private");
    }
  });

  it("is accepted at its full size", () => {
    const body = JSON.parse(
      readFileSync(new URL("./samples/pull-request-created.json", import.meta.url), "utf8"),
    );
    expect(eventOf(CREATED, body)).toMatchObject({
      action: "opened",
      pullRequest: { source: { repository: REPOSITORY, branch: "feature/audit-account" }, reviews: [] },
    });
  });

  it.each(
    sampleNames.flatMap((name) => {
      const { eventKey, body } = loadSample(name);
      return isPullRequestKey(eventKey) ? [{ name, eventKey, body }] : [];
    }),
  )("$name is accepted as Bitbucket sends it", ({ eventKey, body }) => {
    expect(eventOf(eventKey, body)).toMatchObject({ kind: "pull_request", pullRequest: { number: 41 } });
  });
});

describe.each(PULL_REQUEST_KEYS)("what %s leaves out or writes otherwise (rule 10)", (eventKey) => {
  it.each<[string, string, unknown, object]>([
    ["a fork that is gone", "source.repository", null, { source: { repository: null, branch: "main" } }],
    ["a source head that is gone", "source.commit", null, { source: { sha: null } }],
    ["a destination branch that is gone", "destination.commit", null, { destination: { sha: null } }],
    ["a whole hash", "source.commit.hash", "A".repeat(40), { source: { sha: "a".repeat(40) } }],
    ["the shortest hash", "source.commit.hash", "a1b2c3d", { source: { sha: "a1b2c3d" } }],
    [
      "a fork that is gone with its head",
      "source",
      { branch: { name: "main" }, commit: null, repository: null },
      { source: { repository: null, branch: "main", sha: null } },
    ],
    ["a branch of the repository itself", "source.repository", NAMED, { source: { repository: REPOSITORY } }],
    ["a draft", "draft", true, { isDraft: true }],
    ["a body from before drafts", "draft", undefined, { isDraft: null }],
    ["no description", "description", null, {}],
    ["no author", "author", null, { author: null }],
    [
      "an author whose account is deleted",
      "author",
      { type: "user", display_name: "Former user" },
      { author: { uuid: null, displayName: "Former user", kind: "user" } },
    ],
    ["no page", "links", undefined, { url: null }],
    ["a page that is no https", "links.html.href", "javascript:alert(1)", { url: null }],
    ["no date of creation", "created_on", undefined, { createdOn: null }],
    ["a UTC time without fractions", "updated_on", UTC, { updatedOn: UTC }],
    ["no participants, which are not none", "participants", undefined, { reviews: null }],
    ["a participant without an account", "participants.0.user", null, reviewsOf("approved", null)],
    ["a verdict of the future", "participants.0.state", "praised", reviewsOf("approved")],
    ["an approval from before states", "participants.0.state", undefined, reviewsOf("approved")],
    ["a participant without a verdict", "participants.0", { user: ADA }, reviewsOf("none")],
    ["what Postgres cannot hold", "title", "one\0two \ud83d", { title: "one\ufffdtwo \ufffd" }],
    ["a very long title", "title", "t".repeat(600), { title: "t".repeat(512) }],
    ["a branch with slashes", "source.branch.name", "a/b/c", { source: { branch: "a/b/c" } }],
    ["a field of the future", "some_future_field", { type: "new_kind" }, {}],
  ])("%s", (_, member, value, expected) => {
    const event = EVENTS[eventKey];
    const body = replaceAt(aPullRequestBody(eventKey), ["pullrequest", ...member.split(".")], value);
    expect(eventOf(eventKey, body)).toMatchObject({
      ...event,
      pullRequest: { ...event.pullRequest, ...expected },
    });
  });

  it("a repository with its workspace and its project", () => {
    const repository = {
      ...NAMED,
      workspace: { slug: "northwind" },
      project: { key: "PLAT" },
      parent: null,
    };
    const body = replaceAt(aPullRequestBody(eventKey), ["repository"], repository);
    expect(eventOf(eventKey, body)).toMatchObject(EVENTS[eventKey]);
  });

  it.each([
    ["a team", { type: "team", username: "northwind", uuid: "{1}" }, { uuid: "{1}", kind: "team" }],
    ["a token", { type: "app_user", kind: "x", uuid: "{2}" }, { uuid: "{2}", kind: "app_user" }],
    ["a deleted account", { display_name: "Former user" }, { uuid: null, displayName: "Former user" }],
    ["nobody", null, null],
    ["somebody not named", undefined, null],
    [
      "from before uuids",
      { username: "ada", display_name: "Ada" },
      { uuid: null, displayName: "Ada", kind: null },
    ],
  ])("an actor that is %s", (_, actor, expected) => {
    const event = eventOf(eventKey, replaceAt(aPullRequestBody(eventKey), ["actor"], actor));
    expect(event).toMatchObject({ ...EVENTS[eventKey], actor: expected });
  });
});

describe("what Bitbucket leaves out or contradicts under some keys", () => {
  it.each(["MERGED", "DECLINED", "SUPERSEDED", "QUEUED"])("a new pull request that is %s by now", (state) => {
    const body = replaceAt(aPullRequestBody(CREATED), ["pullrequest", "state"], state);
    expect(eventOf(CREATED, body)).toMatchObject({ action: "opened", pullRequest: { state } });
  });

  it.each<[string, JsonPath, unknown, object]>([
    ["begins a thread", ["comment", "parent"], undefined, { parentId: null }],
    ["is about the whole", ["comment", "inline"], null, { isInline: false }],
    ["is about a whole file", ["comment", "inline"], {}, { isInline: true }],
    ["has nobody for its author", ["comment", "user"], undefined, { author: null }],
    ["does not say whether it is deleted", ["comment", "deleted"], undefined, { isDeleted: false }],
    ["is deleted by now", ["comment", "deleted"], true, { isDeleted: true }],
    ["is empty", ["comment", "content", "raw"], "", { text: "" }],
    ["has 100 KB", ["comment", "content", "raw"], "é".repeat(51_200), { text: "é".repeat(32_768) }],
    ["Postgres cannot hold", ["comment", "content", "raw"], "a\0b", { text: "a\ufffdb" }],
  ])("a comment that %s", (_, path, value, expected) => {
    const body = replaceAt(aPullRequestBody(COMMENTED), path, value);
    expect(eventOf(COMMENTED, body)).toMatchObject({ comment: { ...COMMENT, ...expected } });
  });

  it("a declined pull request with an approval, under either key", () => {
    const declined = replaceAt(aPullRequestBody(APPROVED), ["pullrequest", "state"], "DECLINED");
    expect(eventOf("pullrequest:rejected", declined)).toMatchObject({ action: "closed" });
    expect(eventOf(APPROVED, declined)).toMatchObject({ action: "approved" });
  });

  it("a comment on a merged pull request", () => {
    const merged = replaceAt(aPullRequestBody(COMMENTED), ["pullrequest", "state"], "MERGED");
    expect(eventOf(COMMENTED, merged)).toMatchObject({ pullRequest: { state: "MERGED" } });
  });

  it("a superseded pull request that is closed", () => {
    const body = replaceAt(aPullRequestBody("pullrequest:rejected"), ["pullrequest", "state"], "SUPERSEDED");
    expect(eventOf("pullrequest:rejected", body)).toMatchObject({ action: "closed" });
  });

  it("a merge whose commit is not said", () => {
    const body = replaceAt(aPullRequestBody("pullrequest:fulfilled"), ["pullrequest", "merge_commit"], null);
    expect(eventOf("pullrequest:fulfilled", body)).toMatchObject({
      action: "merged",
      pullRequest: { mergeSha: null },
    });
  });
});

describe("normalisePullRequest", () => {
  const anyKey = fc.constantFrom(...PULL_REQUEST_KEYS);

  it("never throws and is deterministic, for any JSON under any key", () => {
    fc.assert(
      fc.property(anyKey, fc.jsonValue(), (eventKey, value) => {
        const result = normalisePullRequest(eventKey, value);
        expect(result.kind).toBe("failed");
        expect(normalisePullRequest(eventKey, value)).toEqual(result);
      }),
    );
  });

  it("never throws when any one value of a good body is replaced by any JSON", () => {
    const places = anyKey.chain((eventKey) =>
      fc.tuple(fc.constant(eventKey), fc.constantFrom(...pathsOf(aPullRequestBody(eventKey)))),
    );
    fc.assert(
      fc.property(places, fc.jsonValue(), ([eventKey, path], value) => {
        const body = replaceAt(aPullRequestBody(eventKey), path, value);
        expect(["events", "failed"]).toContain(normalisePullRequest(eventKey, body).kind);
      }),
      { numRuns: 500 },
    );
  });

  it("takes nothing from a __proto__ key", () => {
    const polluted: unknown = JSON.parse(`{"__proto__":${JSON.stringify(aPullRequestBody(CREATED))}}`);
    expect(normalisePullRequest(CREATED, polluted)).toMatchObject({ kind: "failed", path: "repository" });
  });
});

describe("isPullRequestKey", () => {
  it("knows the nine keys of rule 10", () => {
    expect(PULL_REQUEST_KEYS).toHaveLength(9);
    expect(PULL_REQUEST_KEYS.filter((key) => !isPullRequestKey(key))).toEqual([]);
  });

  it.each(["repo:push", "pullrequest:comment_updated", "pullrequest:push", "", "constructor", "__proto__"])(
    "does not know %j",
    (eventKey) => {
      expect(isPullRequestKey(eventKey)).toBe(false);
    },
  );
});

function eventOf(eventKey: PullRequestKey, body: unknown) {
  const result = normaliseDelivery({ eventKey, body: Buffer.from(JSON.stringify(body)) });
  return result.kind === "events" && result.events.length === 1 ? result.events[0] : result;
}

/** The reviews of the body, the first of them as given. */
function reviewsOf(state: string, userUuid: string | null = ADA.uuid) {
  return { reviews: [{ state, userUuid }, {}, {}] };
}
