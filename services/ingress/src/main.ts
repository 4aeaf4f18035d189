import { loadConfiguration, loadEnvironmentFile } from "@sluice/runtime/configuration";
import { loadOrExit, runService } from "@sluice/runtime/lifecycle";
import { createLogger } from "@sluice/runtime/logger";

import { ingressVariables } from "./config.ts";
import { startIngress } from "./start-ingress.ts";

const configuration = loadOrExit(() => {
  loadEnvironmentFile(".env");
  return loadConfiguration(ingressVariables);
});
const logger = createLogger({
  service: "ingress",
  level: configuration.logLevel,
  format: configuration.logFormat,
});
await runService({
  name: "ingress",
  logger,
  drainTimeoutMs: configuration.drainTimeoutMs,
  start: (signal) => startIngress({ configuration, logger, signal }),
});
