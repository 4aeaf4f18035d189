import { normaliseDelivery } from "@sluice/bitbucket/normalise";
import { describe, expect, test } from "vitest";

import { toDelivery, type MissedPush } from "./missed-push.ts";

const OLD = "a".repeat(40);
const NEW = "b".repeat(40);
const repository = { id: "0199aaaa-0000-7000-8000-000000000001", uuid: "{4c1a}", fullName: "acme/infra" };

const aMissedPush = (change: Partial<MissedPush> = {}): MissedPush => ({
  integrationId: "0199aaaa-0000-7000-8000-000000000002",
  repository,
  branch: "main",
  oldSha: OLD,
  arrivalSequence: 12,
  head: {
    sha: NEW,
    message: "Widen it",
    author: "A <a@acme.example>",
    date: "2026-11-24T09:00:00+00:00",
    url: `https://bitbucket.org/acme/infra/commits/${NEW}`,
  },
  foundAt: "2026-11-24T09:10:00.000Z",
  ...change,
});

describe("a push that was missed", () => {
  test.each([
    ["updated", {}, { change: "updated", oldSha: OLD, newSha: NEW }],
    ["created", { oldSha: null }, { change: "created", oldSha: null, newSha: NEW }],
    ["deleted", { head: null }, { change: "deleted", oldSha: OLD, newSha: null, commit: null }],
  ] as const)("is read as what Bitbucket would have told: %s", (_, change, expected) => {
    const push = aMissedPush(change);
    expect(normaliseDelivery(toDelivery(push))).toEqual({
      kind: "events",
      events: [
        {
          kind: "push",
          repository: { uuid: "{4c1a}", fullName: "acme/infra" },
          actor: null,
          refKind: "branch",
          refName: "main",
          forced: false,
          commit: push.head,
          ...expected,
        },
      ],
    });
  });

  test("is one delivery, whoever finds it and when; another arrival of the same commits is another", () => {
    const id = toDelivery(aMissedPush()).id;
    expect(toDelivery(aMissedPush({ foundAt: "2026-11-24T09:20:00.000Z" })).id).toBe(id);
    expect(toDelivery(aMissedPush({ arrivalSequence: 13 })).id).not.toBe(id);
    expect(toDelivery(aMissedPush({ branch: "release" })).id).not.toBe(id);
    expect(toDelivery(aMissedPush({ head: null })).id).not.toBe(id);
  });
});
