/** Every variable that some process reads: docs/configuration.md, and what is not among them. */
import {
  type ConfigurationDefinition,
  type Environment,
  findUnknownVariables,
  type UnknownVariable,
} from "@sluice/runtime/configuration";
import { describeConfiguration } from "@sluice/runtime/configuration-reference";
import type { Logger } from "@sluice/runtime/logger";
import {
  databaseVariables,
  drainVariables,
  encryptionVariables,
  loggingVariables,
  queueVariables,
} from "@sluice/runtime/variables";

import { apiAccessVariables } from "./find-api.ts";
import { embeddedVariables } from "./running-environment.ts";

const INTRODUCTION = `# Configuration

Everything is configured by environment variables; \`.env\` in the folder where a process starts may hold them too. A
process reads all of them when it starts, and names everything that is wrong at once. An empty variable counts as unset.

This file is printed by \`sluice config docs\`: change the declarations, not the file.
`;

/** The reference of every variable that some process reads. */
export async function writeConfigurationReference(): Promise<string> {
  return `${INTRODUCTION}\n${describeConfiguration(await listSections())}`;
}

/** `SLUICE_*` variables that no process reads, each with a warning: probably mistyped, and then without any effect. */
export async function warnAboutUnknownVariables(environment: Environment, logger: Logger): Promise<void> {
  for (const { name, nearest } of await listUnknownVariables(environment)) {
    logger.warn(
      { variable: name, ...(nearest === null ? {} : { nearest }) },
      "configuration.unknown_variable",
    );
  }
}

/** `SLUICE_*` variables that no process reads. */
export async function listUnknownVariables(environment: Environment): Promise<readonly UnknownVariable[]> {
  const definitions = (await listSections()).map(({ definition }) => definition);
  return findUnknownVariables(definitions, environment);
}

async function listSections(): Promise<{ title: string; definition: ConfigurationDefinition }[]> {
  const [{ ingressVariables }, { workerVariables }, { apiVariables }] = await Promise.all([
    import("@sluice/ingress/config"),
    import("@sluice/worker/config"),
    import("@sluice/api/config"),
  ]);
  const shared: ConfigurationDefinition = {
    ...databaseVariables,
    ...queueVariables,
    ...encryptionVariables,
    ...loggingVariables,
    ...drainVariables,
  };
  return [
    { title: "Every process", definition: shared },
    { title: "Ingress", definition: without(ingressVariables, shared) },
    { title: "Worker", definition: without(workerVariables, shared) },
    { title: "API", definition: without(apiVariables, shared) },
    { title: "The command line", definition: { ...embeddedVariables, ...apiAccessVariables } },
  ];
}

function without(
  definition: ConfigurationDefinition,
  shared: ConfigurationDefinition,
): ConfigurationDefinition {
  const names = new Set(Object.values(shared).map(({ name }) => name));
  return Object.fromEntries(Object.entries(definition).filter(([, { name }]) => !names.has(name)));
}
