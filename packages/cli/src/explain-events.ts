/** `sluice explain`: what became of a push or a pull request, and why nothing ran. */
import type { EventWaits } from "@sluice/domain/event-waits";
import { explain as explainDecision } from "@sluice/domain/explain";
import { defineConfiguration, loadConfiguration } from "@sluice/runtime/configuration";
import { findNearestName } from "@sluice/runtime/nearest-name";
import { databaseVariables } from "@sluice/runtime/variables";
import { type Database, openStore } from "@sluice/store/client";
import { type DecisionChoice, type EventExplanation, explainEvents } from "@sluice/store/event-explanations";
import {
  type EventReference,
  findReferredEvents,
  findRepositoryStanding,
  type ReferredEvent,
} from "@sluice/store/event-references";
import { findEventWaits } from "@sluice/store/event-waits";
import { listTargetNames, listTargetsNamed, type NamedTarget } from "@sluice/store/named-targets";

import { type CliContext, EXIT_CODES, type ExitCode } from "./cli-context.ts";
import type { ExplainOptions } from "./commands/explain.ts";
import { describeEvent } from "./describe-event.ts";
import { describeExplanation } from "./describe-explanation.ts";
import { parseEventReference } from "./event-reference.ts";
import { findEnvironment } from "./running-environment.ts";
import { usageInvalid } from "./usage-error.ts";

const explainVariables = defineConfiguration({ databaseUrl: databaseVariables.databaseUrl });

/** As many names as are offered for a mistyped one. */
const MAX_NEAR_NAMES = 3;

/** An event, with what it waits for; null when it is decided. */
interface Explained {
  readonly explanation: EventExplanation;
  readonly waits: EventWaits | null;
}

/**
 * Explains the events that `what` names, the newest first. Exit code 4 when there is none.
 * @throws AppError `usage_invalid` for what names no event, and for a target that does not exist.
 */
export async function explain(
  what: string,
  { target, limit, json }: ExplainOptions,
  context: CliContext,
): Promise<ExitCode> {
  const reference = parseEventReference(what);
  const { databaseUrl } = loadConfiguration(explainVariables, findEnvironment(context));
  const store = openStore({ url: databaseUrl, maxConnections: 4, applicationName: "sluice-explain" });
  try {
    const targets = target === undefined ? null : await findTargets(store, target);
    const { events, hasMore } = await findReferredEvents(store, reference, limit);
    const explained = await explainAll(store, events, targets);
    context.print(json ? toJson(explained, hasMore) : toText(explained, targets));
    if (hasMore) context.report(`There are more than these ${String(limit)}: --limit shows up to 100.\n`);
    if (explained.length > 0) return EXIT_CODES.done;
    context.report(`Nothing is known of ${what}.\n${await adviseWhereToLook(store, reference)}\n`);
    return EXIT_CODES.notFound;
  } finally {
    await store.close();
  }
}

async function findTargets(db: Database, name: string): Promise<readonly NamedTarget[]> {
  const targets = await listTargetsNamed(db, name);
  if (targets.length > 0) return targets;
  const near = findNearNames(name, await listTargetNames(db));
  const meant = near.length === 0 ? "" : ` (did you mean ${near.join(", or ")}?)`;
  throw usageInvalid(`there is no target ${name}${meant}`);
}

/** The nearest first. */
function findNearNames(name: string, known: readonly string[]): string[] {
  const left = new Set(known);
  const near: string[] = [];
  while (near.length < MAX_NEAR_NAMES) {
    const nearest = findNearestName(name, left);
    if (nearest === null) break;
    left.delete(nearest);
    near.push(nearest);
  }
  return near;
}

async function explainAll(
  db: Database,
  referred: readonly ReferredEvent[],
  targets: readonly NamedTarget[] | null,
): Promise<Explained[]> {
  const choice: DecisionChoice =
    targets === null ? { kind: "all" } : { kind: "targets", ids: targets.map(({ id }) => id) };
  const explained: Explained[] = [];
  for (const explanation of await explainEvents(db, referred, choice)) {
    const { event } = explanation;
    const isDecided = event === null || event.decidedAt !== null;
    explained.push({ explanation, waits: isDecided ? null : await findEventWaits(db, event.id) });
  }
  return explained;
}

function toText(explained: readonly Explained[], targets: readonly NamedTarget[] | null): string {
  return explained
    .map(({ explanation, waits }) => describeExplanation(explanation, waits, targets))
    .join("\n");
}

/** The shape is that of docs/cli.md: fields are only added to it. */
function toJson(explained: readonly Explained[], hasMore: boolean): string {
  const found = explained.map(({ explanation, waits }) => ({
    words: describeEvent(explanation),
    ...explanation,
    waits,
    decisions: explanation.decisions.map((decision) => ({
      ...decision,
      sentence: explainDecision(decision),
    })),
  }));
  return `${JSON.stringify({ found, hasMore }, null, 2)}\n`;
}

const NOT_HERE = `Does Bitbucket's request history of the webhook show it, with the answer 202? Then it is not recorded yet, or failed on
its way (\`sluice queue failed\`), or is older than what is kept here. If not, \`sluice sweep\` looks for what Bitbucket never
told of.`;

async function adviseWhereToLook(db: Database, reference: EventReference): Promise<string> {
  switch (reference.kind) {
    case "id":
      return `It is no delivery, request, event or trigger.\n${NOT_HERE}`;
    case "commit":
      return `Only the commit that a push ended with, or that was the head of a pull request, is found: for one before it, ask for workspace/repository@branch.\n${NOT_HERE}`;
    case "branch":
      return `${await adviseAboutRepository(db, reference.repository, `a push to ${reference.branch}: are pushes among its events?`)}\n${NOT_HERE}`;
    case "pull_request":
      return `${await adviseAboutRepository(db, reference.repository, `pull request ${String(reference.number)}: are pull requests among its events?`)}\n${NOT_HERE}`;
  }
}

/** `what`: what none of its webhooks told of, and what may be the matter then. */
async function adviseAboutRepository(db: Database, repository: string, what: string): Promise<string> {
  const standing = await findRepositoryStanding(db, repository);
  if (standing === null) return `No webhook ever told of ${repository}, and no target names it.`;
  if (!standing.isSeen)
    return `No webhook ever told of ${repository}: has it one, with this Sluice's endpoint?`;
  return `Webhooks of ${repository} came, and none told of ${what}`;
}
