/** `sluice replay`: a stored delivery again, through the present rules. */
import { createBitbucketClients } from "@sluice/bitbucket/clients";
import { explain } from "@sluice/domain/explain";
import { credentialContext } from "@sluice/domain/secret-context";
import { type Configuration, defineConfiguration, loadConfiguration } from "@sluice/runtime/configuration";
import { databaseVariables, encryptionVariables } from "@sluice/runtime/variables";
import { createCallBudget } from "@sluice/store/call-budget";
import { type Database, openStore, type Store } from "@sluice/store/client";
import { findReferredEvents } from "@sluice/store/event-references";
import { findCredential } from "@sluice/store/integrations";
import { listTargetsNamed } from "@sluice/store/named-targets";
import { workerVariables } from "@sluice/worker/config";
import { replayDelivery } from "@sluice/worker/replay/replay-delivery";
import type { ReplayReport } from "@sluice/worker/replay/replay-report";

import { type CliContext, EXIT_CODES, type ExitCode } from "./cli-context.ts";
import type { ReplayCommandOptions } from "./commands/replay.ts";
import { describeEvent } from "./describe-event.ts";
import { describeReplay } from "./describe-replay.ts";
import { parseEventReference } from "./event-reference.ts";
import { findEnvironment } from "./running-environment.ts";
import { usageInvalid } from "./usage-error.ts";

/** What a worker needs to decide an event. */
const replayVariables = defineConfiguration({
  databaseUrl: databaseVariables.databaseUrl,
  keyring: encryptionVariables.keyring,
  bitbucketApiUrl: workerVariables.bitbucketApiUrl,
  maxTriggersPerEvent: workerVariables.maxTriggersPerEvent,
});

type ReplayConfiguration = Configuration<typeof replayVariables>;

/** As many events as are looked at to find their delivery: more than one has. */
const MAX_EVENTS = 1_000;

/**
 * Shows what a replay of a delivery changes; writes it with `apply`. Exit code 4 when there is no such delivery.
 * @throws AppError `usage_invalid` for what names no delivery, and for a target that does not exist; and what
 * `replayDelivery` throws.
 */
export async function replay(
  what: string,
  { apply, target, by, json }: ReplayCommandOptions,
  context: CliContext,
): Promise<ExitCode> {
  if (apply && target !== undefined) {
    throw usageInvalid("--target only shows less: --apply writes what changes for every stack and module");
  }
  if (by === "") throw usageInvalid("--by needs a name");
  const id = parseDeliveryReference(what);
  const configuration = loadConfiguration(replayVariables, findEnvironment(context));
  const store = openStore({
    url: configuration.databaseUrl,
    maxConnections: 4,
    applicationName: "sluice-replay",
  });
  try {
    if (target !== undefined) await refuseUnknownTarget(store, target);
    const deliveryId = await findDeliveryId(store, id);
    if (deliveryId === null) {
      context.report(`There is no delivery ${what}, and no request, event or trigger.\n`);
      return EXIT_CODES.notFound;
    }
    const report = await replayDelivery(deliveryId, {
      store,
      clientOf: createClients(store, configuration),
      maxTriggersPerEvent: configuration.maxTriggersPerEvent,
      apply,
      by,
    });
    const shown = target === undefined ? report : showOnly(report, target);
    context.print(json ? toJson(shown) : describeReplay(shown));
    return EXIT_CODES.done;
  } finally {
    await store.close();
  }
}

/** A commit or a branch has many deliveries. */
function parseDeliveryReference(what: string): string {
  const reference = parseEventReference(what);
  if (reference.kind === "id") return reference.id;
  throw usageInvalid(
    `${what} may stand for several deliveries: \`sluice explain ${what}\` lists them, give the id of one`,
  );
}

/** @throws AppError `usage_invalid` where several integrations had a request of this id. */
async function findDeliveryId(db: Database, id: string): Promise<string | null> {
  const { events } = await findReferredEvents(db, { kind: "id", id }, MAX_EVENTS);
  const [deliveryId, ...others] = new Set(events.map((event) => event.deliveryId));
  if (deliveryId === undefined) return null;
  if (others.length === 0) return deliveryId;
  throw usageInvalid(
    `${id} is a request of several deliveries: give the id of one of ${[deliveryId, ...others].join(", ")}`,
  );
}

async function refuseUnknownTarget(db: Database, name: string): Promise<void> {
  if ((await listTargetsNamed(db, name)).length === 0) throw usageInvalid(`there is no target ${name}`);
}

/** In the same budget as the workers. */
function createClients(store: Store, { keyring, bitbucketApiUrl }: ReplayConfiguration) {
  const clients = createBitbucketClients({
    findCredential: (integrationId) => findCredential(store, integrationId),
    budget: createCallBudget(store),
    baseUrl: bitbucketApiUrl,
    decryptCredential: ({ id, ciphertext }) => keyring.decrypt(ciphertext, credentialContext(id)),
    onCall: () => undefined,
  });
  return (integrationId: string) => clients.of(integrationId);
}

/** Without what concerns other targets. */
function showOnly(report: ReplayReport, target: string): ReplayReport {
  const events = report.events.map((replayed) => ({
    ...replayed,
    changes: replayed.changes.filter((change) => change.target === null || change.target.name === target),
  }));
  return { ...report, events };
}

/** The shape is that of docs/cli.md: fields are only added to it. */
function toJson(report: ReplayReport): string {
  const events = report.events.map((replayed) => ({
    words: describeEvent(replayed),
    ...replayed,
    changes: replayed.changes.map(({ before, after, ...change }) => ({
      ...change,
      before: before === null ? null : { ...before, sentence: explain(before) },
      after: { ...after, sentence: explain(after) },
    })),
  }));
  return `${JSON.stringify({ ...report, events }, null, 2)}\n`;
}
