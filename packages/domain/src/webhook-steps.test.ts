import { describe, expect, test } from "vitest";

import { planHooks } from "./webhook-plan.ts";
import { manualSteps } from "./webhook-steps.ts";

const desired = {
  url: "https://sluice.example.com/webhooks/bitbucket-cloud/acme",
  slug: "acme",
  title: "Sluice: acme",
};
const secretPath = "/v1/integrations/0193/webhook";
const repository = { kind: "repository", fullName: "acme/infra" } as const;

describe("the steps for a person", () => {
  test("hold every value to copy, each box by its name, and say where the secret is", () => {
    const { actions } = planHooks({ desired, existing: [], wish: "provision" });
    const { page, steps } = manualSteps({
      subject: repository,
      desired,
      actions,
      wish: "provision",
      secretPath,
    });
    expect(page).toBe("https://bitbucket.org/acme/infra/admin");
    expect(steps).toEqual([
      "Open https://bitbucket.org/acme/infra/admin (Repository settings) and choose Webhooks.",
      'Click "Add webhook".',
      "Title: Sluice: acme",
      "URL: https://sluice.example.com/webhooks/bitbucket-cloud/acme",
      "Secret: the one that GET /v1/integrations/0193/webhook answers.",
      'Status: check "Active". Leave "Skip certificate verification" unchecked.',
      'Triggers, "Choose from a full list of triggers": under Repository check Push; under Pull request check Created, Updated, Approved, Approval removed, Merged, Comment created; recommended too: Declined, Changes Request created, Changes Request removed.',
      'Click "Save".',
    ]);
  });

  test("tell what to edit and what to delete where that is known", () => {
    const hook = { title: "", events: [], isSecretSet: true, skipsCertificateCheck: false };
    const existing = [
      { ...hook, id: "{a}", url: desired.url, isActive: true },
      { ...hook, id: "{b}", url: desired.url, isActive: false },
    ];
    const { actions } = planHooks({ desired, existing, wish: "provision" });
    const { steps } = manualSteps({ subject: repository, desired, actions, wish: "provision", secretPath });
    expect(steps).toContain(`Edit the webhook whose URL is ${desired.url}.`);
    expect(steps.at(-1)).toMatch(/^Delete the webhook \{b\}/);
  });

  test("do for a webhook that nobody could look at", () => {
    const subject = { kind: "workspace", workspace: "acme" } as const;
    const unseen = { subject, desired, actions: null, secretPath };
    const { page, steps } = manualSteps({ ...unseen, wish: "provision" });
    expect(page).toBe("https://bitbucket.org/acme/workspace/settings");
    expect(steps[1]).toMatch(
      /^If a webhook whose URL ends in \/webhooks\/bitbucket-cloud\/acme is there, edit it/,
    );
    expect(manualSteps({ ...unseen, wish: "remove" }).steps.slice(1)).toEqual([
      "Delete every webhook whose URL ends in /webhooks/bitbucket-cloud/acme.",
    ]);
  });
});
