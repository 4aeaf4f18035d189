import { readFileSync } from "node:fs";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { normaliseDelivery } from "./normalise.ts";
import { pathsOf, replaceAt } from "./testing/json-paths.ts";

const A = "a14c0d9e7b4c0d9e7b4c0d9e7b4c0d9e7b5f3a2e";
const B = "b27e91c3d07e91c3d07e91c3d07e91c3d08a6b4f";
const REPOSITORY = { uuid: "{5b0c7d1e-8f41-4a63-9c55-1d2f7ab0e3c4}", fullName: "northwind/landing-zone" };
const ADA = { uuid: "{9e1f6c02-7d34-4b8a-b1c9-35a0f2d4c6e8}", displayName: "Ada Example", kind: "user" };
const ADD = commitFacts(A, "Add the audit account\n");
const WIDEN = commitFacts(B, "Widen the subnet\n");
const PUSH = { kind: "push", repository: REPOSITORY, actor: ADA, refKind: "branch", forced: false };
const CREATED = { ...PUSH, change: "created", oldSha: null };
const DELETED = { ...PUSH, change: "deleted", newSha: null, commit: null };
const UPDATED = { ...PUSH, refName: "main", change: "updated", oldSha: A, newSha: B, commit: WIDEN };
const TOKEN = { uuid: "{4d2e8b60-5a1c-4f7e-9b3d-80c6e1f5a297}", displayName: "deployer", kind: "app_user" };

const SAMPLES: Record<string, readonly unknown[]> = {
  "push-branch-created": [{ ...CREATED, refName: "feature/audit-account", newSha: A, commit: ADD }],
  "push-branch-updated": [UPDATED],
  "push-branch-deleted": [{ ...DELETED, refName: "feature/audit-account", oldSha: A }],
  "push-forced": [{ ...UPDATED, oldSha: B, newSha: A, forced: true, commit: ADD }],
  "push-tag-created-annotated": [{ ...CREATED, refKind: "tag", refName: "v1.0.0", newSha: A, commit: ADD }],
  "push-tag-created-lightweight": [
    { ...CREATED, refKind: "tag", refName: 'release "1" & more', newSha: A, commit: ADD },
  ],
  "push-tag-deleted": [{ ...DELETED, refKind: "tag", refName: "v1.0.0", oldSha: A }],
  "push-several-refs": [
    UPDATED,
    { ...CREATED, refName: "hotfix", newSha: B, commit: WIDEN },
    { ...CREATED, refKind: "tag", refName: "v1.1.0", newSha: B, commit: WIDEN },
    { ...DELETED, refName: "old", oldSha: A },
  ],
  "push-no-changes": [],
  "push-by-access-token": [{ ...UPDATED, actor: TOKEN }],
  "push-other-ref-types": [
    { ...CREATED, refName: "default", newSha: B, commit: WIDEN },
    { ...CREATED, refKind: "tag", refName: "v0.9", newSha: B, commit: WIDEN },
    { ...CREATED, refKind: "other", refName: "wip", newSha: B, commit: WIDEN },
  ],
  "push-trimmed": [
    {
      ...CREATED,
      actor: null,
      refName: "main",
      newSha: A,
      commit: { sha: A, message: "", author: null, date: null, url: null },
    },
  ],
};

describe("a repo:push body", () => {
  it.each(Object.entries(SAMPLES))("%s gives its events", (name, events) => {
    expect(normaliseDelivery({ eventKey: "repo:push", body: sample(name) })).toEqual({
      kind: "events",
      events,
    });
  });

  it.each<[string, unknown]>([
    ["empty", {}],
    ["without a target", { name: "main", type: "branch" }],
    ["with a null target", { target: null }],
    ["with a hash that is not hexadecimal", { target: { hash: "hfjkhsdfahds" } }],
    ["with a hash that is a number", { target: { hash: 12 } }],
  ])("keeps an update whose old is %s, and knows no commit that it left", (_, old) => {
    expect(eventsOf(aPush({ old }))).toMatchObject([{ change: "updated", oldSha: null, newSha: A }]);
  });

  it("takes a missing new as a null one", () => {
    const old = { name: "main", type: "branch", target: { hash: A } };
    expect(eventsOf(aPush({ old, new: undefined }))).toMatchObject([{ change: "deleted", oldSha: A }]);
  });

  it.each([
    ["actor", null],
    ["actor", undefined],
    ["actor", {}],
  ])("does not need to know who acted (%s: %j)", (key, value) => {
    expect(normalise({ ...aPush({}), [key]: value })).toMatchObject({ kind: "events" });
  });

  it("keeps 4,096 characters of a message, and a page only when it is https", () => {
    const target = { hash: A, message: "m".repeat(5000), links: { html: { href: "javascript:alert(1)" } } };
    expect(eventsOf(aPush({ new: { name: "main", type: "branch", target } }))).toMatchObject([
      { commit: { message: "m".repeat(4096), url: null } },
    ]);
  });

  it("makes text that Postgres cannot hold storable", () => {
    const target = { hash: A, message: "one\0two \ud83d" };
    expect(eventsOf(aPush({ new: { name: "a\0b", type: "branch", target } }))).toMatchObject([
      { refName: "a\ufffdb", commit: { message: "one\ufffdtwo \ufffd" } },
    ]);
  });
});

describe("a body that lacks what a rule needs is failed, with its path", () => {
  const branch = { name: "main", type: "branch" };
  const target = { hash: A };
  const { repository } = aPush({});
  const head = "push.changes[0].new";

  it.each<[string, unknown]>([
    ["", null],
    ["", []],
    ["", "repo:push"],
    ["repository", { push: { changes: [] } }],
    ["repository.uuid", { ...aPush({}), repository: { full_name: "northwind/landing-zone" } }],
    ["repository.uuid", { ...aPush({}), repository: { ...repository, uuid: "" } }],
    ["repository.uuid", { ...aPush({}), repository: { ...repository, uuid: 7 } }],
    ["repository.full_name", { ...aPush({}), repository: { uuid: "{1}" } }],
    ["repository.full_name", { ...aPush({}), repository: { ...repository, full_name: "landing-zone" } }],
    ["actor", { ...aPush({}), actor: "ada" }],
    ["actor.uuid", { ...aPush({}), actor: { uuid: 7 } }],
    ["push", { repository }],
    ["push.changes", { repository, push: {} }],
    ["push.changes", { repository, push: { changes: {} } }],
    ["push.changes", { repository, push: { changes: Array.from({ length: 10_001 }, () => 0) } }],
    ["push.changes[0]", { repository, push: { changes: [7] } }],
    ["push.changes[0].old", aPush({ new: null })],
    ["push.changes[0].old", aPush({ old: "main" })],
    ["push.changes[0].old.type", aPush({ new: null, old: {} })],
    ["push.changes[0].old.name", aPush({ new: null, old: { type: "branch" } })],
    [head, aPush({ new: "main" })],
    [`${head}.type`, aPush({ new: { name: "main", target } })],
    [`${head}.type`, aPush({ new: { name: "main", type: null, target } })],
    [`${head}.name`, aPush({ new: { type: "branch", target } })],
    [`${head}.name`, aPush({ new: { ...branch, name: "", target } })],
    [`${head}.name`, aPush({ new: { ...branch, name: 7, target } })],
    [`${head}.name`, aPush({ new: { ...branch, name: "x".repeat(513), target } })],
    [`${head}.target`, aPush({ new: branch })],
    [`${head}.target.hash`, aPush({ new: { ...branch, target: {} } })],
    [`${head}.target.hash`, aPush({ new: { ...branch, target: { hash: "a1b2c3" } } })],
    [`${head}.target.hash`, aPush({ new: { ...branch, target: { hash: `${A}0` } } })],
    [`${head}.target.hash`, aPush({ new: { ...branch, target: { hash: "not hexadecimal" } } })],
    [`${head}.target.message`, aPush({ new: { ...branch, target: { hash: A, message: 7 } } })],
    ["push.changes[0].forced", aPush({ forced: "yes" })],
  ])("%s", (path, body) => {
    expect(normalise(body)).toMatchObject({ kind: "failed", code: "invalid_payload", path });
  });

  it("fails a pull request body that is sent under the key of a push", () => {
    const body = sample("pull-request-created");
    expect(normaliseDelivery({ eventKey: "repo:push", body })).toMatchObject({
      code: "invalid_payload",
      path: "push",
    });
  });

  it("fails the whole push for one bad change, and says which", () => {
    const good = aPush({});
    const changes = [...good.push.changes, { new: { ...branch, target: {} } }];
    expect(normalise({ ...good, push: { changes } })).toMatchObject({
      path: "push.changes[1].new.target.hash",
    });
  });

  it("never repeats a value of the body", () => {
    const failure = normalise(aPush({ new: { ...branch, target: { hash: "s3cr3t" } } }));
    expect(JSON.stringify(failure)).not.toContain("s3cr3t");
    expect(JSON.stringify(normaliseBytes("{s3cr3t"))).not.toContain("s3cr3t");
  });
});

describe("normaliseDelivery", () => {
  it("gives one unsupported event for any other key, whatever the body", () => {
    const expected = { kind: "events", events: [{ kind: "unsupported", eventKey: "repo:fork" }] };
    expect(normaliseDelivery({ eventKey: "repo:fork", body: Uint8Array.of(0xff) })).toEqual(expected);
    expect(normaliseDelivery({ eventKey: "repo:fork", body: sample("push-forced") })).toEqual(expected);
  });

  it("fails bytes that are not UTF-8, and text that is not JSON", () => {
    expect(normaliseDelivery({ eventKey: "repo:push", body: Uint8Array.of(0x22, 0xff, 0x22) })).toMatchObject(
      {
        code: "invalid_utf8",
        path: "",
      },
    );
    expect(normaliseBytes("")).toMatchObject({ code: "invalid_json", path: "" });
    expect(normaliseBytes("payload=%7B%7D")).toMatchObject({ code: "invalid_json" });
  });

  it("reads a body after a byte order mark", () => {
    const body = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), sample("push-no-changes")]);
    expect(normaliseDelivery({ eventKey: "repo:push", body })).toEqual({ kind: "events", events: [] });
  });

  it("survives ten thousand levels, where nothing is read and where something is", () => {
    const deep = `${"[".repeat(10_000)}${"]".repeat(10_000)}`;
    expect(normaliseBytes(deep)).toMatchObject({ kind: "failed", path: "" });
    const ignored = JSON.stringify(aPush({})).replace("{", `{"extra":${deep},`);
    expect(normaliseBytes(ignored)).toMatchObject({ kind: "events" });
    const read = JSON.stringify(aPush({})).replace('"northwind/landing-zone"', deep);
    expect(normaliseBytes(read)).toMatchObject({ path: "repository.full_name" });
  });

  it("takes nothing from a __proto__ key", () => {
    const polluted = `{"__proto__":${JSON.stringify(aPush({}))}}`;
    expect(normaliseBytes(polluted)).toMatchObject({ kind: "failed", path: "repository" });
    const inside = JSON.stringify(aPush({})).replace('"old":null', '"old":null,"__proto__":{"forced":true}');
    expect(normaliseBytes(inside)).toMatchObject({ events: [{ forced: false }] });
    expect(Object.hasOwn(Object.prototype, "forced")).toBe(false);
  });

  it("never throws and is deterministic, for any JSON and any bytes", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.jsonValue().map(asPush)), (text) => {
        const result = normaliseBytes(text);
        expect(["events", "failed"]).toContain(result.kind);
        expect(normaliseBytes(text)).toEqual(result);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array(), (body) => {
        expect(normaliseDelivery({ eventKey: "repo:push", body }).kind).toBe("failed");
      }),
    );
  });

  it("never throws when any one field of a good body is replaced by any JSON", () => {
    const paths = pathsOf(aPush({ old: { target: { hash: B } } }));
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
        const body = replaceAt(aPush({ old: { target: { hash: B } } }), path, value);
        expect(["events", "failed"]).toContain(normalise(body).kind);
      }),
      { numRuns: 500 },
    );
  });
});

function commitFacts(sha: string, message: string) {
  const url = `https://bitbucket.org/northwind/landing-zone/commits/${sha}`;
  const author = "Ada Example <ada@northwind.example>";
  return { sha, message, author, date: "2026-11-20T09:15:42+00:00", url };
}

function aPush(change: Record<string, unknown>) {
  return {
    repository: { uuid: REPOSITORY.uuid, full_name: REPOSITORY.fullName },
    actor: { uuid: ADA.uuid, display_name: ADA.displayName, type: ADA.kind },
    push: {
      changes: [
        { old: null, new: { name: "main", type: "branch", target: { hash: A } }, forced: false, ...change },
      ],
    },
  };
}

function asPush(value: unknown): string {
  return JSON.stringify({ ...aPush({}), push: { changes: [value] } });
}

function sample(name: string): Buffer {
  return readFileSync(new URL(`./samples/${name}.json`, import.meta.url));
}

function normalise(body: unknown) {
  return normaliseBytes(JSON.stringify(body));
}

function normaliseBytes(text: string) {
  return normaliseDelivery({ eventKey: "repo:push", body: Buffer.from(text) });
}

function eventsOf(body: unknown) {
  const result = normalise(body);
  return result.kind === "events" ? result.events : result;
}
