const TIME_DIGITS = 12;

/**
 * The id before all that the database makes at a time or later: the first 48 bits of a UUIDv7 are the milliseconds since
 * 1970 (RFC 9562, 5.7). `time`: RFC 3339, 1970 or later.
 */
export function firstIdAt(time: string): string {
  const digits = Date.parse(time).toString(16).padStart(TIME_DIGITS, "0");
  return `${digits.slice(0, 8)}-${digits.slice(8)}-7000-8000-000000000000`;
}
