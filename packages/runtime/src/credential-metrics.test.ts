import { expect, test } from "vitest";

import { observeCredentials } from "./credential-metrics.ts";
import { createMetrics } from "./metrics.ts";

test("a credential is 1 while it is refused, has its days where they are known, and goes with its integration", async () => {
  const metrics = createMetrics({ service: "worker" });
  const show = observeCredentials(metrics);
  const lines = async () =>
    (await metrics.render())
      .split("\n")
      .filter((line) => line.startsWith("sluice_credential"))
      .map((line) => line.replace(',service="worker"', ""));
  show([
    { integration: "acme", isRefused: true, expiresInDays: 2.5 },
    { integration: "other", isRefused: false, expiresInDays: null },
  ]);
  expect(await lines()).toEqual([
    'sluice_credential_refused{integration="acme"} 1',
    'sluice_credential_refused{integration="other"} 0',
    'sluice_credential_expires_days{integration="acme"} 2.5',
  ]);
  show([{ integration: "acme", isRefused: false, expiresInDays: -1 }]);
  expect(await lines()).toEqual([
    'sluice_credential_refused{integration="acme"} 0',
    'sluice_credential_expires_days{integration="acme"} -1',
  ]);
});
