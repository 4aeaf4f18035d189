/** `sluice trigger`: what a person does to a trigger, against or in place of its holder. */
import { AppError } from "@sluice/domain/app-error";
import { SLOT_STATES } from "@sluice/domain/trigger";
import { defineConfiguration, loadConfiguration } from "@sluice/runtime/configuration";
import { databaseVariables } from "@sluice/runtime/variables";
import { openStore, type Store } from "@sluice/store/client";
import { cancelTrigger, endTrigger, type InterventionOutcome } from "@sluice/store/trigger-interventions";
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
  return intervene({ id, by, json }, context, (store) => cancelTrigger(store, { id, by }));
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
  return intervene({ id, by: options.by, json }, context, (store) => endTrigger(store, { id, ...options }));
}

async function intervene(
  { id, by, json }: { readonly id: string; readonly by: string; readonly json: boolean },
  context: CliContext,
  act: (store: Store) => Promise<InterventionOutcome>,
): Promise<ExitCode> {
  if (!z.guid().safeParse(id).success) throw failure("usage_invalid", `${id} is not the id of a trigger`);
  if (by === "") throw failure("usage_invalid", "--by needs a name");
  const { databaseUrl } = loadConfiguration(triggerVariables, findEnvironment(context));
  const store = openStore({ url: databaseUrl, maxConnections: 2, applicationName: "sluice-trigger" });
  try {
    const { state, cancelRequested, leaseExpiresAt } = acceptedOutcome(id, await act(store));
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
