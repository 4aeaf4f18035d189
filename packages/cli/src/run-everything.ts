/** `sluice up`: all services in one process. */
import { type Environment, loadConfiguration } from "@sluice/runtime/configuration";
import { runService } from "@sluice/runtime/lifecycle";
import { createLogger } from "@sluice/runtime/logger";
import { drainVariables, loggingVariables } from "@sluice/runtime/variables";

import { type CliContext, EXIT_CODES, type ExitCode } from "./cli-context.ts";
import type { UpOptions } from "./commands/up.ts";
import { startEmbeddedEnvironment } from "./embedded-environment.ts";
import { warnAboutUnknownVariables } from "./known-variables.ts";
import { migrate } from "./migrate.ts";
import { findDataDirectory } from "./running-environment.ts";
import { SERVICE_NAMES, type ServiceName } from "./service-names.ts";
import { type ListeningService, prepareService } from "./services.ts";

/** Services that were started together. */
export interface RunningServices {
  /** Where this machine reaches each. */
  readonly urls: Readonly<Record<ServiceName, string>>;
  /** Where each tells its health and metrics. */
  readonly operationsUrls: Readonly<Record<ServiceName, string>>;
  /** Intake first, so that what was taken is still worked on; each has `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Starts all services of an environment whose servers are migrated. Of a start that fails nothing is left. */
export async function startServices(environment: Environment, signal: AbortSignal): Promise<RunningServices> {
  const prepared = await Promise.all(
    SERVICE_NAMES.map(async (name) => ({ name, service: await prepareService(name, environment) })),
  );
  const running: ListeningService[] = [];
  const close = async (graceMs: number): Promise<void> => {
    for (const service of running.splice(0)) await service.close(graceMs);
  };
  const urls: Record<ServiceName, string> = { ingress: "", worker: "", api: "" };
  const operationsUrls = { ...urls };
  try {
    for (const { name, service } of prepared) {
      const started = await service.start(signal);
      running.push(started);
      urls[name] = started.url;
      operationsUrls[name] = started.operationsUrl ?? started.url;
    }
    return { urls, operationsUrls, close };
  } catch (error) {
    await close(0);
    throw error;
  }
}

/** Runs everything until the process is told to stop. @throws ConfigurationError, EmbeddedPostgresError. */
export async function runEverything({ embedded }: UpOptions, context: CliContext): Promise<ExitCode> {
  const variables = { ...loggingVariables, ...drainVariables };
  const { logLevel, logFormat, drainTimeoutMs } = loadConfiguration(variables, context.environment);
  const logger = createLogger({ service: "up", level: logLevel, format: logFormat });
  await warnAboutUnknownVariables(context.environment, logger);
  const onProgress = (line: string) => context.report(`${line}\n`);
  await runService({
    name: "up",
    logger,
    drainTimeoutMs,
    start: async (signal) => {
      const servers = embedded
        ? await startServers(context, onProgress)
        : await useServers(context, onProgress);
      try {
        const services = await startServices(servers.environment, signal);
        await servers.announceApi(services.urls.api).catch(async (error: unknown) => {
          await services.close(0);
          throw error;
        });
        for (const name of SERVICE_NAMES) onProgress(describeUrls(name, services));
        return {
          close: async (graceMs) => {
            await services.close(graceMs);
            await servers.stop();
          },
        };
      } catch (error) {
        await servers.stop();
        throw error;
      }
    },
  });
  return EXIT_CODES.done;
}

/** "ingress  http://localhost:8080   health and metrics: http://localhost:9080" */
function describeUrls(name: ServiceName, { urls, operationsUrls }: RunningServices): string {
  return `${name.padEnd(8)} ${urls[name]}   health and metrics: ${operationsUrls[name]}`;
}

function startServers(context: CliContext, onProgress: (line: string) => void) {
  const { environment } = context;
  return startEmbeddedEnvironment({ dataDirectory: findDataDirectory(context), environment, onProgress });
}

async function useServers({ environment }: CliContext, onProgress: (line: string) => void) {
  await migrate(environment, onProgress);
  return { environment, announceApi: () => Promise.resolve(), stop: () => Promise.resolve() };
}
