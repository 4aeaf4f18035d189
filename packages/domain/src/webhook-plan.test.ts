import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { RECOMMENDED_BOXES, REQUIRED_BOXES } from "./webhook-events.ts";
import {
  isSoundlyHooked,
  planHooks,
  type ExistingHook,
  type HookAction,
  type HookWish,
} from "./webhook-plan.ts";

const DESIRED = {
  url: "https://sluice.example.com/webhooks/bitbucket-cloud/acme",
  slug: "acme",
  title: "Sluice: acme",
};
const ALL_EVENTS = [...REQUIRED_BOXES, ...RECOMMENDED_BOXES].map(({ key }) => key);
const OLD_URL = "https://old.example.com/webhooks/bitbucket-cloud/acme";
const FOREIGN_URL = "https://ci.example.com/hook/T0P-SECRET";

const aHook = (changes: Partial<ExistingHook> = {}): ExistingHook => ({
  id: "{one}",
  url: DESIRED.url,
  title: "Sluice",
  events: ALL_EVENTS,
  isActive: true,
  isSecretSet: true,
  skipsCertificateCheck: false,
  ...changes,
});

const plan = (existing: readonly ExistingHook[], wish: HookWish = "provision", isCovered = false) =>
  planHooks({ desired: DESIRED, existing, wish, isCovered });
const kinds = (existing: readonly ExistingHook[], isCovered = false) =>
  plan(existing, "provision", isCovered).drift.map(({ kind }) => kind);

describe("the drift of webhooks", () => {
  test.each([
    ["missing", [aHook({ url: FOREIGN_URL })]],
    ["wrong_url", [aHook({ url: OLD_URL })]],
    ["inactive", [aHook({ isActive: false })]],
    ["missing_events", [aHook({ events: ALL_EVENTS.filter((key) => key !== "repo:push") })]],
    ["secret_not_set", [aHook({ isSecretSet: false })]],
    ["duplicate", [aHook(), aHook({ id: "{two}" })]],
    ["certificate_not_checked", [aHook({ skipsCertificateCheck: true })]],
  ] as const)("%s is told, and nothing else", (kind, existing) => {
    expect(kinds(existing)).toEqual([kind]);
    expect(plan(existing).actions).toHaveLength(1);
  });

  test("is empty where all is well, also when Bitbucket does not say whether there is a secret", () => {
    expect(plan([aHook(), aHook({ id: "{two}", url: FOREIGN_URL })])).toEqual({ drift: [], actions: [] });
    expect(kinds([aHook({ isSecretSet: null })])).toEqual([]);
  });

  test("names each box that is not checked", () => {
    const [drift] = plan([aHook({ events: ["repo:push", "pullrequest:fulfilled"] })]).drift;
    expect(drift?.detail).toBe(
      "These boxes are not checked: Created, Updated, Approved, Approval removed, Comment created.",
    );
  });

  test("a recommended box that is not checked is none, and is mended", () => {
    const { drift, actions } = plan([aHook({ events: REQUIRED_BOXES.map(({ key }) => key) })]);
    expect(drift).toEqual([]);
    expect(actions).toMatchObject([
      { kind: "update", reasons: ["recommended_events"], settings: { events: ALL_EVENTS.toSorted() } },
    ]);
  });

  test("says of a webhook that sends elsewhere that another installation may want it", () => {
    expect(plan([aHook({ url: OLD_URL })]).drift[0]?.detail).toContain("another installation");
  });
});

describe("the actions", () => {
  test("keep of several webhooks the one with the least to mend, and mend it before others are deleted", () => {
    const { actions } = plan([
      aHook({ id: "{a}", isActive: false, skipsCertificateCheck: true }),
      aHook({ id: "{b}", isActive: false }),
      aHook({ id: "{c}", url: OLD_URL }),
    ]);
    expect(actions).toMatchObject([
      { kind: "update", hookId: "{b}", reasons: ["inactive"] },
      { kind: "delete", hookId: "{a}", reasons: ["duplicate"] },
      { kind: "delete", hookId: "{c}", reasons: ["duplicate"] },
    ]);
  });

  test("keep what somebody has added to a webhook", () => {
    const [action] = plan([
      aHook({ title: "Do not delete", isActive: false, events: [...ALL_EVENTS, "repo:fork"] }),
    ]).actions;
    expect(action).toMatchObject({
      settings: { title: "Do not delete", events: expect.arrayContaining(["repo:fork"]) },
    });
  });

  test("leave a webhook of the workspace to send alone what a repository's own would send too", () => {
    expect(plan([], "provision", true)).toEqual({ drift: [], actions: [] });
    expect(kinds([aHook()], true)).toEqual(["duplicate"]);
    expect(plan([aHook()], "provision", true).actions).toMatchObject([{ kind: "delete" }]);
    expect(isSoundlyHooked(DESIRED, [aHook()])).toBe(true);
    expect(isSoundlyHooked(DESIRED, [aHook({ isActive: false }), aHook({ url: FOREIGN_URL })])).toBe(false);
  });

  test("give every webhook of ours the present secret when that is asked for", () => {
    expect(plan([aHook()], "renew").actions).toMatchObject([{ kind: "update", reasons: ["secret_renewed"] }]);
  });
});

const hookArbitrary = fc.record({
  url: fc.constantFrom(DESIRED.url, `${DESIRED.url}/`, OLD_URL, FOREIGN_URL, "", "no address"),
  title: fc.constantFrom("", "Sluice", "CI"),
  events: fc.subarray([...ALL_EVENTS, "repo:fork", "issue:created"]),
  isActive: fc.boolean(),
  isSecretSet: fc.constantFrom(true, false, null),
  skipsCertificateCheck: fc.boolean(),
});
const hooksArbitrary = fc
  .array(hookArbitrary, { maxLength: 6 })
  .map((hooks) => hooks.map((hook, index): ExistingHook => ({ ...hook, id: `{${String(index)}}` })));

describe("whatever webhooks there are", () => {
  test("a plan that is applied leaves one sound webhook, and nothing to do", () => {
    fc.assert(
      fc.property(hooksArbitrary, fc.boolean(), (existing, isCovered) => {
        const after = applyAll(existing, plan(existing, "provision", isCovered).actions);
        expect(plan(after, "provision", isCovered)).toEqual({ drift: [], actions: [] });
        expect(isSoundlyHooked(DESIRED, after)).toBe(!isCovered);
      }),
    );
  });

  test("a removal that is applied leaves none of ours", () => {
    fc.assert(
      fc.property(hooksArbitrary, (existing) => {
        const after = applyAll(existing, plan(existing, "remove").actions);
        expect(kinds(after)).toEqual(["missing"]);
        expect(plan(after, "remove").actions).toEqual([]);
      }),
    );
  });

  test("those of somebody else are neither touched nor shown", () => {
    const wishes = fc.constantFrom<HookWish>("provision", "renew", "remove");
    fc.assert(
      fc.property(hooksArbitrary, wishes, fc.boolean(), (existing, wish, isCovered) => {
        const planned = plan(existing, wish, isCovered);
        const foreign = (hooks: readonly ExistingHook[]) =>
          hooks.filter(({ url }) => !url.endsWith("/acme") && !url.endsWith("/acme/"));
        expect(foreign(applyAll(existing, planned.actions))).toEqual(foreign(existing));
        const text = JSON.stringify(planned);
        expect(text).not.toContain("T0P-SECRET");
        for (const { id } of foreign(existing)) expect(text).not.toContain(id);
      }),
    );
  });

  test("the order in which they are listed is no matter", () => {
    const listed = hooksArbitrary.chain((hooks) =>
      fc.tuple(fc.constant(hooks), fc.shuffledSubarray(hooks, { minLength: hooks.length })),
    );
    fc.assert(
      fc.property(listed, ([hooks, shuffled]) => {
        expect(plan(shuffled)).toEqual(plan(hooks));
      }),
    );
  });

  test("the drift is the same whatever is asked for", () => {
    fc.assert(
      fc.property(hooksArbitrary, (existing) => {
        const { drift } = plan(existing);
        expect(plan(existing, "remove").drift).toEqual(drift);
        expect(plan(existing, "renew").drift).toEqual(drift);
      }),
    );
  });
});

/** What Bitbucket would have after the actions. */
function applyAll(existing: readonly ExistingHook[], actions: readonly HookAction[]): ExistingHook[] {
  return actions.reduce<ExistingHook[]>(applyOne, [...existing]);
}

function applyOne(hooks: ExistingHook[], action: HookAction): ExistingHook[] {
  switch (action.kind) {
    case "create":
      return [...hooks, aHook({ id: "{made}", ...action.settings })];
    case "update":
      return hooks.map((hook) =>
        hook.id === action.hookId ? aHook({ id: hook.id, ...action.settings }) : hook,
      );
    case "delete":
      return hooks.filter(({ id }) => id !== action.hookId);
  }
}
