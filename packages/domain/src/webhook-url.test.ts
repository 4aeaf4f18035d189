import { describe, expect, test } from "vitest";

import { recogniseWebhookUrl, shownUrl, webhookUrl } from "./webhook-url.ts";

const OURS = { url: "https://sluice.example.com/webhooks/bitbucket-cloud/acme", slug: "acme" };

describe("the address of a webhook", () => {
  test.each(["https://sluice.example.com", "https://sluice.example.com/"])("is below %s", (publicUrl) => {
    expect(webhookUrl(publicUrl, "acme")).toBe(OURS.url);
  });

  test("keeps the path that the ingress is below", () => {
    expect(webhookUrl("https://example.com/sluice/", "acme")).toBe(
      "https://example.com/sluice/webhooks/bitbucket-cloud/acme",
    );
  });

  test.each([
    [OURS.url, "same"],
    ["https://SLUICE.example.com:443/webhooks/bitbucket-cloud/acme", "same"],
    ["http://sluice.example.com/webhooks/bitbucket-cloud/acme", "elsewhere"],
    ["https://old.example.com/webhooks/bitbucket-cloud/acme", "elsewhere"],
    ["https://old.example.com/sluice/webhooks/bitbucket-cloud/acme/", "elsewhere"],
    [`${OURS.url}?token=1`, "elsewhere"],
    ["https://sluice.example.com/webhooks/bitbucket-cloud/acme-2", null],
    ["https://sluice.example.com/webhooks/bitbucket-cloud/another", null],
    ["https://sluice.example.com/mywebhooks/bitbucket-cloud/acme", null],
    ["https://ci.example.com/hook?to=/webhooks/bitbucket-cloud/acme", null],
    ["https://ci.example.com/hook#/webhooks/bitbucket-cloud/acme", null],
    ["not an address /webhooks/bitbucket-cloud/acme", null],
    ["", null],
  ] as const)("%s is, to the integration acme: %s", (url, expected) => {
    expect(recogniseWebhookUrl(url, OURS)).toBe(expected);
  });

  test("is shown without what may be secret in it", () => {
    expect(shownUrl("https://user:pass@ci.example.com/hook?token=1#more")).toBe(
      "https://ci.example.com/hook",
    );
    expect(shownUrl("user:pass@ci")).not.toContain("pass");
  });
});
