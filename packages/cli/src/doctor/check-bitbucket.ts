/** Whether Bitbucket can be reached from here, and its clock. */
import { describeError } from "@sluice/runtime/redaction";

import { checkClock } from "./check-clock.ts";
import { fail, type Finding, ok, warn } from "./finding.ts";

const TIMEOUT_MS = 10_000;
/** `Date` is in whole seconds, and the answer took its time. */
const CLOCK_WARN_MS = 5_000;

/** Asks for nothing in particular, without a credential: any answer is one. */
export async function checkBitbucket(apiUrl: string): Promise<readonly Finding[]> {
  let response: Response;
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    response = await fetch(`${apiUrl}/user`, { redirect: "manual", signal });
    await response.body?.cancel();
  } catch (error) {
    const host = new URL(apiUrl).host;
    const remedy = `let this machine and the workers reach https://${host}, and see BITBUCKET_API_URL`;
    return [fail("bitbucket", `${host} cannot be reached: ${describeError(error)}`, remedy)];
  }
  const { status, headers } = response;
  const reached =
    status < 500
      ? ok("bitbucket", `${new URL(apiUrl).host} answers`)
      : warn(
          "bitbucket",
          `Bitbucket answers ${String(status)}`,
          "see https://bitbucket.status.atlassian.com",
        );
  const date = Date.parse(headers.get("date") ?? "");
  if (Number.isNaN(date)) return [reached];
  const aheadMs = date - Date.now();
  return [reached, checkClock("bitbucket_clock", aheadMs, { of: "Bitbucket", warnMs: CLOCK_WARN_MS })];
}
