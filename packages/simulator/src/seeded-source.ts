/** Everything in the simulator that is random or timed comes from here, so that one seed gives one history. */
import { createHash } from "node:crypto";

/** Microseconds since 1970: Bitbucket writes six digits after the second. Below 2^53 until the year 2255. */
export type Instant = number;

const FIRST_INSTANT: Instant = Date.UTC(2026, 0, 5, 9, 0, 0) * 1000;
/** Webhooks of one action are about a second apart on the real thing; the odd rest makes the fractions differ. */
const TICK_MICROSECONDS = 1_034_567;

export interface SeededSource {
  /** A version 4 uuid without braces. */
  bareUuid(): string;
  /** A uuid with the braces that Bitbucket's `uuid` fields carry. */
  bracedUuid(): string;
  /** An Atlassian account id. */
  accountId(): string;
  /** 1, 2, 3 …: one sequence over the whole simulation. */
  nextNumber(): number;
  /** The clock: later by about a second at every call. */
  now(): Instant;
}

/** A source whose values depend only on `seed` and on how often each function was called. */
export function createSeededSource(seed: string | number): SeededSource {
  let draws = 0;
  let numbers = 0;
  let instant = FIRST_INSTANT;

  const draw = (): string => {
    draws += 1;
    return createHash("sha256").update(`${seed}/${draws}`).digest("hex");
  };
  const bareUuid = (): string => {
    const hex = draw();
    const parts = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`];
    return `${parts.join("-")}-${hex.slice(20, 32)}`;
  };

  return {
    bareUuid,
    bracedUuid: () => `{${bareUuid()}}`,
    accountId: () => `712020:${bareUuid()}`,
    nextNumber: () => (numbers += 1),
    now: () => (instant += TICK_MICROSECONDS),
  };
}

/** `2026-01-05T09:00:01+00:00`, as commits and tags have it. */
export function toSecondsText(instant: Instant): string {
  return `${new Date(Math.floor(instant / 1000)).toISOString().slice(0, 19)}+00:00`;
}

/** `2026-01-05T09:00:01.034567+00:00`, as pull requests, comments and statuses have it. */
export function toMicrosecondsText(instant: Instant): string {
  const fraction = String(instant % 1_000_000).padStart(6, "0");
  return `${new Date(Math.floor(instant / 1000)).toISOString().slice(0, 19)}.${fraction}+00:00`;
}
