/** The services, each loaded when it is wanted. */
import { type Environment, loadConfiguration } from "@sluice/runtime/configuration";
import type { RunningService, ServiceOptions } from "@sluice/runtime/lifecycle";
import { createLogger, type LogFormat, type Logger, type LogLevel } from "@sluice/runtime/logger";

import type { ServiceName } from "./service-names.ts";

/** A service that is running. */
export interface ListeningService extends RunningService {
  /** Where this machine reaches it. */
  readonly url: string;
  /** Where it tells its health and metrics; absent = at `url`. */
  readonly operationsUrl?: string;
}

/** A service whose configuration was read, ready to be started. */
export interface PreparedService extends ServiceOptions {
  readonly start: (signal: AbortSignal) => Promise<ListeningService>;
}

/** Reads a service's configuration and makes its logger. @throws ConfigurationError. */
export async function prepareService(name: ServiceName, environment: Environment): Promise<PreparedService> {
  switch (name) {
    case "ingress": {
      const { ingressVariables } = await import("@sluice/ingress/config");
      const { startIngress } = await import("@sluice/ingress/start-ingress");
      return prepare(name, loadConfiguration(ingressVariables, environment), startIngress);
    }
    case "worker": {
      const { workerVariables } = await import("@sluice/worker/config");
      const { startWorker } = await import("@sluice/worker/start-worker");
      return prepare(name, loadConfiguration(workerVariables, environment), startWorker);
    }
    case "api": {
      const { apiVariables } = await import("@sluice/api/config");
      const { startApi } = await import("@sluice/api/start-api");
      return prepare(name, loadConfiguration(apiVariables, environment), startApi);
    }
  }
}

interface CommonConfiguration {
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly drainTimeoutMs: number;
}

type Start<Configuration> = (input: {
  readonly configuration: Configuration;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}) => Promise<ListeningService>;

function prepare<Configuration extends CommonConfiguration>(
  name: ServiceName,
  configuration: Configuration,
  start: Start<Configuration>,
): PreparedService {
  const { logLevel, logFormat, drainTimeoutMs } = configuration;
  const logger = createLogger({ service: name, level: logLevel, format: logFormat });
  return { name, logger, drainTimeoutMs, start: (signal) => start({ configuration, logger, signal }) };
}
