import { type Finding, ok, warn } from "./finding.ts";

/** A clock that this machine's is compared with. */
export function checkClock(
  check: string,
  aheadMs: number,
  { of, warnMs }: { readonly of: string; readonly warnMs: number },
): Finding {
  const seconds = (Math.abs(aheadMs) / 1_000).toFixed(1);
  if (Math.abs(aheadMs) <= warnMs) return ok(check, `this machine and ${of} have one time`);
  const direction = aheadMs > 0 ? "ahead of" : "behind";
  return warn(check, `the clock of ${of} is ${seconds} s ${direction} this machine's`, "run NTP on both");
}
