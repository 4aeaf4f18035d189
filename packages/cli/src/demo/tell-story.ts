import { setTimeout as sleep } from "node:timers/promises";

import { explain } from "@sluice/domain/explain";
import type { TriggerRecord } from "@sluice/domain/trigger-document";
import type { Bitbucket } from "@sluice/simulator/bitbucket";
import type { Story, StoryStep } from "@sluice/simulator/story";
import type { Store } from "@sluice/store/client";
import type { DecisionReport } from "@sluice/store/decision-reports";
import { findDeliveryReport, type DeliveryReport, type EventReport } from "@sluice/store/delivery-reports";
import { listTriggerRecords } from "@sluice/store/trigger-records";

/** What telling the story needs. */
export interface StoryTelling {
  readonly story: Story;
  readonly bitbucket: Bitbucket;
  readonly store: Store;
  readonly print: (text: string) => void;
  /** Aborted when the process has to stop. */
  readonly signal: AbortSignal;
}

const POLL_MS = 50;
/** The story goes on without an explanation that takes longer; the next start shows it. */
const PATIENCE_MS = 30_000;

/** Performs each step in the simulated Bitbucket and prints what became of its webhooks, as it is found in Postgres. */
export async function tellStory(telling: StoryTelling): Promise<void> {
  const queued = new Set<string>();
  for (const [index, step] of telling.story.steps.entries()) {
    if (telling.signal.aborted) return;
    telling.print(`\n${String(index + 1)}. ${step.title}\n`);
    await tellStep(step, telling, queued);
  }
}

/** `queued`: the triggers that the story has seen waiting for a scheduler. */
async function tellStep(step: StoryStep, telling: StoryTelling, queued: Set<string>): Promise<void> {
  const { bitbucket, store, print, signal } = telling;
  const before = bitbucket.webhooks.history().length;
  const reports: DeliveryReport[] = [];
  step.perform();
  await bitbucket.settled();
  for (const attempt of bitbucket.webhooks.history().slice(before)) {
    const answer = attempt.status === null ? attempt.outcome : String(attempt.status);
    print(`   ${attempt.eventKey} ─▶ ${answer} in ${String(Math.round(attempt.durationMs))} ms\n`);
    if (attempt.status !== 202) continue;
    const report = await waitForDecisions(store, attempt.requestUuid, signal);
    print(report === null ? "     still being worked on\n" : describeDelivery(report));
    if (report !== null) reports.push(report);
  }
  for (const trigger of await takeEnded(store, queued)) print(describeEnd(trigger));
  for (const id of await listQueued(store, reports)) queued.add(id);
}

/** Those that nobody is to run any more. They are taken out of `queued`. */
async function takeEnded(store: Store, queued: Set<string>): Promise<TriggerRecord[]> {
  const triggers = await listTriggerRecords(store, [...queued]);
  const ended = triggers.filter(({ state }) => state === "superseded" || state === "canceled");
  for (const { id } of ended) queued.delete(id);
  return ended;
}

/** The triggers that deliveries made and that wait for a scheduler: at a later start they have been run. */
async function listQueued(store: Store, reports: readonly DeliveryReport[]): Promise<string[]> {
  const decisions = reports.flatMap(({ events }) => events).flatMap((event) => event.decisions);
  const ids = decisions.flatMap(({ triggerId }) => (triggerId === null ? [] : [triggerId]));
  const triggers = await listTriggerRecords(store, ids);
  return triggers.flatMap(({ id, state }) => (state === "queued" ? [id] : []));
}

/** The delivery, once all of its events are decided; null when that takes too long. */
async function waitForDecisions(
  store: Store,
  requestId: string,
  signal: AbortSignal,
): Promise<DeliveryReport | null> {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline && !signal.aborted) {
    const report = await findDeliveryReport(store, requestId, { kind: "everywhere" });
    if (report?.events.every((event) => event.decidedAt !== null) === true) return report;
    await sleep(POLL_MS);
  }
  return null;
}

function describeDelivery(report: DeliveryReport): string {
  if (report.failure !== null) return `     failed: ${report.failure.message}\n`;
  if (report.events.length === 0) return "     it changed nothing\n";
  return report.events.map(describeEvent).join("");
}

function describeEvent(event: EventReport): string {
  const head = shorten(event.newSha);
  const name = event.pullRequestNumber === null ? event.refName : `#${String(event.pullRequestNumber)}`;
  const what = event.action === null ? "" : `, ${event.action}`;
  const ref = name === null ? "" : `     ${name}${what}: ${head}\n`;
  return ref + groupBySentence(event.decisions).map(describeGroup).join("");
}

function shorten(sha: string | null): string {
  return sha === null ? "deleted" : sha.slice(0, 12);
}

/** Why a run that was waiting is not to be made any more. */
function describeEnd({ target, runType, commitSha, state, message }: TriggerRecord): string {
  const why = message === null ? "" : `: ${message}`;
  return `   ✕ ${target.name}: its ${runType} run of ${shorten(commitSha)} is ${state}${why}\n`;
}

const MARKS: Readonly<Record<DecisionReport["outcome"], string>> = { trigger: "▶", hold: "‖", ignore: "·" };

interface Group {
  readonly mark: string;
  readonly targets: string[];
  readonly sentence: string;
}

/** What is true of several targets is said once; what runs comes first. */
function groupBySentence(decisions: readonly DecisionReport[]): readonly Group[] {
  const groups = new Map<string, Group>();
  for (const decision of decisions) {
    const sentence = explain(decision);
    const mark = MARKS[decision.outcome];
    const group = groups.get(mark + sentence) ?? { mark, targets: [], sentence };
    if (decision.target !== null) group.targets.push(decision.target.name);
    groups.set(mark + sentence, group);
  }
  return [...groups.values()].toSorted(
    (a, b) => Number(a.mark !== MARKS.trigger) - Number(b.mark !== MARKS.trigger),
  );
}

function describeGroup({ mark, targets, sentence }: Group): string {
  const names = targets.length > 0 ? `${targets.join(", ")}: ` : "";
  return `       ${mark} ${names}${sentence}\n`;
}
