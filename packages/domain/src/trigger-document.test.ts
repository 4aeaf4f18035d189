import { expect, test } from "vitest";

import { toTriggerDocument, type TriggerRecord } from "./trigger-document.ts";

const SHA = "3f786850e387550fdab836ed7e6dc881de23001b";

function aRecord(changes: Partial<TriggerRecord> = {}): TriggerRecord {
  return {
    id: "0199aaaa-0000-7000-8000-000000000001",
    runType: "tracked",
    state: "claimed",
    createdAt: "2026-11-24T09:00:00.000Z",
    attempt: 1,
    cancelRequested: false,
    lease: {
      token: "6f1f6c1e-5d0e-4a55-9d6f-0d6a2b3c4d5e",
      holder: "scheduler-1",
      expiresAt: "2026-11-24T09:01:00.000Z",
    },
    run: { id: null, url: null },
    message: null,
    commitSha: SHA,
    refName: "main",
    baseSha: null,
    moduleVersion: null,
    changes: {
      known: true,
      matched: [{ path: "infra/main.tf", rule: { kind: "project_root", value: "infra" } }],
      total: 1,
      compared: "a..b",
    },
    previouslyTrackedSha: null,
    event: {
      kind: "push",
      refKind: "branch",
      change: "updated",
      forced: false,
      commit: null,
      actor: null,
      pullRequest: null,
    },
    delivery: {
      id: "0199aaaa-0000-7000-8000-000000000002",
      requestId: "0b6b3d8e-8f5e-4b57-93a1-3f2f4f1f3b4c",
      receivedAt: "2026-11-24T08:59:59.000Z",
      source: "webhook",
    },
    integration: { id: "0199aaaa-0000-7000-8000-000000000003", name: "Acme" },
    repository: { uuid: "{4c1a}", fullName: "acme/infra" },
    sourceRepository: { uuid: "{4c1a}", fullName: "acme/infra" },
    pullRequests: [],
    target: {
      id: "0199aaaa-0000-7000-8000-000000000004",
      externalId: "net",
      kind: "stack",
      name: "network",
      space: "root",
      labels: ["eu"],
      projectRoot: "infra",
      metadata: { runnerImage: "r:1", nested: { camelCase: 1 } },
    },
    decision: {
      id: "0199aaaa-0000-7000-8000-000000000005",
      reason: "triggered",
      evidence: { ref: { kind: "branch", name: "main" }, trackedBranch: "main" },
      runType: "tracked",
    },
    ...changes,
  };
}

test("a scheduler is told what to check out, from where, and why", () => {
  const document = toTriggerDocument(aRecord(), { showLeaseToken: true });
  expect(document.schema).toBe("sluice.trigger/1");
  expect(document.checkout).toEqual({
    ref: "refs/heads/main",
    ref_name: "main",
    sha: SHA,
    base_sha: null,
    repository: document.repository,
  });
  expect(document.repository.clone_urls).toEqual({
    https: "https://bitbucket.org/acme/infra.git",
    ssh: "git@bitbucket.org:acme/infra.git",
  });
  expect(document.decision).toMatchObject({
    reason: "triggered",
    url: "/v1/decisions/0199aaaa-0000-7000-8000-000000000005",
  });
  expect(document.decision?.sentence).toContain("on the tracked branch main");
});

test("the lease's token is shown only where it is asked for, the holder always", () => {
  const shown = toTriggerDocument(aRecord(), { showLeaseToken: true });
  const hidden = toTriggerDocument(aRecord(), { showLeaseToken: false });
  expect(shown.lease?.token).toBe("6f1f6c1e-5d0e-4a55-9d6f-0d6a2b3c4d5e");
  expect(hidden.lease).toEqual({ ...shown.lease, token: null });
  expect(JSON.stringify(hidden)).not.toContain("6f1f6c1e");
  expect(toTriggerDocument(aRecord({ lease: null }), { showLeaseToken: true }).lease).toBeNull();
});

test("metadata is handed through as it was declared", () => {
  const record = aRecord();
  const document = toTriggerDocument(record, { showLeaseToken: false });
  expect(document.target.metadata).toEqual(record.target.metadata);
});

test("changes say whether more files matched than are listed", () => {
  const { changes } = aRecord();
  const of = (total: number) =>
    toTriggerDocument(aRecord({ changes: { ...changes, total } }), { showLeaseToken: false }).changes;
  expect(of(1)).toEqual({
    known: true,
    matched: changes.matched,
    total: 1,
    truncated: false,
    because: null,
  });
  expect(of(2).truncated).toBe(true);
});

test("what a sweep found says so", () => {
  const record = aRecord();
  const causeOf = (source: "webhook" | "sweep") =>
    toTriggerDocument({ ...record, delivery: { ...record.delivery, source } }, { showLeaseToken: false })
      .cause;
  expect(causeOf("sweep").recovered_by).toBe("sweep");
  expect(causeOf("webhook").recovered_by).toBeNull();
});

test("a fork's commit is fetched from the fork, and belongs to the repository of the target", () => {
  const record = aRecord({ sourceRepository: { uuid: "{f0}", fullName: "someone/infra" } });
  const { repository, checkout } = toTriggerDocument(record, { showLeaseToken: false });
  expect(repository.full_name).toBe("acme/infra");
  expect(checkout.repository).toEqual({
    uuid: "{f0}",
    full_name: "someone/infra",
    clone_urls: {
      https: "https://bitbucket.org/someone/infra.git",
      ssh: "git@bitbucket.org:someone/infra.git",
    },
  });
});

test("the pull requests of the commit are told, with an address also where Bitbucket sent none", () => {
  const pullRequest = {
    number: 12,
    title: "Widen it",
    state: "OPEN",
    author: { uuid: "{1}", displayName: "Ada", kind: "user" },
    url: "https://bitbucket.org/acme/infra/pull-requests/12/widen",
    sourceBranch: "feature/wide",
    destinationBranch: "main",
  };
  const record = aRecord({
    pullRequests: [pullRequest, { ...pullRequest, number: 13, author: null, url: null }],
  });
  expect(toTriggerDocument(record, { showLeaseToken: false }).pull_requests).toEqual([
    {
      number: 12,
      title: "Widen it",
      author: "Ada",
      url: "https://bitbucket.org/acme/infra/pull-requests/12/widen",
      state: "OPEN",
      source_branch: "feature/wide",
      destination_branch: "main",
    },
    expect.objectContaining({ author: null, url: "https://bitbucket.org/acme/infra/pull-requests/13" }),
  ]);
});

test("what a pull request told says which, and what happened to it", () => {
  const { event } = aRecord();
  const pullRequest = { number: 12, action: "opened" } as const;
  const record = aRecord({
    refName: "feature/wide",
    event: { ...event, kind: "pull_request", refKind: null, change: null, pullRequest },
  });
  const document = toTriggerDocument(record, { showLeaseToken: false });
  expect(document.cause).toMatchObject({
    event: "pull_request",
    ref_change: null,
    pull_request: { number: 12, action: "opened" },
  });
  expect(document.checkout.ref).toBe("refs/heads/feature/wide");
  expect(document.commit).toBeNull();
});

test("a tag is named as a tag", () => {
  const { event } = aRecord();
  const record = aRecord({ refName: "v1.2.3", event: { ...event, refKind: "tag" } });
  expect(toTriggerDocument(record, { showLeaseToken: false }).checkout.ref).toBe("refs/tags/v1.2.3");
});

test("a trigger that a person made has no decision", () => {
  expect(toTriggerDocument(aRecord({ decision: null }), { showLeaseToken: false }).decision).toBeNull();
});
