import type { Decision, Evidence } from "@sluice/domain/decide";
import type { NewDecision } from "@sluice/store/decisions";
import type { NewTrigger, TriggerRow } from "@sluice/store/triggers";

import type { DecidedEvent } from "../decide-event.ts";
import { placeReport, type Report, type ReportContext, type TriggerPlace } from "./place-reports.ts";

/** A decision on its way into the store, with the trigger that it asks for. */
export interface Draft {
  readonly decision: Omit<NewDecision, "triggerId" | "evidence"> & { readonly evidence: Evidence };
  readonly trigger: Omit<NewTrigger, "id"> | null;
  /** A person asked for the trigger: it is nobody's duplicate (rule 24). */
  readonly isForced?: boolean;
  /** A pull request event's: its commit is the pull request's present head. */
  readonly isReport?: boolean;
  /** A push that was told before: there is nothing for it to run (decision 5). */
  readonly isToldAgain?: boolean;
}

/** A draft whose trigger has its id. */
export interface NamedDraft extends Draft {
  readonly trigger: NewTrigger | null;
  /** Of a duplicate: the earlier trigger as it is from now on, if what becomes of that is to be judged anew. */
  readonly repeated?: RepeatedTrigger;
}

/** A trigger that stands for a duplicate. */
export type RepeatedTrigger = Pick<
  TriggerRow,
  | "id"
  | "eventId"
  | "targetId"
  | "runType"
  | "repositoryId"
  | "sourceRepositoryId"
  | "refName"
  | "commitSha"
  | "position"
  | "awaitsPush"
  | "standing"
>;

/** The reports among decided events. */
export function reportsOf(batch: readonly DecidedEvent[]): Report[] {
  return batch.flatMap((decided) => toReport(decided) ?? []);
}

/**
 * The decisions of events, in the order of the events. `context`: of those that are reports and run something. `toldAgain`:
 * ids of the events that are pushes which were told before.
 */
export function toDrafts(
  batch: readonly DecidedEvent[],
  context: ReportContext,
  toldAgain: ReadonlySet<string>,
): Draft[] {
  return batch
    .toSorted((a, b) => a.pending.sequence - b.pending.sequence)
    .flatMap((decided) =>
      toldAgain.has(decided.pending.id)
        ? draftsOf(decided, context).map((draft) => ({ ...draft, isToldAgain: true }))
        : draftsOf(decided, context),
    );
}

/** The decision, with the id of the trigger that it makes. */
export function withTriggerId({ decision, trigger }: NamedDraft): NewDecision {
  return { ...decision, triggerId: trigger?.id ?? null };
}

/** How many triggers each event makes, by event id. */
export function countTriggers(drafts: readonly Draft[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { trigger } of drafts) {
    if (trigger !== null) counts.set(trigger.eventId, (counts.get(trigger.eventId) ?? 0) + 1);
  }
  return counts;
}

function draftsOf(decided: DecidedEvent, context: ReportContext): Draft[] {
  const report = toReport(decided);
  return decided.decisions.map(({ targetId, decision }) => {
    if (report === null || targetId === null || decision.outcome === "ignore") {
      return toDraft(decided, targetId, decision, placePush(decided));
    }
    const placed = placeReport(report, context);
    if (placed.kind === "old") {
      const evidence = { ...decision.evidence, ...placed.decision.evidence };
      return toDraft(decided, targetId, { ...placed.decision, evidence }, null);
    }
    const { isForced } = report;
    return { ...toDraft(decided, targetId, decision, placed.place), isForced, isReport: true };
  });
}

function placePush({ pending, commitSha }: DecidedEvent): TriggerPlace | null {
  const { event, repositoryId, sequence: position } = pending;
  if (event.kind !== "push" || repositoryId === null) return null;
  // A tag moves no branch: each push of it is an arrival of its own (rule 31).
  const branchArrival = event.refKind === "tag" ? position : pending.branchArrival;
  if (branchArrival === null || commitSha === null) return null;
  const { refName, oldSha: baseSha } = event;
  const branch = { repositoryId, sourceRepositoryId: repositoryId, refName };
  return { ...branch, commitSha, baseSha, branchArrival, position, awaitsPush: false };
}

function toDraft(
  { pending: { id: eventId } }: DecidedEvent,
  targetId: string | null,
  decision: Decision,
  place: TriggerPlace | null,
): Draft {
  const { outcome, reason, evidence } = decision;
  const runType = outcome === "ignore" ? null : decision.runType;
  const isRun = targetId !== null && outcome === "trigger" && place !== null;
  return {
    decision: { eventId, targetId, outcome, runType, reason, evidence },
    trigger: isRun
      ? {
          eventId,
          targetId,
          runType: decision.runType,
          ...place,
          moduleVersion: decision.moduleVersion ?? null,
          changes: changesOf(evidence),
        }
      : null,
  };
}

/** What the scheduler is told of the changed files. */
function changesOf({ files }: Evidence): object {
  return files ?? { known: false, matched: [], total: 0, because: "the target has no project root" };
}

function toReport({ pending, commitSha, isForced = false }: DecidedEvent): Report | null {
  const { event, repositoryId, sourceRepositoryId, sequence } = pending;
  return event.kind === "pull_request"
    ? { event, repositoryId, sourceRepositoryId, commitSha, sequence, isForced }
    : null;
}
