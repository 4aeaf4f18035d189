/** What became of an event, in words: what `sluice explain` prints. */
import type { Evidence } from "@sluice/domain/decide";
import { describeWaits, type EventWaits } from "@sluice/domain/event-waits";
import { explain } from "@sluice/domain/explain";
import type { EventExplanation, ExplainedDecision } from "@sluice/store/event-explanations";
import type { NamedTarget } from "@sluice/store/named-targets";

import { describeEvent, describePullRequestFacts, shortenHashes } from "./describe-event.ts";
import { describeHistory, describeStanding } from "./describe-trigger.ts";
import { toOneLine } from "./one-line.ts";

/** As many files as a person is shown; the others are in the JSON. */
const MAX_FILES = 5;

/** The lines about one event. `targets`: those that were asked for, null when all were. */
export function describeExplanation(
  explanation: EventExplanation,
  waits: EventWaits | null,
  targets: readonly NamedTarget[] | null,
): string {
  const { event, decisions, hasMoreDecisions } = explanation;
  const lines = [
    describeEvent(explanation),
    ...describeOrigin(explanation),
    ...describeUndecided(explanation, waits),
    ...decisions.flatMap((decision) => describeDecision(decision, event?.id ?? "")),
    ...describeAbsence(explanation, targets),
    ...(hasMoreDecisions ? ["  … and more decisions: --target <name> shows that of one target"] : []),
  ];
  return lines.map((line) => `${toOneLine(line)}\n`).join("");
}

function describeOrigin({ delivery, event }: EventExplanation): string[] {
  const { id, receivedAt, recordedAt } = delivery;
  const decided = event === null || event.decidedAt === null ? "" : `, decided ${event.decidedAt}`;
  const ids = event === null ? `delivery ${id}` : `event ${event.id}, delivery ${id}`;
  return [
    `  ${ids}`,
    `  ${describeSource(delivery)}`,
    `  received ${receivedAt}, recorded ${recordedAt}${decided}`,
    ...(event === null ? [] : describePullRequestFacts(event).map((line) => `  ${line}`)),
    ...(event?.isToldAgain === true ? ["  the same hook had told this push before: it counts once"] : []),
  ];
}

function describeSource(delivery: EventExplanation["delivery"]): string {
  const { source, requestId, eventKey, attempt, integration } = delivery;
  return source === "sweep"
    ? `found by a sweep through the integration ${integration.name}: no webhook told of it`
    : `${eventKey} through the integration ${integration.name}, request ${requestId}, attempt ${String(attempt)}`;
}

function describeUndecided({ event }: EventExplanation, waits: EventWaits | null): string[] {
  if (event === null || event.decidedAt !== null) return [];
  return [waits === null ? "  decided just now: ask again" : `  not decided yet: it ${describeWaits(waits)}`];
}

function describeDecision(decision: ExplainedDecision, eventId: string): string[] {
  const { target, trigger, insteadOf, evidence, reason } = decision;
  const name = target === null ? "" : `${target.kind} ${target.name} (space ${target.space}): `;
  const lines = [`  ${name}${explain(decision)}`];
  lines.push(...describePullRequestEvidence(decision).map((line) => `    ${line}`));
  const files = describeFiles(evidence.files);
  if (files !== null) lines.push(`    ${files}`);
  if (reason === "held" && target !== null) {
    lines.push(`    to settle it: sluice resolve ${eventId} --targets ${target.name}`);
  }
  if (insteadOf !== null) {
    const { runType, refName, commitSha } = insteadOf;
    lines.push(
      `    that trigger: ${runType}, of ${refName} at ${shortenHashes(commitSha)}, made by event ${insteadOf.eventId}; it is ${describeStanding(insteadOf)}`,
    );
  }
  if (trigger !== null) {
    lines.push(`    trigger ${trigger.id}: ${describeStanding(trigger)}`);
    lines.push(`    history: ${describeHistory(trigger)}`);
  }
  return lines;
}

/** Only what the decision's sentence does not say. */
function describePullRequestEvidence({ evidence, reason }: ExplainedDecision): string[] {
  const { command, fork, mergeSha } = evidence;
  const isCommandTold = reason === "triggered" || reason === "command_refused";
  const because = command?.because === undefined || reason === "not_a_command" ? "" : `: ${command.because}`;
  return [
    ...(command === undefined || isCommandTold ? [] : [`command: ${command.text}${because}`]),
    ...(fork === undefined || reason === "fork_not_allowed"
      ? []
      : [`from the fork ${fork.fullName ?? "that is gone"}`]),
    ...(mergeSha === undefined || reason === "duplicate"
      ? []
      : [`merged as ${shortenHashes(mergeSha)}: what its push meant counts`]),
  ];
}

/** Only what the decision's sentence does not say: the files after the first, and what was compared. */
function describeFiles(files: Evidence["files"]): string | null {
  if (files === undefined || !files.known) return null;
  const paths = files.matched.slice(0, MAX_FILES).map(({ path }) => path);
  const others = files.total - paths.length;
  const listed =
    paths.length < 2 ? null : `files: ${paths.join(", ")}${others > 0 ? ` and ${String(others)} more` : ""}`;
  const compared = files.compared === undefined ? null : `compared ${shortenHashes(files.compared)}`;
  const said = [listed, compared].filter((part) => part !== null);
  return said.length === 0 ? null : said.join("; ");
}

/** Why a target that was asked for has no decision of a decided event. */
function describeAbsence(
  { event, decisions }: EventExplanation,
  targets: readonly NamedTarget[] | null,
): string[] {
  if (targets === null || event === null || event.decidedAt === null || event.repositoryId === null)
    return [];
  const { decidedAt } = event;
  return targets
    .filter(({ id, removedAt }) => removedAt === null && decisions.every(({ target }) => target?.id !== id))
    .map(({ kind, name, space, repository, repositoryId, createdAt }) => {
      const because =
        repositoryId !== event.repositoryId
          ? `it is a target of ${repository}`
          : createdAt > decidedAt
            ? `it was made ${createdAt}`
            : "it was not a target of this repository then";
      return `  ${kind} ${name} (space ${space}): no decision, ${because}`;
    });
}
