/** `sluice export`: the stored state as a declarative file. */
import { defineConfiguration, loadConfiguration } from "@sluice/runtime/configuration";
import { databaseVariables } from "@sluice/runtime/variables";
import { openStore } from "@sluice/store/client";
import { readDeclaredState } from "@sluice/store/declared-state";

import { type CliContext, EXIT_CODES, type ExitCode } from "./cli-context.ts";
import { exportDeclaration, formatExport } from "./declaration/export-declaration.ts";
import { findEnvironment } from "./running-environment.ts";

const exportVariables = defineConfiguration({ databaseUrl: databaseVariables.databaseUrl });

/** Prints the file, or `{ file, variables, notes }`. No secret is in it, and none is decrypted for it. */
export async function exportFile(
  { json }: { readonly json: boolean },
  context: CliContext,
): Promise<ExitCode> {
  const { databaseUrl } = loadConfiguration(exportVariables, findEnvironment(context));
  const store = openStore({ url: databaseUrl, maxConnections: 2, applicationName: "sluice-export" });
  try {
    const exported = exportDeclaration(await readDeclaredState(store));
    context.print(json ? `${JSON.stringify(exported, null, 2)}\n` : formatExport(exported));
    if (!json) for (const note of exported.notes) context.report(`${note}\n`);
    return EXIT_CODES.done;
  } finally {
    await store.close();
  }
}
