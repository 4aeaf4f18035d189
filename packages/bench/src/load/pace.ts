/** When the next request is due. */

/**
 * - `closed`: as soon as a connection is free.
 * - `committed`: as soon as a connection is free, while fewer than `maxOutstanding` webhooks wait for their triggers:
 *   what is accepted but not worked off cannot pile up and pass for throughput.
 * - `open`: so many a second, whatever becomes of them. A request that has to wait for a connection is late from the
 *   moment at which it was due, so that a stall is not left out of the latencies.
 */
export type Pace =
  | { readonly kind: "closed" }
  | { readonly kind: "committed"; readonly maxOutstanding: number }
  | { readonly kind: "open"; readonly perSecond: number };

/** What a pace looks at, in ms. */
export interface PaceState {
  readonly startedAt: number;
  readonly now: number;
  /** Requests sent so far. */
  readonly sent: number;
  /** Webhooks without all of their triggers. */
  readonly outstanding: number;
}

/** When the next request was due; null = none is due now. */
export function nextDue(pace: Pace, { startedAt, now, sent, outstanding }: PaceState): number | null {
  switch (pace.kind) {
    case "closed":
      return now;
    case "committed":
      return outstanding < pace.maxOutstanding ? now : null;
    case "open": {
      const due = startedAt + (sent * 1_000) / pace.perSecond;
      return due <= now ? due : null;
    }
  }
}
