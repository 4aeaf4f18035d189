import type { PullRequestEvent, PushEvent } from "@sluice/domain/event";
import type { RecordedDelivery, RecordedEvent } from "@sluice/store/replayed-deliveries";
import { expect, test } from "vitest";

import { matchEvents } from "./match-events.ts";

const SHA = "1c2d3e4f5a6b".padEnd(40, "0");

const delivery: RecordedDelivery = {
  id: "delivery",
  integrationId: "integration",
  requestId: "request",
  source: "webhook",
  hookId: null,
  eventKey: "repo:push",
  attempt: 1,
  secretVersion: "current",
  receivedAt: "2026-11-24T10:00:00.000Z",
};
const repository = { uuid: "{4f5b}", fullName: "acme/infra" };
const push: PushEvent = {
  kind: "push",
  repository,
  actor: null,
  refKind: "branch",
  refName: "main",
  change: "updated",
  oldSha: null,
  newSha: SHA.slice(0, 12),
  forced: false,
  commit: null,
};
const update: PullRequestEvent = {
  kind: "pull_request",
  action: "updated",
  repository,
  actor: null,
  pullRequest: {
    number: 7,
    title: "A new database",
    state: "OPEN",
    isDraft: false,
    author: null,
    url: null,
    createdOn: null,
    updatedOn: "2026-11-24T10:00:00.000000Z",
    source: { repository, branch: "feature/db", sha: SHA.slice(0, 12) },
    destination: { branch: "main", sha: null },
    mergeSha: null,
    reviews: null,
  },
  comment: null,
};
const recorded: RecordedEvent = {
  id: "event",
  index: 0,
  sequence: 5,
  kind: "push",
  eventKey: "repo:push",
  repositoryId: "repository",
  sourceRepositoryId: null,
  repositoryName: "acme/infra",
  branchArrival: 5,
  refKind: "branch",
  refName: "main",
  change: "updated",
  oldSha: null,
  newSha: SHA.slice(0, 12),
  action: null,
  pullRequestNumber: null,
  isDecided: true,
};
const recordedUpdate: RecordedEvent = {
  ...recorded,
  kind: "pull_request",
  refKind: null,
  refName: null,
  change: null,
  action: "edited",
  pullRequestNumber: 7,
};

test("a push keeps its place, and the hash and the name of the repository that were learned since (rule 12)", () => {
  const learned = { ...recorded, newSha: SHA, repositoryName: "acme/platform" };
  expect(matchEvents(delivery, [learned], [push])).toMatchObject([
    {
      id: "event",
      deliveryId: "delivery",
      sequence: 5,
      branchArrival: 5,
      isPlaced: true,
      event: { newSha: SHA, repository: { fullName: "acme/platform" } },
    },
  ]);
});

test.each([
  ["edited", "edited"],
  ["synchronize", "synchronize"],
  ["updated", "synchronize"],
] as const)("an update that was recorded as %s is decided as %s (rule 11)", (action, decidedAs) => {
  expect(matchEvents(delivery, [{ ...recordedUpdate, action }], [update])).toMatchObject([
    { event: { action: decidedAs, pullRequest: { source: { sha: SHA.slice(0, 12) } } } },
  ]);
});

test.each([
  ["another branch", { refName: "other" }],
  ["another change", { change: "created" }],
  ["another commit", { newSha: "f".repeat(40) }],
  ["a ref that had no commit", { newSha: null }],
  ["another kind", { kind: "unsupported" }],
] as const)("a push is not matched with %s", (_, other) => {
  expect(matchEvents(delivery, [{ ...recorded, ...other }], [push])).toBeNull();
});

test.each([
  ["another pull request", { pullRequestNumber: 8 }],
  ["another action", { action: "approved" }],
  ["another head", { newSha: "f".repeat(40) }],
] as const)("an update is not matched with %s", (_, other) => {
  expect(matchEvents(delivery, [{ ...recordedUpdate, ...other }], [update])).toBeNull();
});

test("a delivery that gives more or fewer events is read otherwise", () => {
  expect(matchEvents(delivery, [recorded], [])).toBeNull();
  expect(matchEvents(delivery, [recorded], [push, push])).toBeNull();
  expect(matchEvents(delivery, [], [])).toEqual([]);
});

test("an event that is not supported still matches its key alone", () => {
  const fork = { kind: "unsupported", eventKey: "repo:fork" } as const;
  const stored = { ...recorded, kind: "unsupported", eventKey: "repo:fork", newSha: null } as const;
  expect(matchEvents(delivery, [stored], [fork])).toMatchObject([{ event: fork }]);
  expect(matchEvents(delivery, [{ ...stored, eventKey: "repo:updated" }], [fork])).toBeNull();
});
