/** Times as people write them: as far from now, or as a date. */
import { usageInvalid } from "../usage-error.ts";

const UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };
const SPAN = /^([1-9]\d{0,4})([mhd])$/;
const DATE = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/**
 * When something ends, RFC 3339: `90d` from now, or a date, at whose beginning (UTC) it does.
 * @throws AppError `usage_invalid`, also for one that has passed.
 */
export function parseEnd(text: string, nowMs: number): string {
  const atMs = readTime(text, nowMs, 1);
  if (atMs <= nowMs) throw usageInvalid(`${text} has passed`);
  return new Date(atMs).toISOString();
}

/** A time in the past, RFC 3339: `90m` ago, or a date. @throws AppError `usage_invalid`. */
export function parsePast(text: string, nowMs: number): string {
  return new Date(readTime(text, nowMs, -1)).toISOString();
}

function readTime(text: string, nowMs: number, direction: 1 | -1): number {
  const [, count, unit = ""] = SPAN.exec(text) ?? [];
  if (count !== undefined) return nowMs + direction * Number(count) * (UNITS_MS[unit] ?? 0);
  const atMs = DATE.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(atMs)) return atMs;
  throw usageInvalid(`${text} is no time: write 90m, 24h or 30d, 2027-01-31, or 2027-01-31T12:00:00Z`);
}
