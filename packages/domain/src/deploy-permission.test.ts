import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { isSameAccount, refuseDeploy, type DeployRequest } from "./deploy-permission.ts";

const DEPLOYER = "{dddddddd-0000-4000-8000-000000000001}";
const AUTHOR = "{aaaaaaaa-0000-4000-8000-000000000002}";
const PUSHER = "{bbbbbbbb-0000-4000-8000-000000000003}";
const REVIEWER = "{cccccccc-0000-4000-8000-000000000004}";
const SEEN = "2026-11-20T10:00:00.500000Z";
const LATER = "2026-11-20T10:00:00.500001Z";

const aRequest = (change: Partial<DeployRequest> = {}): DeployRequest => ({
  commenterUuid: DEPLOYER,
  deployers: [DEPLOYER],
  authorUuid: AUTHOR,
  pusherUuid: PUSHER,
  headSeenAt: SEEN,
  approvals: [{ userUuid: REVIEWER, at: LATER }],
  ...change,
});

describe("a deploy (rule 24)", () => {
  test("may run when a deployer asks, and somebody else has approved the present head since it was seen", () => {
    expect(refuseDeploy(aRequest())).toBeNull();
  });

  test("may be asked for by whoever approved, if that is neither author nor pusher", () => {
    expect(refuseDeploy(aRequest({ approvals: [{ userUuid: DEPLOYER, at: LATER }] }))).toBeNull();
  });

  test.each<[string, Partial<DeployRequest>]>([
    ["of a target without deployers", { deployers: [] }],
    ["by somebody who is no deployer", { commenterUuid: REVIEWER }],
    ["by somebody who is not known", { commenterUuid: null }],
    ["without an approval", { approvals: [] }],
    ["with the author's approval alone", { approvals: [{ userUuid: AUTHOR, at: LATER }] }],
    ["with the pusher's approval alone", { approvals: [{ userUuid: PUSHER, at: LATER }] }],
    ["with an approval of somebody who is not known", { approvals: [{ userUuid: null, at: LATER }] }],
    ["with an approval of the moment of the head", { approvals: [{ userUuid: REVIEWER, at: SEEN }] }],
    [
      "with an approval from before the head was pushed",
      { approvals: [{ userUuid: REVIEWER, at: "2026-11-20T09:59:59Z" }] },
    ],
    ["with an approval without a time", { approvals: [{ userUuid: REVIEWER, at: null }] }],
    ["with an approval of a time that cannot be read", { approvals: [{ userUuid: REVIEWER, at: "soon" }] }],
    ["of a head whose pusher is not known", { pusherUuid: null }],
    ["of a head that was seen at a time that is not known", { headSeenAt: null }],
    ["of a head that was seen at a time that cannot be read", { headSeenAt: "once" }],
    ["of a pull request whose author is not known", { authorUuid: null }],
  ])("is refused %s", (_, change) => {
    expect(refuseDeploy(aRequest(change))).toMatch(/^[a-z].*[^.]$/i);
  });

  test("never runs on the word of author and pusher alone, whatever else is known", () => {
    const uuid = fc.constantFrom(AUTHOR, AUTHOR.toUpperCase(), PUSHER, PUSHER.slice(1, -1), null);
    const request = fc.record({
      commenterUuid: fc.constantFrom(DEPLOYER, AUTHOR, PUSHER),
      deployers: fc.constant([DEPLOYER, AUTHOR, PUSHER]),
      approvals: fc.array(fc.record({ userUuid: uuid, at: fc.constantFrom(SEEN, LATER, null) })),
    });
    fc.assert(
      fc.property(request, (change) => {
        expect(refuseDeploy(aRequest(change))).not.toBeNull();
      }),
    );
  });
});

test("an account that is not known is not the same as any, itself included", () => {
  expect(isSameAccount(null, null)).toBe(false);
  expect(isSameAccount(AUTHOR, null)).toBe(false);
  expect(isSameAccount(AUTHOR, AUTHOR.slice(1, -1).toUpperCase())).toBe(true);
  expect(isSameAccount(AUTHOR, PUSHER)).toBe(false);
});
