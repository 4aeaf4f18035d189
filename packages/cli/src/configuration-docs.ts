/** docs/configuration.md, from the declarations of the variables. */
import type { ConfigurationDefinition } from "@sluice/runtime/configuration";
import { describeConfiguration } from "@sluice/runtime/configuration-reference";
import {
  databaseVariables,
  drainVariables,
  encryptionVariables,
  loggingVariables,
  queueVariables,
} from "@sluice/runtime/variables";

import { embeddedVariables } from "./running-environment.ts";

const INTRODUCTION = `# Configuration

Everything is configured by environment variables; \`.env\` in the folder where a process starts may hold them too. A
process reads all of them when it starts, and names everything that is wrong at once. An empty variable counts as unset.

This file is printed by \`sluice config docs\`: change the declarations, not the file.
`;

/** The reference of every variable that some process reads. */
export async function writeConfigurationReference(): Promise<string> {
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
  const sections = describeConfiguration([
    { title: "Every process", definition: shared },
    { title: "Ingress", definition: without(ingressVariables, shared) },
    { title: "Worker", definition: without(workerVariables, shared) },
    { title: "API", definition: without(apiVariables, shared) },
    { title: "The command line", definition: embeddedVariables },
  ]);
  return `${INTRODUCTION}\n${sections}`;
}

function without(
  definition: ConfigurationDefinition,
  shared: ConfigurationDefinition,
): ConfigurationDefinition {
  const names = new Set(Object.values(shared).map(({ name }) => name));
  return Object.fromEntries(Object.entries(definition).filter(([, { name }]) => !names.has(name)));
}
