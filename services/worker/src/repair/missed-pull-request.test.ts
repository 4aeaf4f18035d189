import { normaliseDelivery } from "@sluice/bitbucket/normalise";
import type { PullRequestFacts } from "@sluice/domain/event";
import { describe, expect, test } from "vitest";

import { toPullRequestDelivery, type MissedPullRequest } from "./missed-pull-request.ts";

const ACTOR = { uuid: "{ann}", displayName: "Ann", kind: "user" };
const repository = { id: "0199aaaa-0000-7000-8000-000000000001", uuid: "{4c1a}", fullName: "acme/infra" };

const FACTS: PullRequestFacts = {
  number: 17,
  title: "Widen the network",
  state: "OPEN",
  isDraft: true,
  author: ACTOR,
  url: "https://bitbucket.org/acme/infra/pull-requests/17",
  createdOn: "2026-11-24T09:00:00.000001+00:00",
  updatedOn: "2026-11-24T09:05:00.123456+00:00",
  source: { repository: { uuid: "{f0}", fullName: "ann/infra" }, branch: "main", sha: "1a2b3c4d5e6f" },
  destination: { branch: "main", sha: "00112233aabb" },
  mergeSha: null,
  reviews: [
    { userUuid: "{bob}", state: "approved", participatedOn: "2026-11-24T09:04:00.000001+00:00" },
    { userUuid: "{cid}", state: "changes_requested", participatedOn: null },
    { userUuid: null, state: "none", participatedOn: null },
  ],
};

const aMissed = (change: Partial<PullRequestFacts> = {}, more: Partial<MissedPullRequest> = {}) => ({
  integrationId: "0199aaaa-0000-7000-8000-000000000002",
  repository,
  eventKey: "pullrequest:created" as const,
  pullRequest: { ...FACTS, ...change },
  foundAt: "2026-11-24T09:10:00.000Z",
  ...more,
});

describe("a pull request that was missed", () => {
  test.each<[MissedPullRequest["eventKey"], string, Partial<PullRequestFacts>]>([
    ["pullrequest:created", "opened", {}],
    ["pullrequest:created", "opened", { reviews: null, isDraft: null, author: null, url: null }],
    ["pullrequest:updated", "updated", { createdOn: null, reviews: [] }],
    ["pullrequest:updated", "updated", { source: { repository: null, branch: "gone", sha: null } }],
    ["pullrequest:rejected", "closed", { state: "DECLINED", destination: { branch: "gone", sha: null } }],
    ["pullrequest:fulfilled", "merged", { state: "MERGED", mergeSha: "d418a7b9f316" }],
  ])("is read as what Bitbucket would have told: %s, %s, %o", (eventKey, action, change) => {
    const missed = aMissed(change, { eventKey });
    expect(normaliseDelivery(toPullRequestDelivery(missed))).toEqual({
      kind: "events",
      events: [
        {
          kind: "pull_request",
          action,
          repository: { uuid: "{4c1a}", fullName: "acme/infra" },
          actor: null,
          pullRequest: missed.pullRequest,
          comment: null,
        },
      ],
    });
  });

  test("is one delivery, whoever finds it and when; at another time it is another", () => {
    const { id, source } = toPullRequestDelivery(aMissed());
    expect(source).toBe("sweep");
    expect(toPullRequestDelivery(aMissed({}, { foundAt: "2026-11-24T09:20:00.000Z" })).id).toBe(id);
    expect(toPullRequestDelivery(aMissed({ reviews: null })).id).toBe(id);
    expect(toPullRequestDelivery(aMissed({ number: 18 })).id).not.toBe(id);
    expect(toPullRequestDelivery(aMissed({ updatedOn: "2026-11-24T09:05:00.123457+00:00" })).id).not.toBe(id);
  });
});
