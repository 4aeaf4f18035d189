import { AppError } from "@sluice/domain/app-error";
import type { Evidence, IgnoreDecision } from "@sluice/domain/decide";
import { insertAuditEntries, type AuditEntry } from "@sluice/store/audit-log";
import { listBranchTriggers, type TargetedBranch } from "@sluice/store/branch-triggers";
import { applyVerdicts } from "@sluice/store/trigger-ends";
import type { Store } from "@sluice/store/client";
import {
  findRepositoryOfEvent,
  listHeldDecisions,
  settleHeldDecision,
  type HeldDecision,
} from "@sluice/store/held-decisions";
import { lockRepositories } from "@sluice/store/repositories";
import { withTransaction, type Transaction } from "@sluice/store/transaction";
import { insertTriggers, lockOutClaims, type NewTrigger } from "@sluice/store/triggers";

import { findModuleVersions, refuseModuleVersions } from "./check-module-versions.ts";
import { withTriggerId, type Draft, type NamedDraft } from "./draft.ts";
import { judgeBranches } from "./judge-branches.ts";
import { markDuplicates } from "./mark-duplicates.ts";
import {
  findReportContext,
  placeReport,
  type Report,
  type ReportContext,
  type ReportPlace,
} from "./place-reports.ts";

/** Which held targets of an event are to run; the others are not. */
export type HeldChoice =
  | { readonly kind: "all" }
  | { readonly kind: "none" }
  | { readonly kind: "targets"; readonly names: readonly string[] };

/** What became of one held decision. */
export interface SettledTarget {
  readonly target: string;
  readonly outcome: "trigger" | "ignore";
  readonly reason: string;
  readonly triggerId: string | null;
}

/**
 * Does what a person says about an event whose changed files could not be known (rule 17). A target is left alone when a
 * newer commit of it was handed out meanwhile: its decision becomes `stale` (rule 14). A proposed trigger after which
 * something came is made, and superseded or canceled at once; of a pull request that has another head by now, or is over,
 * none is made, and no module is given a version that is not above its last. Each has a row in the audit log.
 * @returns what became of each decision that was held; empty when none was.
 * @throws AppError `target_not_held` for a name that is not among them; nothing is written then.
 */
export async function resolveHeldEvent(
  store: Store,
  input: { readonly eventId: string; readonly choice: HeldChoice; readonly by: string },
): Promise<SettledTarget[]> {
  const { eventId, choice, by } = input;
  return withTransaction(store, async (tx) => {
    const repositoryId = await findRepositoryOfEvent(tx, eventId);
    if (repositoryId === null) return [];
    await lockRepositories(tx, [repositoryId]);
    // A claim with an older snapshot could hand out the later commit after it was asked whether one was handed out.
    await lockOutClaims(tx);
    const held = await listHeldDecisions(tx, eventId);
    refuseUnknownNames(choice, held);
    const context = await findReportContext(
      tx,
      held.flatMap((decision) => toReport(decision) ?? []),
    );
    const drafts = await checkHeld(
      tx,
      held.map((decision) => toDraft(decision, isChosen(choice, decision.targetName), by, context)),
    );
    const triggers = drafts.flatMap(({ trigger }) => trigger ?? []);
    const repeated = drafts.flatMap((draft) => draft.repeated ?? []);
    const [branch] = [...triggers, ...repeated].map(toBranch);
    const branches = await listBranchTriggers(tx, branch === undefined ? [] : [branch], []);
    await insertTriggers(tx, triggers, by);
    await applyVerdicts(tx, judgeBranches(branches, drafts));
    const settled: SettledTarget[] = [];
    const audit: AuditEntry[] = [];
    for (const [place, { id, targetName, spaceId }] of held.entries()) {
      const draft = drafts[place];
      if (draft === undefined) continue;
      const { outcome, runType, reason, evidence, triggerId } = withTriggerId(draft);
      if (outcome === "hold") continue;
      await settleHeldDecision(tx, { id, outcome, runType, reason, evidence, triggerId });
      settled.push({ target: targetName, outcome, reason, triggerId });
      const subject = { kind: "decision", id, name: targetName };
      const details = { event_id: eventId, outcome, reason, trigger_id: triggerId };
      audit.push({ action: "decision.resolved", subject, spaceId, details });
    }
    // Only the command line asks for it.
    await insertAuditEntries(tx, { kind: "command_line", keyId: null, name: by, address: null }, audit);
    return settled;
  });
}

/** Which of the triggers are to be made: not the duplicates, and no module's version that was given meanwhile. */
async function checkHeld(tx: Transaction, drafts: readonly Draft[]): Promise<NamedDraft[]> {
  const unique = await markDuplicates(tx, drafts);
  return refuseModuleVersions(unique, await findModuleVersions(tx, drafts));
}

/** They are of one event, and so of one branch. */
function toBranch({
  repositoryId,
  sourceRepositoryId,
  refName: name,
}: Pick<NewTrigger, "repositoryId" | "sourceRepositoryId" | "refName">): TargetedBranch {
  return { repositoryId, sourceRepositoryId, name };
}

/** A mistyped name must not pass for "do not run". */
function refuseUnknownNames(choice: HeldChoice, held: readonly HeldDecision[]): void {
  if (choice.kind !== "targets") return;
  const unknown = choice.names.filter((name) => !held.some(({ targetName }) => targetName === name));
  if (unknown.length === 0) return;
  throw new AppError("target_not_held", `not held for this event: ${unknown.join(", ")}`, { retry: "never" });
}

function isChosen(choice: HeldChoice, name: string): boolean {
  return choice.kind === "all" || (choice.kind === "targets" && choice.names.includes(name));
}

function toDraft(held: HeldDecision, chosen: boolean, by: string, context: ReportContext): Draft {
  const evidence: Evidence = { ...held.evidence, resolvedBy: by };
  const common = { eventId: held.eventId, targetId: held.targetId };
  const ignored = (reason: IgnoreDecision["reason"], because: Evidence = {}): Draft => ({
    decision: { ...common, evidence: { ...evidence, ...because }, outcome: "ignore", runType: null, reason },
    trigger: null,
  });
  if (!chosen) return ignored("outside_project_root");
  if (held.isStale) return ignored("stale");
  const report = toReport(held);
  const placed = report === null ? placePush(held) : placeReport(report, context);
  if (placed.kind === "old") return ignored(placed.decision.reason, placed.decision.evidence);
  const { runType } = held;
  return {
    decision: { ...common, evidence, outcome: "trigger", runType, reason: "triggered" },
    trigger: {
      ...common,
      runType,
      ...placed.place,
      // Read from the commit when it was decided (rule 31).
      moduleVersion: held.evidence.moduleVersion?.version ?? null,
      changes: held.evidence.files ?? { known: false, matched: [], total: 0 },
    },
    isForced: report?.isForced ?? false,
    isReport: report !== null,
  };
}

function placePush({ of, repositoryId, newSha: commitSha, sequence: position }: HeldDecision): ReportPlace {
  if (of.kind !== "push") throw new Error("a report is placed by its pull request");
  const { refName, oldSha: baseSha, branchArrival } = of;
  const branch = { repositoryId, sourceRepositoryId: repositoryId, refName };
  const place = { ...branch, commitSha, baseSha, branchArrival, position, awaitsPush: false };
  return { kind: "placed", place };
}

function toReport({ of, repositoryId, newSha: commitSha, sequence }: HeldDecision): Report | null {
  if (of.kind === "push") return null;
  const { event, sourceRepositoryId } = of;
  // Only a command runs anything for a comment.
  const isForced = event.action === "commented";
  return { event, repositoryId, sourceRepositoryId, commitSha, sequence, isForced };
}
