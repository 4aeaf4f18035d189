/** `sluice apply`: reads files, shows what will change, asks, applies. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { AppError } from "@sluice/domain/app-error";
import { defineConfiguration, loadConfiguration } from "@sluice/runtime/configuration";
import { databaseVariables, encryptionVariables } from "@sluice/runtime/variables";
import { openStore, type Store } from "@sluice/store/client";

import { type CliContext, EXIT_CODES, type ExitCode } from "./cli-context.ts";
import type { ApplyOptions } from "./commands/apply.ts";
import {
  type Applied,
  applyDeclaration,
  type ApplyInput,
  planDeclaration,
} from "./declaration/apply-declaration.ts";
import { describePlan, formatPlan } from "./declaration/describe-plan.ts";
import { parseDeclaration, type Source } from "./declaration/parse-declaration.ts";
import { isEmptyPlan, type Plan } from "./declaration/plan.ts";
import { DeclarationError } from "./declaration/problem.ts";
import { findEnvironment } from "./running-environment.ts";
import { usageInvalid } from "./usage-error.ts";

const applyVariables = defineConfiguration({
  databaseUrl: databaseVariables.databaseUrl,
  keyring: encryptionVariables.keyring,
});

/** Ten thousand stacks take a few seconds; whoever waits for another apply needs its time too. */
const STATEMENT_TIMEOUT_MS = 300_000;

/**
 * Applies files. Exit code 3 when there are changes that were not applied: a dry run, a "no", or nobody to ask.
 * @throws DeclarationError (not with `json`, where problems are the output), AppError `usage_invalid`, ConfigurationError,
 * and as applyDeclaration.
 */
export async function applyFiles(options: ApplyOptions, context: CliContext): Promise<ExitCode> {
  if (options.by === "") throw usageInvalid("--by needs a name");
  try {
    const declaration = parseDeclaration(await readSources(options.file, context), context.environment);
    const { databaseUrl, keyring } = loadConfiguration(applyVariables, findEnvironment(context));
    const store = openStore({
      url: databaseUrl,
      maxConnections: 2,
      applicationName: "sluice-apply",
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    });
    try {
      return await applyTo(store, { declaration, keyring, prune: options.prune }, options, context);
    } finally {
      await store.close();
    }
  } catch (error) {
    if (!options.json || !(error instanceof DeclarationError)) throw error;
    context.print(`${JSON.stringify({ problems: error.problems }, null, 2)}\n`);
    return EXIT_CODES.invalid;
  }
}

async function applyTo(
  store: Store,
  input: ApplyInput,
  options: ApplyOptions,
  context: CliContext,
): Promise<ExitCode> {
  if (options.yes && !options.dryRun) {
    const applied = await applyDeclaration(store, { ...input, agreed: null, by: options.by });
    showPlan(applied.plan, options, context);
    showApplied(applied, options, context);
    return EXIT_CODES.done;
  }
  const plan = await planDeclaration(store, input);
  showPlan(plan, options, context);
  const agreed = isEmptyPlan(plan) || (await isAgreed(options, context));
  if (!agreed) {
    showApplied(null, options, context, plan);
    return EXIT_CODES.pending;
  }
  const applied = isEmptyPlan(plan)
    ? { plan, generated: [] }
    : await applyDeclaration(store, { ...input, agreed: plan, by: options.by });
  showApplied(applied, options, context);
  return EXIT_CODES.done;
}

async function isAgreed(
  options: ApplyOptions,
  { isInteractive, confirm, report }: CliContext,
): Promise<boolean> {
  if (options.dryRun) return false;
  if (isInteractive && !options.json) return confirm("Apply these changes? [y/N] ");
  report("Nothing was applied: there is nobody to ask. Run it with --yes.\n");
  return false;
}

/** `-` is standard input. */
async function readSources(
  files: readonly string[],
  { workingDirectory, readLines }: CliContext,
): Promise<Source[]> {
  return Promise.all(
    files.map(async (file) => {
      if (file === "-") return { file, text: await readAll(readLines()) };
      try {
        return { file, text: await readFile(resolve(workingDirectory, file), "utf8") };
      } catch (cause) {
        throw new AppError("file_unreadable", `cannot read ${file}`, { retry: "never", cause });
      }
    }),
  );
}

async function readAll(lines: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const line of lines) text += `${line}\n`;
  return text;
}

function showPlan(plan: Plan, { json }: ApplyOptions, { print }: CliContext): void {
  if (!json) print(formatPlan(plan));
}

/** As JSON everything is one object, at the end; `applied` is null where nothing was done. */
function showApplied(
  applied: Applied | null,
  { json }: ApplyOptions,
  { print }: CliContext,
  plan: Plan | undefined = applied?.plan,
): void {
  const generated = applied?.generated ?? [];
  if (json) {
    const changes = plan === undefined ? [] : describePlan(plan);
    const secrets = generated.map(({ integration, slug, secret }) => ({
      integration,
      endpoint: endpointOf(slug),
      webhook_secret: secret,
    }));
    const notes = plan?.notes ?? [];
    print(`${JSON.stringify({ applied: applied !== null, changes, notes, generated: secrets }, null, 2)}\n`);
    return;
  }
  if (applied === null || isEmptyPlan(applied.plan)) return;
  print("Applied.\n");
  for (const { integration, slug, secret } of generated) {
    print(
      `\nThe webhook secret of ${integration}, shown this once:\n  ${secret}\n` +
        `Its endpoint, below the address of your ingress:\n  ${endpointOf(slug)}\n`,
    );
  }
}

function endpointOf(slug: string): string {
  return `/webhooks/bitbucket-cloud/${slug}`;
}
