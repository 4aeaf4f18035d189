/** What an answer says about when to come back, and how much there is. */

/** Limits are a rolling hour: nothing has to wait longer, whatever a header says. */
const MAX_RETRY_AFTER_MS = 3_600_000;
const MAX_LIMIT_PER_HOUR = 1_000_000;

/** `Retry-After` (RFC 9110 §10.2.3: seconds or a date) in ms from `nowMs`, at most an hour; null when not usable. */
export function parseRetryAfter(value: string | null, nowMs: number): number | null {
  const text = value?.trim() ?? "";
  if (/^\d{1,9}$/.test(text)) return Math.min(Number(text) * 1000, MAX_RETRY_AFTER_MS);
  // A date has letters: Date.parse would take "-5" and "1.5" for one too.
  const date = /[a-z]/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? null : Math.min(Math.max(date - nowMs, 0), MAX_RETRY_AFTER_MS);
}

/** `X-RateLimit-Limit` as calls per hour; null when not sent or not usable. */
export function parseRateLimit(value: string | null): number | null {
  const text = value?.trim() ?? "";
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  return limit > 0 && limit <= MAX_LIMIT_PER_HOUR ? limit : null;
}
