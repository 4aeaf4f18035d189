/** `sluice explain --input`: what a policy is given of an event and a target. */
import { toDecisionInput } from "@sluice/domain/decision-input";
import type { PullRequestEvent, PushEvent } from "@sluice/domain/event";
import type { Target } from "@sluice/domain/target";
import { defineConfiguration, loadConfiguration } from "@sluice/runtime/configuration";
import { findNearestName } from "@sluice/runtime/nearest-name";
import { databaseVariables } from "@sluice/runtime/variables";
import { type Database, openStore } from "@sluice/store/client";
import { findDecisionContexts } from "@sluice/store/decision-context";
import { findReferredEvents } from "@sluice/store/event-references";
import { findRecordedEvent } from "@sluice/store/pending-events";
import { listTargetsByRepository } from "@sluice/store/targets";

import { type CliContext, EXIT_CODES, type ExitCode } from "./cli-context.ts";
import { parseEventReference } from "./event-reference.ts";
import { findEnvironment } from "./running-environment.ts";
import { usageInvalid } from "./usage-error.ts";

const inputVariables = defineConfiguration({ databaseUrl: databaseVariables.databaseUrl });

/** Evidence keeps the files that concern a target, and at most 50 of them: a policy would be given them all. */
const FILES_NOT_KEPT = {
  kind: "unknown",
  because: "the list of changed files is not kept: a policy is given it when the event is decided",
} as const;

/** An event that a policy can be asked about. */
interface AskedEvent {
  readonly event: PushEvent | PullRequestEvent;
  readonly repositoryId: string;
}

/**
 * Prints the document of the newest event that `what` names and of the target; one for each, where several targets of its
 * repository have that name. Exit code 4 when there is no such event, or none that a policy is asked about.
 * @throws AppError `usage_invalid` for what names no event, and for a target that its repository has not.
 */
export async function explainInput(what: string, name: string, context: CliContext): Promise<ExitCode> {
  const reference = parseEventReference(what);
  const { databaseUrl } = loadConfiguration(inputVariables, findEnvironment(context));
  const store = openStore({ url: databaseUrl, maxConnections: 2, applicationName: "sluice-explain" });
  try {
    const { events, hasMore } = await findReferredEvents(store, reference, 1);
    const [newest] = events;
    if (newest === undefined) {
      context.report(`Nothing is known of ${what}: \`sluice explain\` says what may be the matter.\n`);
      return EXIT_CODES.notFound;
    }
    const asked = newest.eventId === null ? null : await findAskedEvent(store, newest.eventId);
    if (asked === null) {
      context.report(`No policy is asked about ${what}: \`sluice explain\` says what came of it.\n`);
      return EXIT_CODES.notFound;
    }
    context.print(await describeInputs(store, asked, name));
    if (hasMore) context.report(`This is the newest of several events, ${newest.eventId ?? ""}.\n`);
    return EXIT_CODES.done;
  } finally {
    await store.close();
  }
}

async function findAskedEvent(db: Database, id: string): Promise<AskedEvent | null> {
  const recorded = await findRecordedEvent(db, id);
  if (recorded === null || recorded.repositoryId === null) return null;
  const { event, repositoryId } = recorded;
  return event.kind === "unsupported" ? null : { event, repositoryId };
}

async function describeInputs(db: Database, asked: AskedEvent, name: string): Promise<string> {
  const { event, repositoryId } = asked;
  const all = (await listTargetsByRepository(db, [repositoryId])).get(repositoryId) ?? [];
  const targets = all.filter((target) => target.name === name);
  if (targets.length === 0) throw noSuchTarget(event.repository.fullName, name, all);
  const contexts = await findDecisionContexts(
    db,
    asked,
    targets.map(({ id }) => id),
  );
  return targets
    .flatMap((target) => {
      const known = contexts.get(target.id);
      return known === undefined
        ? []
        : `${JSON.stringify(toDecisionInput(event, target, { ...known, files: FILES_NOT_KEPT }), null, 2)}\n`;
    })
    .join("");
}

function noSuchTarget(repository: string, name: string, all: readonly Target[]) {
  const nearest = findNearestName(name, new Set(all.map((target) => target.name)));
  const meant = nearest === null ? "" : ` (did you mean ${nearest}?)`;
  return usageInvalid(`${repository} has no target ${name}${meant}`);
}
