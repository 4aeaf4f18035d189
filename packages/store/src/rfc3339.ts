/** A time as Postgres writes it (`2026-11-24 10:08:10.123456+00`) as RFC 3339: UTC, milliseconds. */
export function toRfc3339(time: string): string {
  return new Date(time).toISOString();
}
