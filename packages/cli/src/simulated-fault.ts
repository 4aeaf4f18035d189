/** What a person can make go wrong in a simulated Bitbucket, as it is written in a line. */
import { FAULT_STATUSES, type RestFault } from "@sluice/simulator/rest-fault";
import type { DeliveryFault } from "@sluice/simulator/webhook-sender";

/** Webhooks or API calls that go wrong from now on. */
export type SimulatedFault =
  | {
      readonly kind: "webhook_fault";
      readonly fault: DeliveryFault;
      /** null = until the faults are ended. */
      readonly times: number | null;
      /** The event key that it is for; null = every one. */
      readonly eventKey: string | null;
    }
  | {
      readonly kind: "api_fault";
      readonly fault: RestFault;
      /** null = until the faults are ended. */
      readonly times: number | null;
      /** Such as `GET *diffstat*`, where `*` stands for anything. */
      readonly route: string;
    };

/** How the two are written. */
export const FAULT_FORMS = [
  "fault webhook <duplicate|lose|hold|delay[=seconds]> [times] [event]",
  `fault api <429[=seconds]|${FAULT_STATUSES.join("|")}|slow[=seconds]|wrong-json|cut-json|html|reset> [times] [route]`,
] as const;

const DEFAULT_DELAY_S = 5;
const MAX_SECONDS = 3_600;
const EVENT_KEY = /^[a-z]+:[a-z_]+$/;
const ROUTE = /^(\*|[A-Z]+ )/;

/** The fault of the words after `fault`; null when they are of neither form. */
export function parseSimulatedFault(words: readonly string[]): SimulatedFault | null {
  const [side, what = "", ...rest] = words;
  const kind = parseKind(what);
  if (kind === null) return null;
  const { times, more } = takeTimes(rest);
  if (times === 0) return null;
  if (side === "webhook") {
    const fault = toDeliveryFault(kind);
    if (fault === null || more.length > 1 || !more.every((word) => EVENT_KEY.test(word))) return null;
    return { kind: "webhook_fault", fault, times, eventKey: more[0] ?? null };
  }
  const fault = toRestFault(kind);
  const route = more.join(" ") || "*";
  if (side !== "api" || fault === null || !ROUTE.test(route)) return null;
  return { kind: "api_fault", fault, times, route };
}

interface Kind {
  readonly name: string;
  /** null = not said. */
  readonly seconds: number | null;
}

/** `slow=30`, or `slow` alone. */
function parseKind(text: string): Kind | null {
  const [, name, seconds] = /^([a-z0-9-]+)(?:=(\d+))?$/.exec(text) ?? [];
  if (name === undefined) return null;
  return { name, seconds: seconds === undefined ? null : Math.min(Number(seconds), MAX_SECONDS) };
}

function takeTimes(words: readonly string[]): { times: number | null; more: readonly string[] } {
  const [first, ...more] = words;
  const isNumber = first !== undefined && /^\d+$/.test(first);
  return isNumber ? { times: Number(first), more } : { times: null, more: words };
}

function toDeliveryFault({ name, seconds }: Kind): DeliveryFault | null {
  if (name === "delay") return { kind: "delay", delayMs: (seconds ?? DEFAULT_DELAY_S) * 1_000 };
  if (seconds !== null) return null;
  return name === "duplicate" || name === "lose" || name === "hold" ? { kind: name } : null;
}

function toRestFault({ name, seconds }: Kind): RestFault | null {
  if (name === "slow") return { kind: "slow", delayMs: (seconds ?? DEFAULT_DELAY_S) * 1_000 };
  if (name === "429") {
    return { kind: "rate_limited", ...(seconds === null ? {} : { retryAfterSeconds: seconds }) };
  }
  if (seconds !== null) return null;
  switch (name) {
    case "wrong-json":
      return { kind: "wrong_json" };
    case "cut-json":
      return { kind: "cut_json" };
    case "html":
    case "reset":
      return { kind: name };
    default: {
      const status = FAULT_STATUSES.find((one) => String(one) === name);
      return status === undefined ? null : { kind: "status", status };
    }
  }
}
