import { expect, test } from "vitest";

import { makeApiKey } from "./access/api-key.ts";
import { MIN_KEY_LENGTH } from "./config.ts";
import { loggablePath } from "./loggable-path.ts";

test.each([
  "/",
  "/v1/integrations/01939f5e-7d1c-7c3a-9b1a-5f1f3c0e8a11/webhook-secret/rotate",
  "/v1/triggers/01939F5E-7D1C-7C3A-9B1A-5F1F3C0E8A11/start",
  "/queues/api/queues/deliveries/1017/retry",
])("the route and the ids of %s are shown", (path) => {
  expect(loggablePath(path)).toBe(path);
});

test("no key is shown, wherever it is in a path", () => {
  const shortest = "k".repeat(MIN_KEY_LENGTH);
  for (const key of [makeApiKey().key, encodeURIComponent("ä".repeat(8)), shortest]) {
    expect(loggablePath(`/v1/spaces/${key}`)).toBe("/v1/spaces/…");
    expect(loggablePath(`/${key}/start`)).toBe("/…/start");
  }
});
