import { describeError } from "@sluice/runtime/redaction";

import { fail, type Finding, ok } from "./finding.ts";

const TIMEOUT_MS = 5_000;

/** Whether the API is ready, as it says itself without a key. */
export async function checkApi(apiUrl: string): Promise<readonly Finding[]> {
  const remedy = "start it: sluice serve api, and see SLUICE_URL";
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(`${apiUrl}/readyz`, { redirect: "manual", signal });
    await response.body?.cancel();
    if (response.ok) return [ok("api_alive", `the API at ${apiUrl} is ready`)];
    return [fail("api_alive", `the API at ${apiUrl} answers ${String(response.status)}`, remedy)];
  } catch (error) {
    return [fail("api_alive", `the API at ${apiUrl} cannot be reached: ${describeError(error)}`, remedy)];
  }
}
