/** `sluice trigger`: what a person does to a trigger, against or in place of its holder. */
import { AppError } from "@sluice/domain/app-error";
import { SLOT_STATES } from "@sluice/domain/trigger";
import { defineConfiguration, loadConfiguration } from "@sluice/runtime/configuration";
import { databaseVariables } from "@sluice/runtime/variables";
import { insertAuditEntries } from "@sluice/store/audit-log";
import { type Database, openStore } from "@sluice/store/client";
import { type Transaction, withTransaction } from "@sluice/store/transaction";
import { cancelTrigger, endTrigger, type InterventionOutcome } from "@sluice/store/trigger-interventions";
import { findTriggerOwner } from "@sluice/store/trigger-spaces";
import { z } from "zod";

import { type CliContext, EXIT_CODES, type ExitCode } from "./cli-context.ts";
import type { CancelOptions, EndOptions } from "./commands/trigger.ts";
import { findEnvironment } from "./running-environment.ts";

const triggerVariables = defineConfiguration({ databaseUrl: databaseVariables.databaseUrl });

/**
 * Cancels a trigger, or asks its holder to stop.
 * @throws AppError `usage_invalid`, `trigger_not_found`, `trigger_ended`.
 */
export async function cancel(
  id: string,
  { by, json }: CancelOptions,
  context: CliContext,
): Promise<ExitCode> {
  const audit = { action: "trigger.canceled", details: { by } };
  return intervene({ id, by, json, audit }, context, (tx) => cancelTrigger(tx, { id, by }));
}

/**
 * Ends a run in place of its holder.
 * @throws AppError as cancel, `trigger_not_held` for one that was not handed out, `trigger_held` while its lease runs.
 */
export async function end(
  id: string,
  { json, ...options }: EndOptions,
  context: CliContext,
): Promise<ExitCode> {
  const { by, result, force } = options;
  const audit = { action: "trigger.ended", details: { by, result, force } };
  return intervene({ id, by, json, audit }, context, (tx) => endTrigger(tx, { id, ...options }));
}

interface Intervention {
  readonly id: string;
  readonly by: string;
  readonly json: boolean;
  /** As the API writes it. */
  readonly audit: { readonly action: string; readonly details: Readonly<Record<string, unknown>> };
}

async function intervene(
  { id, by, json, audit }: Intervention,
  context: CliContext,
  act: (tx: Database) => Promise<InterventionOutcome>,
): Promise<ExitCode> {
  if (!z.guid().safeParse(id).success) throw failure("usage_invalid", `${id} is not the id of a trigger`);
  if (by === "") throw failure("usage_invalid", "--by needs a name");
  const { databaseUrl } = loadConfiguration(triggerVariables, findEnvironment(context));
  const store = openStore({ url: databaseUrl, maxConnections: 2, applicationName: "sluice-trigger" });
  try {
    const { state, cancelRequested, leaseExpiresAt } = await withTransaction(store, async (tx) => {
      const accepted = acceptedOutcome(id, await act(tx));
      await record(tx, { id, by, audit });
      return accepted;
    });
    const isHeld = SLOT_STATES.some((held) => held === state);
    const asked = isHeld ? "; its holder is asked to stop" : "";
    context.print(
      json
        ? `${JSON.stringify({ id, state, cancelRequested, leaseExpiresAt })}\n`
        : `${id}: ${state}${asked}\n`,
    );
    return EXIT_CODES.done;
  } finally {
    await store.close();
  }
}

async function record(
  tx: Transaction,
  { id, by, audit: { action, details } }: Pick<Intervention, "id" | "by" | "audit">,
): Promise<void> {
  const owner = await findTriggerOwner(tx, id);
  const actor = { kind: "command_line", keyId: null, name: by, address: null } as const;
  const subject = { kind: "trigger", id, name: owner?.targetName ?? "" };
  await insertAuditEntries(tx, actor, [{ action, subject, spaceId: owner?.spaceId ?? null, details }]);
}

function acceptedOutcome(id: string, outcome: InterventionOutcome) {
  switch (outcome.kind) {
    case "ok":
      return outcome;
    case "not_found":
      throw failure("trigger_not_found", `there is no trigger ${id}`);
    case "still_held": {
      const { state, holder, leaseExpiresAt } = outcome;
      const who = holder ?? "its holder";
      throw failure(
        "trigger_held",
        `${id} is ${state}, and the lease of ${who} lasts until ${leaseExpiresAt}: cancel it, or give --force`,
      );
    }
    case "conflict":
      if (outcome.state === "blocked" || outcome.state === "queued") {
        throw failure("trigger_not_held", `${id} is ${outcome.state}, nobody runs it: cancel it`);
      }
      throw failure("trigger_ended", `${id} is ${outcome.state}`);
  }
}

function failure(code: string, message: string): AppError {
  return new AppError(code, message, { retry: "never" });
}
