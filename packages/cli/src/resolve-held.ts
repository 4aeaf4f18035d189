/** `sluice resolve`: what a person says about an event whose changed files nobody knows. */
import { defineConfiguration, loadConfiguration } from "@sluice/runtime/configuration";
import { databaseVariables } from "@sluice/runtime/variables";
import { openStore } from "@sluice/store/client";
import { type HeldChoice, resolveHeldEvent } from "@sluice/worker/write/resolve-held";
import { z } from "zod";

import { type CliContext, EXIT_CODES, type ExitCode } from "./cli-context.ts";
import type { ResolveOptions } from "./commands/resolve.ts";
import { findEnvironment } from "./running-environment.ts";
import { usageInvalid } from "./usage-error.ts";

const resolveVariables = defineConfiguration({ databaseUrl: databaseVariables.databaseUrl });

/** Settles the held decisions of an event. Exit code 1 when it has none. @throws AppError `usage_invalid`. */
export async function resolveHeld(
  eventId: string,
  options: ResolveOptions,
  context: CliContext,
): Promise<ExitCode> {
  if (!z.uuid().safeParse(eventId).success) throw usageInvalid(`${eventId} is not the id of an event`);
  if (options.by === "") throw usageInvalid("--by needs a name");
  const choice = readChoice(options);
  const { databaseUrl } = loadConfiguration(resolveVariables, findEnvironment(context));
  const store = openStore({ url: databaseUrl, maxConnections: 2, applicationName: "sluice-resolve" });
  try {
    const settled = await resolveHeldEvent(store, { eventId, choice, by: options.by });
    if (options.json) {
      context.print(`${JSON.stringify(settled, null, 2)}\n`);
    } else {
      for (const { target, reason, triggerId } of settled) {
        context.print(`${target}: ${triggerId === null ? reason : `trigger ${triggerId}`}\n`);
      }
    }
    if (settled.length > 0) return EXIT_CODES.done;
    context.report(`Nothing of the event ${eventId} is held.\n`);
    return EXIT_CODES.failed;
  } finally {
    await store.close();
  }
}

function readChoice({ all, none, targets }: ResolveOptions): HeldChoice {
  const given = [all, none, targets !== undefined].filter(Boolean).length;
  if (given !== 1) throw usageInvalid("give one of --all, --none and --targets");
  if (targets !== undefined) return { kind: "targets", names: targets };
  return { kind: all ? "all" : "none" };
}
