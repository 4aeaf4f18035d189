/** What Prometheus is told of the credentials with which Bitbucket is called. */
import { Gauge } from "prom-client";

import type { Metrics } from "./metrics.ts";

/** How the credential of an integration stands. */
export interface ObservedCredential {
  /** The integration's name. */
  readonly integration: string;
  readonly isRefused: boolean;
  /** Below 0 after it has expired; null: not known. */
  readonly expiresInDays: number | null;
}

/**
 * `sluice_credential_refused{integration}`: 1 while Bitbucket refuses it, else 0; `sluice_credential_expires_days{integration}`
 * where that is known. @returns shows these credentials, and those alone.
 */
export function observeCredentials({
  registry,
}: Pick<Metrics, "registry">): (credentials: readonly ObservedCredential[]) => void {
  const refused = new Gauge({
    name: "sluice_credential_refused",
    help: "Whether Bitbucket refuses the credential of an integration: 1 = what needs it waits.",
    labelNames: ["integration"],
    registers: [registry],
  });
  const expires = new Gauge({
    name: "sluice_credential_expires_days",
    help: "Days until the credential of an integration expires, below 0 after that; only where that is known.",
    labelNames: ["integration"],
    registers: [registry],
  });
  return (credentials) => {
    refused.reset();
    expires.reset();
    for (const { integration, isRefused, expiresInDays } of credentials) {
      refused.set({ integration }, isRefused ? 1 : 0);
      if (expiresInDays !== null) expires.set({ integration }, expiresInDays);
    }
  };
}
