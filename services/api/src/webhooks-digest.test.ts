import type { HookAction } from "@sluice/domain/webhook-plan";
import { describe, expect, test } from "vitest";

import { digestAction, readPlanDigest, writePlanDigest } from "./webhooks-digest.ts";

const UPDATE: HookAction = {
  kind: "update",
  hookId: "{one}",
  currentUrl: "https://old.example.com/hook",
  settings: { url: "https://sluice.example.com/hook", title: "Sluice", events: ["repo:push"] },
  reasons: ["wrong_url"],
};

describe("what was seen of a plan", () => {
  test.each<[string, string, HookAction]>([
    ["repository", "acme/b", UPDATE],
    ["webhook", "acme/a", { ...UPDATE, hookId: "{two}" }],
    ["present address", "acme/a", { ...UPDATE, currentUrl: "https://other.example.com/hook" }],
    ["address", "acme/a", { ...UPDATE, settings: { ...UPDATE.settings, url: "https://x.example.com" } }],
    ["title", "acme/a", { ...UPDATE, settings: { ...UPDATE.settings, title: "Other" } }],
    ["boxes", "acme/a", { ...UPDATE, settings: { ...UPDATE.settings, events: [] } }],
    [
      "verb",
      "acme/a",
      { kind: "delete", hookId: "{one}", currentUrl: UPDATE.currentUrl, reasons: ["removed"] },
    ],
  ])("is something else with another %s", (_, subject, action) => {
    expect(digestAction(subject, action)).not.toBe(digestAction("acme/a", UPDATE));
  });

  test("is the same for the same effect, whatever the reason, and however the name is written", () => {
    const again: HookAction = { ...UPDATE, reasons: ["wrong_url", "secret_renewed"] };
    expect(digestAction("Acme/A", again)).toBe(digestAction("acme/a", UPDATE));
  });

  test("is read as it was written", () => {
    const plan = { through: "0193a2b0-0000-7000-8000-000000000001", actions: [digestAction("a/b", UPDATE)] };
    expect(readPlanDigest(writePlanDigest(plan))).toEqual(plan);
  });
});
