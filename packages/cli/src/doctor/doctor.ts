/** `sluice doctor`: everything that Sluice needs, looked at from here. */
import { ConfigurationError, type Environment, loadConfiguration } from "@sluice/runtime/configuration";
import {
  bitbucketVariables,
  databaseVariables,
  encryptionVariables,
  queueVariables,
} from "@sluice/runtime/variables";
import { openStore } from "@sluice/store/client";

import { type CliContext, EXIT_CODES, type ExitCode } from "../cli-context.ts";
import { findApiUrl } from "../find-api.ts";
import { findEnvironment } from "../running-environment.ts";
import { checkApi } from "./check-api.ts";
import { checkBitbucket } from "./check-bitbucket.ts";
import { checkConfiguration } from "./check-configuration.ts";
import { checkIntegrations } from "./check-integrations.ts";
import { checkPostgres } from "./check-postgres.ts";
import { checkQueue } from "./check-queue.ts";
import { type Finding, lookOrFail } from "./finding.ts";

const STATEMENT_TIMEOUT_MS = 10_000;

/** Prints what was found; exit code 1 when something fails. What cannot be looked at for want of a variable is left out. */
export async function examine({ json }: { readonly json: boolean }, context: CliContext): Promise<ExitCode> {
  const findings = await look(
    findEnvironment(context),
    readOrNull(() => findApiUrl(undefined, { ...context, report: () => undefined })),
  );
  const count = (level: Finding["level"]) => findings.filter((each) => each.level === level).length;
  const counts = { ok: count("ok"), warn: count("warn"), fail: count("fail") };
  if (json) {
    context.print(`${JSON.stringify({ counts, findings }, null, 2)}\n`);
  } else {
    context.print(findings.map(describe).join(""));
    context.print(
      `${String(counts.ok)} ok, ${String(counts.warn)} to warn of, ${String(counts.fail)} failed.\n`,
    );
  }
  return counts.fail === 0 ? EXIT_CODES.done : EXIT_CODES.failed;
}

/** `apiUrl` null: nobody said where it is, and it is not looked at. */
async function look(environment: Environment, apiUrl: string | null): Promise<readonly Finding[]> {
  const database = readOrNull(() => loadConfiguration({ url: databaseVariables.databaseUrl }, environment));
  const queue = readOrNull(() => loadConfiguration(queueVariables, environment));
  const bitbucket = readOrNull(() => loadConfiguration(bitbucketVariables, environment));
  const groups = await Promise.all([
    checkConfiguration(environment),
    database === null ? [] : lookAtDatabase(database.url, environment),
    queue === null
      ? []
      : lookOrFail("queue", "see that it runs, and SLUICE_QUEUE_URL; `sluice migrate` prepares it", () =>
          checkQueue(queue),
        ),
    apiUrl === null ? [] : checkApi(apiUrl),
    bitbucket === null ? [] : checkBitbucket(bitbucket.bitbucketApiUrl),
  ]);
  return groups.flat();
}

async function lookAtDatabase(url: string, environment: Environment): Promise<readonly Finding[]> {
  const keyring = readOrNull(() => loadConfiguration(encryptionVariables, environment))?.keyring ?? null;
  const store = openStore({
    url,
    maxConnections: 2,
    applicationName: "sluice-doctor",
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  try {
    const postgres = await lookOrFail("postgres", "see that it runs, and DATABASE_URL", () =>
      checkPostgres(store),
    );
    // Of a database that is away, or of another release, nothing more can be read.
    if (postgres.some(({ check, level }) => level === "fail" && UNREADABLE.includes(check))) return postgres;
    const integrations = await lookOrFail("integrations", "see the message", () =>
      checkIntegrations(store, keyring, Date.now()),
    );
    return [...postgres, ...integrations];
  } finally {
    await store.close();
  }
}

const UNREADABLE = ["postgres", "migrations"];

/** null: a variable is missing or wrong, which the check of the configuration tells. */
function readOrNull<Value>(read: () => Value): Value | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof ConfigurationError) return null;
    throw error;
  }
}

function describe({ check, level, message, remedy }: Finding): string {
  const line = `${level.padEnd(4)}  ${check}: ${message}\n`;
  return remedy === null ? line : `${line}      ${remedy}\n`;
}
