import type { BitbucketClient } from "@sluice/bitbucket/client";
import type { Store } from "@sluice/store/client";
import type { EventReport } from "@sluice/store/delivery-reports";
import type { PendingEvent } from "@sluice/store/pending-events";
import { cancelReplayedTriggers, lockReplay, takeBackDecisions } from "@sluice/store/replayed-deliveries";
import { lockRepositories } from "@sluice/store/repositories";
import { listTargetsByRepository } from "@sluice/store/targets";
import type { Transaction } from "@sluice/store/transaction";
import { lockOutClaims } from "@sluice/store/triggers";

import { limitEvent, type DecidedEvent } from "../decide-event.ts";
import { resolveEvent } from "../resolve/resolve-event.ts";
import { writeDecided } from "../write/write-decided.ts";
import { bringBackTriggers } from "./bring-back-triggers.ts";
import { planReplay, type ReplayPlan } from "./plan-replay.ts";
import { refusal, refuseChanged, type Recording } from "./recording.ts";
import { recordReplay } from "./record-replay.ts";
import { findTriggers, readOutcome, reportReplay, type ReplayReport } from "./replay-report.ts";
import { tryInTransaction, type Trial } from "./trial-transaction.ts";

/** What a replay is done with. */
export interface ReplayOptions {
  readonly store: Store;
  readonly clientOf: (integrationId: string) => Promise<BitbucketClient>;
  /** Of an event that would make more, none is made (rule 30). */
  readonly maxTriggersPerEvent: number;
  /** False: a dry run. */
  readonly apply: boolean;
  /** Who replays, for the history of triggers and the audit log. */
  readonly by: string;
}

/** An event that was decided again, and what is to be done about it. */
interface Redecided {
  readonly decided: DecidedEvent;
  readonly plan: ReplayPlan;
}

/**
 * Decides the events of a delivery again, which are those that were recorded, and compares. Bitbucket is asked first;
 * everything else is one transaction, under the locks of their repositories.
 */
export async function decideAgain(
  events: readonly PendingEvent[],
  recording: Recording,
  options: ReplayOptions,
): Promise<ReplayReport> {
  const decided: DecidedEvent[] = [];
  for (const pending of events) decided.push(await decideOne(pending, options));
  return tryInTransaction(options.store, (tx) => replace(tx, decided, recording, options));
}

async function decideOne(pending: PendingEvent, options: ReplayOptions): Promise<DecidedEvent> {
  const { store, apply, maxTriggersPerEvent } = options;
  const clientOf = apply ? options.clientOf : withoutNews(options.clientOf);
  const { repositoryId } = pending;
  const targets =
    repositoryId === null
      ? []
      : ((await listTargetsByRepository(store, [repositoryId])).get(repositoryId) ?? []);
  // An event in its place moves no other.
  const enqueueRecovered = () => Promise.resolve();
  const decided = await resolveEvent({ pending, targets, store, clientOf, enqueueRecovered });
  if (decided === null) throw refusal("delivery_changed", `event ${pending.id} was changed: run this again`);
  return limitEvent(decided, maxTriggersPerEvent);
}

/** What Bitbucket tells of a pull request is stored where it is newer (rule 13): a dry run does not ask for it. */
function withoutNews(clientOf: ReplayOptions["clientOf"]): ReplayOptions["clientOf"] {
  return async (integrationId) => ({
    ...(await clientOf(integrationId)),
    getPullRequest: (_repository, number) =>
      Promise.reject(
        refusal(
          "pull_request_behind",
          `Bitbucket does not know the head that is stored of pull request ${String(number)}, so what is stored is behind: a dry run does not bring it up to date, \`--apply\` does`,
        ),
      ),
  });
}

async function replace(
  tx: Transaction,
  decided: readonly DecidedEvent[],
  recording: Recording,
  { apply, by }: ReplayOptions,
): Promise<Trial<ReplayReport>> {
  const deliveryId = recording.delivery.id;
  const repositoryIds = [...new Set(decided.flatMap(({ pending }) => pending.repositoryId ?? []))];
  await lockReplay(tx, deliveryId);
  await lockRepositories(tx, repositoryIds);
  // What nobody has had must stay so until its end is written.
  await lockOutClaims(tx);
  await refuseChanged(tx, recording);
  const before = await readOutcome(tx, deliveryId, repositoryIds);
  const standings = await findTriggers(tx, before.events);
  const redecided = decided.map((one): Redecided => {
    const was = decisionsOf(before.events, one.pending.id);
    return { decided: one, plan: planReplay({ before: was, now: one.decisions, triggers: standings }) };
  });
  await write(tx, redecided, by);
  const after = await readOutcome(tx, deliveryId, repositoryIds);
  const outlived = new Map(redecided.map((one) => [one.decided.pending.id, one.plan.outlived]));
  const report = await reportReplay(tx, { deliveryId, before, after, outlived, waiting: new Set() });
  const keep = apply && report.hasChanges;
  if (keep) await recordReplay(tx, recording, by);
  return { keep, result: { ...report, isApplied: keep } };
}

async function write(tx: Transaction, redecided: readonly Redecided[], by: string): Promise<void> {
  const changed = redecided.filter(({ plan }) => plan.takenBack.length > 0 || plan.written.length > 0);
  await takeBackDecisions(tx, {
    eventIds: changed.map(({ decided }) => decided.pending.id),
    decisionIds: changed.flatMap(({ plan }) => plan.takenBack),
  });
  await cancelReplayedTriggers(tx, { ids: changed.flatMap(({ plan }) => plan.ended), by });
  if (changed.length === 0) return;
  const wanted = changed.map(({ decided, plan }) => ({ ...decided, decisions: plan.written }));
  await writeDecided(tx, await bringBackTriggers(tx, wanted, by));
}

function decisionsOf(events: readonly EventReport[], id: string): EventReport["decisions"] {
  return events.find((event) => event.id === id)?.decisions ?? [];
}
