/** Where a trigger stands, in words. */
import type { HeldBackBy, TriggerStanding } from "@sluice/store/trigger-standings";

/** Its state, with who has it, what holds it back, or how it ended. */
export function describeStanding(trigger: TriggerStanding): string {
  const asked = trigger.lease !== null && trigger.cancelRequested ? "; its holder is asked to stop" : "";
  const run = trigger.run.url ?? trigger.run.id;
  return `${describeState(trigger)}${asked}${run === null ? "" : ` (run ${run})`}`;
}

function describeState({ state, lease, heldBackBy, message, attempt }: TriggerStanding): string {
  switch (state) {
    case "blocked":
    case "queued":
      return `${state}, ${heldBackBy === null ? "no scheduler has claimed it" : describeHeldBack(heldBackBy)}`;
    case "claimed":
    case "running":
    case "waiting":
    case "lost":
      return `${state}, ${describeLease(lease)}${attempt > 1 ? `, attempt ${String(attempt)}` : ""}`;
    case "succeeded":
    case "failed":
    case "canceled":
    case "superseded":
      return message === null ? state : `${state}: ${message}`;
  }
}

function describeHeldBack(by: HeldBackBy): string {
  switch (by.kind) {
    case "target":
      return `not handed out because its target is ${by.state}`;
    case "trigger":
      return `behind trigger ${by.id} of its target, which is ${by.state}`;
    case "event":
      return `until the earlier push is decided (event ${by.id})`;
  }
}

function describeLease(lease: TriggerStanding["lease"]): string {
  if (lease === null) return "held by nobody";
  const { holder, expiresAt, isExpired } = lease;
  if (expiresAt === null) return `held by ${holder} without an end`;
  return isExpired
    ? `held by ${holder} until ${expiresAt}, which is over`
    : `held by ${holder} until ${expiresAt}`;
}

/** How it came there, in one line. */
export function describeHistory({ history, hasEarlierHistory }: TriggerStanding): string {
  const lines = history.map(({ state, actor, note, at }) => {
    return `${state} ${at} by ${actor}${note === null ? "" : ` (${note})`}`;
  });
  return `${hasEarlierHistory ? "…, " : ""}${lines.join(", ")}`;
}
