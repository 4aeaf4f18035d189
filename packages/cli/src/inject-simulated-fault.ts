/** Makes webhooks or API calls of the simulated Bitbucket go wrong, and says how. */
import type { Bitbucket } from "@sluice/simulator/bitbucket";
import type { RestFault } from "@sluice/simulator/rest-fault";
import type { BitbucketServer } from "@sluice/simulator/rest-server";
import type { DeliveryFault } from "@sluice/simulator/webhook-sender";

import type { SimulatedFault } from "./simulated-fault.ts";

/** Where faults can be. */
export interface FaultyWorld {
  readonly bitbucket: Bitbucket;
  readonly server: BitbucketServer;
  /** What ends each fault that was put in force. */
  readonly faultEnds: Set<() => void>;
}

/** Puts it in force, and says in a line what goes wrong. */
export function injectSimulatedFault(
  action: SimulatedFault,
  { bitbucket, server, faultEnds }: FaultyWorld,
): string {
  const options = action.times === null ? {} : { times: action.times };
  if (action.kind === "api_fault") {
    faultEnds.add(server.injectFault(action.route, action.fault, options));
    const which = action.route === "*" ? "" : ` that fits ${action.route}`;
    return `${whichOf(action.times, "API call")}${which} ${describeRestFault(action.fault)}`;
  }
  const { eventKey } = action;
  const match = ({ event }: { event: { eventKey: string } }): boolean =>
    eventKey === null || event.eventKey === eventKey;
  faultEnds.add(bitbucket.webhooks.injectFault(action.fault, { match, ...options }));
  const which = eventKey === null ? "webhook" : `${eventKey} webhook`;
  return `${whichOf(action.times, which)} ${describeDeliveryFault(action.fault)}`;
}

/** In the singular in any case, so that one verb fits. */
function whichOf(times: number | null, what: string): string {
  if (times === null) return `from now on, every ${what}`;
  return times === 1 ? `the next ${what}` : `each of the next ${String(times)} ${what}s`;
}

function describeDeliveryFault(fault: DeliveryFault): string {
  switch (fault.kind) {
    case "duplicate":
      return "is sent twice";
    case "lose":
      return "is lost";
    case "hold":
      return "is held until release";
    case "delay":
      return `comes ${String(fault.delayMs / 1_000)} s late`;
  }
}

function describeRestFault(fault: RestFault): string {
  switch (fault.kind) {
    case "rate_limited": {
      const { retryAfterSeconds } = fault;
      return retryAfterSeconds === undefined
        ? "gets a 429"
        : `gets a 429 with Retry-After: ${String(retryAfterSeconds)}`;
    }
    case "status":
      return `gets a ${String(fault.status)}`;
    case "slow":
      return `is answered ${String(fault.delayMs / 1_000)} s late`;
    case "wrong_json":
      return "gets JSON of another shape";
    case "cut_json":
      return "gets JSON that stops half-way";
    case "html":
      return "gets a web page";
    case "next_elsewhere":
    case "redirect_elsewhere":
      return `is led to ${fault.url}`;
    case "reset":
      return "is cut off";
    case "lost_answer":
      return "is done, and its answer is lost";
  }
}
