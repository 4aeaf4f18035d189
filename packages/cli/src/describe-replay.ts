/** What a replay changes, in words: what `sluice replay` prints. */
import { explain } from "@sluice/domain/explain";
import type { TriggerStanding } from "@sluice/store/trigger-standings";
import type { DecisionChange, TriggerChange } from "@sluice/worker/replay/compare-decisions";
import type { ReplayedEvent, ReplayReport } from "@sluice/worker/replay/replay-report";

import { describeEvent, shortenHashes } from "./describe-event.ts";
import { describeStanding } from "./describe-trigger.ts";
import { toOneLine } from "./one-line.ts";

const NOTHING = "Nothing would change.";

/** The lines about a replay. */
export function describeReplay(report: ReplayReport): string {
  const { failure } = report;
  const lines = failure === null ? describeRead(report) : describeUnreadable(failure);
  return lines.map((line) => `${toOneLine(line)}\n`).join("");
}

function describeUnreadable({ code, path, message }: NonNullable<ReplayReport["failure"]>): string[] {
  const where = path === "" ? "the body" : path;
  return [`It cannot be read: ${code} at ${where}: ${message}`, NOTHING];
}

function describeRead(report: ReplayReport): string[] {
  const { events, otherTriggers, isApplied } = report;
  return [
    ...events.flatMap((event) => describeReplayedEvent(event, isApplied)),
    ...describeOthers(otherTriggers, isApplied),
    summarise(report),
  ];
}

function describeReplayedEvent(replayed: ReplayedEvent, isApplied: boolean): string[] {
  const { delivery, event, isNew, isWaiting, changes } = replayed;
  // In a dry run a new event has an id that is given to nobody.
  const id = event === null || (isNew && !isApplied) ? "" : `event ${event.id}, `;
  return [
    describeEvent(replayed),
    `  ${id}delivery ${delivery.id}, received ${delivery.receivedAt}`,
    ...(isNew ? [`  ${isApplied ? "recorded" : "would be recorded"}: it was not acted on before`] : []),
    ...(isWaiting ? [`  ${describeWaiting(isApplied)}`] : []),
    ...changes.flatMap((change) => describeChange(change, isApplied)),
    ...(changes.length === 0 && !isWaiting
      ? ["  no decision concerns it: it is no target of this repository"]
      : []),
  ];
}

function describeWaiting(isApplied: boolean): string {
  return isApplied
    ? "a worker asks Bitbucket about it, and decides it within two minutes: `sluice explain` tells then what it meant"
    : "a worker would ask Bitbucket about it, and decide it";
}

function describeChange(change: DecisionChange, isApplied: boolean): string[] {
  const { kind, target, before, after, trigger, ended } = change;
  const name =
    target === null ? "the event as a whole" : `${target.kind} ${target.name} (space ${target.space})`;
  if (kind === "unchanged") return [`  ${name}: unchanged. ${explain(after)}`];
  return [
    `  ${name}: ${describeKind(change, isApplied)}`,
    ...(before === null ? [] : [`    - ${explain(before)}`]),
    `    + ${explain(after)}`,
    ...describeOwnTrigger(kind, trigger, isApplied),
    ...(ended === null ? [] : [describeEnded(ended, isApplied)]),
  ];
}

function describeKind({ kind, before, after }: DecisionChange, isApplied: boolean): string {
  switch (kind) {
    case "unchanged":
      return "unchanged";
    case "reason":
      if (before === null) return isApplied ? "decided" : "would be decided";
      return isApplied ? "decided otherwise" : "would be decided otherwise";
    case "triggered":
      return `${isApplied ? "triggers" : "would trigger"} a ${after.runType ?? "proposed"} run`;
    case "ended":
      return isApplied ? "its run is canceled" : "its run would be canceled";
    case "outlived":
      return "would not be so by now; what was handed out, or has ended, stays as it is";
  }
}

function describeOwnTrigger(
  kind: DecisionChange["kind"],
  trigger: TriggerStanding | null,
  isApplied: boolean,
): string[] {
  if (trigger === null) return [];
  if (kind === "outlived") return [`    trigger ${trigger.id}: ${describeStanding(trigger)}`];
  return [
    `    ${isApplied ? `trigger ${trigger.id}` : "its trigger would be"}: ${describeStanding(trigger)}`,
  ];
}

function describeEnded(ended: TriggerStanding, isApplied: boolean): string {
  const { id, runType, refName, commitSha } = ended;
  const what = `trigger ${id}, ${runType}, of ${refName} at ${shortenHashes(commitSha)}`;
  return `    ${what}: ${isApplied ? "canceled" : "would be canceled"}`;
}

function describeOthers(others: readonly TriggerChange[], isApplied: boolean): string[] {
  return others.map(({ id, before, after, isAskedToStop }) => {
    const becomes = isAskedToStop
      ? "its holder is asked to stop"
      : `${before ?? "ended"} → ${after ?? "ended, because of what is newer on its branch"}`;
    return `${isApplied ? "" : "would change: "}trigger ${id} of another delivery: ${becomes}`;
  });
}

function summarise({ events, otherTriggers, isApplied }: ReplayReport): string {
  const changes = events.flatMap((event) => event.changes);
  const count = (...kinds: readonly DecisionChange["kind"][]) =>
    changes.filter(({ kind }) => kinds.includes(kind)).length;
  const changed = [
    sayCount(events.filter(({ isNew }) => isNew).length, "new event", "new events"),
    sayCount(count("triggered"), "new run", "new runs"),
    sayCount(changes.filter(({ ended }) => ended !== null).length, "run canceled", "runs canceled"),
    sayCount(count("reason"), "decided otherwise", "decided otherwise"),
    sayCount(otherTriggers.length, "run of another delivery changed", "runs of other deliveries changed"),
  ].filter((part) => part !== null);
  if (changed.length === 0) return NOTHING;
  const left = sayCount(count("unchanged", "outlived"), "left as it is", "left as they are");
  const parts = left === null ? changed : [...changed, left];
  return `${parts.join(", ")}. ${isApplied ? "That is written." : "Nothing was written: --apply writes it."}`;
}

function sayCount(count: number, one: string, many: string): string | null {
  if (count === 0) return null;
  return `${String(count)} ${count === 1 ? one : many}`;
}
