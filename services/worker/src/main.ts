import { loadConfiguration, loadEnvironmentFile } from "@sluice/runtime/configuration";
import { loadOrExit, runService } from "@sluice/runtime/lifecycle";
import { createLogger } from "@sluice/runtime/logger";

import { workerVariables } from "./config.ts";
import { startWorker } from "./start-worker.ts";

const configuration = loadOrExit(() => {
  loadEnvironmentFile(".env");
  return loadConfiguration(workerVariables);
});
const logger = createLogger({
  service: "worker",
  level: configuration.logLevel,
  format: configuration.logFormat,
});
await runService({
  name: "worker",
  logger,
  drainTimeoutMs: configuration.drainTimeoutMs,
  start: (signal) => startWorker({ configuration, logger, signal }),
});
