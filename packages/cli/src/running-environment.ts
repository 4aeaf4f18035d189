/** How a command finds the embedded Sluice that runs in the same folder: a file that its process writes and removes. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { defaultDataDirectory } from "@sluice/embedded/data-directory";
import { identifyProcess, isProcessAlive, parseProcessIdentity } from "@sluice/embedded/process-identity";
import { defineConfiguration, type Environment, loadConfiguration } from "@sluice/runtime/configuration";
import { text } from "@sluice/runtime/configuration-values";

import type { CliContext } from "./cli-context.ts";

/** Where an embedded Sluice keeps everything: `dataDirectory`. */
export const embeddedVariables = defineConfiguration({
  dataDirectory: {
    name: "SLUICE_DATA_DIRECTORY",
    schema: text("a folder"),
    description:
      "Where `--embedded` keeps the database and the keys; `.sluice` in the present folder when unset.",
    optional: true,
  },
});

const RUNNING_FILE = "running.json";
const OWNER_ONLY = 0o600;

/** The folder of the embedded Sluice that belongs to the present folder. @throws ConfigurationError. */
export function findDataDirectory({
  environment,
  workingDirectory,
}: Pick<CliContext, "environment" | "workingDirectory">): string {
  const { dataDirectory } = loadConfiguration(embeddedVariables, environment);
  return dataDirectory === null
    ? defaultDataDirectory(workingDirectory)
    : resolve(workingDirectory, dataDirectory);
}

/** The environment of a command: where it names no database, that of the embedded Sluice that runs here, if one does. */
export function findEnvironment(
  context: Pick<CliContext, "environment" | "workingDirectory" | "report">,
): Environment {
  const { environment } = context;
  if (hasText(environment["DATABASE_URL"]) || hasText(environment["DATABASE_URL_FILE"])) return environment;
  const running = findRunning(context);
  if (running === null) return environment;
  context.report(`Using the embedded Sluice that runs here (process ${String(running.pid)}).\n`);
  return running.environment;
}

/** The embedded Sluice that runs here; null: none does. `environment`: what it tells, under what is set already. */
export function findRunning(context: Pick<CliContext, "environment" | "workingDirectory">): {
  readonly pid: number;
  readonly variables: Environment;
  readonly environment: Environment;
} | null {
  const running = readRunning(findDataDirectory(context));
  if (running === null) return null;
  const own = Object.entries(context.environment).filter(([, value]) => hasText(value));
  return { ...running, environment: { ...running.variables, ...Object.fromEntries(own) } };
}

/** Says that this process runs an embedded Sluice; readable by its owner alone, since `variables` hold secrets. */
export async function writeRunning(
  dataDirectory: string,
  variables: Readonly<Record<string, string>>,
): Promise<void> {
  const path = join(dataDirectory, RUNNING_FILE);
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  const content = JSON.stringify({ ...identifyProcess(process.pid), variables });
  await writeFile(draft, content, { mode: OWNER_ONLY });
  await rename(draft, path);
}

/** Takes back `writeRunning`. */
export async function removeRunning(dataDirectory: string): Promise<void> {
  await rm(join(dataDirectory, RUNNING_FILE), { force: true });
}

/** null: none runs, or what is written belongs to one that has died. */
function readRunning(dataDirectory: string): { pid: number; variables: Environment } | null {
  try {
    const content = readFileSync(join(dataDirectory, RUNNING_FILE), "utf8");
    const owner = parseProcessIdentity(content);
    if (owner === null || !isProcessAlive(owner)) return null;
    const parsed: unknown = JSON.parse(content);
    const found: unknown = Reflect.get(Object(parsed), "variables");
    const variables = Object.entries(Object(found)).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string",
    );
    return { pid: owner.pid, variables: Object.fromEntries(variables) };
  } catch {
    return null;
  }
}

function hasText(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}
