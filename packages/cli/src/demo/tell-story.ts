import { setTimeout as sleep } from "node:timers/promises";

import { explain } from "@sluice/domain/explain";
import type { Bitbucket } from "@sluice/simulator/bitbucket";
import type { Story, StoryStep } from "@sluice/simulator/story";
import type { Store } from "@sluice/store/client";
import {
  findDeliveryReport,
  type DecisionReport,
  type DeliveryReport,
  type EventReport,
} from "@sluice/store/delivery-reports";

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
  for (const [index, step] of telling.story.steps.entries()) {
    if (telling.signal.aborted) return;
    telling.print(`\n${String(index + 1)}. ${step.title}\n`);
    await tellStep(step, telling);
  }
}

async function tellStep(step: StoryStep, telling: StoryTelling): Promise<void> {
  const { bitbucket, store, print, signal } = telling;
  const before = bitbucket.webhooks.history().length;
  step.perform();
  await bitbucket.settled();
  for (const attempt of bitbucket.webhooks.history().slice(before)) {
    const answer = attempt.status === null ? attempt.outcome : String(attempt.status);
    print(`   ${attempt.eventKey} ─▶ ${answer} in ${String(Math.round(attempt.durationMs))} ms\n`);
    if (attempt.status !== 202) continue;
    const report = await waitForDecisions(store, attempt.requestUuid, signal);
    print(report === null ? "     still being worked on\n" : describeDelivery(report));
  }
}

/** The delivery, once all of its events are decided; null when that takes too long. */
async function waitForDecisions(
  store: Store,
  requestId: string,
  signal: AbortSignal,
): Promise<DeliveryReport | null> {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline && !signal.aborted) {
    const report = await findDeliveryReport(store, requestId);
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
  const head = event.newSha === null ? "deleted" : event.newSha.slice(0, 12);
  const ref = event.refName === null ? "" : `     ${event.refName}: ${head}\n`;
  return ref + groupBySentence(event.decisions).map(describeGroup).join("");
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
