/** `sluice sweep`: has tracked branches and open pull requests compared with Bitbucket's, and shows what that found last. */
import { adviseOnCommitLinks } from "@sluice/domain/commit-links";
import { defineConfiguration, loadConfiguration } from "@sluice/runtime/configuration";
import { databaseVariables } from "@sluice/runtime/variables";
import { openStore } from "@sluice/store/client";
import { listSweepReports, requestSweeps, type SweepReport } from "@sluice/store/sweeps";

import { type CliContext, EXIT_CODES, type ExitCode } from "./cli-context.ts";
import type { SweepOptions } from "./commands/sweep.ts";
import { findEnvironment } from "./running-environment.ts";

const sweepVariables = defineConfiguration({ databaseUrl: databaseVariables.databaseUrl });

/** Makes repositories due at once, and prints how each stands. Exit code 1 when there is none. */
export async function sweep(
  {
    repository = null,
    status,
    json,
  }: Omit<SweepOptions, "repository"> & { readonly repository?: string | null },
  context: CliContext,
): Promise<ExitCode> {
  const { databaseUrl } = loadConfiguration(sweepVariables, findEnvironment(context));
  const store = openStore({ url: databaseUrl, maxConnections: 2, applicationName: "sluice-sweep" });
  try {
    if (!status) await requestSweeps(store, { repository, notSweptForMs: 0 });
    const reports = await listSweepReports(store, repository);
    context.print(json ? `${JSON.stringify(reports, null, 2)}\n` : reports.map(describe).join(""));
    if (reports.length > 0) return EXIT_CODES.done;
    context.report(`No stack or module that is enabled uses ${repository ?? "any repository"}.\n`);
    return EXIT_CODES.failed;
  } finally {
    await store.close();
  }
}

function describe({ repository, sweptAt, found, suspected, failure, commitLinks }: SweepReport): string {
  const when = sweptAt === null ? "never swept" : `last swept ${sweptAt}`;
  const facts = [
    when,
    ...(found === 0 ? [] : [`${String(found)} recovered`]),
    ...(suspected === 0 ? [] : [`${String(suspected)} to be looked at again`]),
    ...(failure === null ? [] : [`failing since ${failure.since}: ${failure.message} (${failure.code})`]),
  ];
  const advice = commitLinks === "not_installed" ? `  ${adviseOnCommitLinks(repository)}\n` : "";
  return `${repository}: ${facts.join(", ")}\n${advice}`;
}
