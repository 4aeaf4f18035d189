import { loadConfiguration, loadEnvironmentFile } from "@sluice/runtime/configuration";
import { loadOrExit, runService } from "@sluice/runtime/lifecycle";
import { createLogger } from "@sluice/runtime/logger";

import { apiVariables } from "./config.ts";
import { startApi } from "./start-api.ts";

const configuration = loadOrExit(() => {
  loadEnvironmentFile(".env");
  return loadConfiguration(apiVariables);
});
const logger = createLogger({
  service: "api",
  level: configuration.logLevel,
  format: configuration.logFormat,
});
await runService({
  name: "api",
  logger,
  drainTimeoutMs: configuration.drainTimeoutMs,
  start: (signal) => startApi({ configuration, logger, signal }),
});
