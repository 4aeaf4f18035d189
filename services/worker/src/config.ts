import { defineConfiguration, type Configuration } from "@sluice/runtime/configuration";
import { integer, port, text } from "@sluice/runtime/configuration-values";
import {
  bitbucketVariables,
  databaseVariables,
  drainVariables,
  encryptionVariables,
  loggingVariables,
  queueVariables,
} from "@sluice/runtime/variables";

/** Every variable of the worker. */
export const workerVariables = defineConfiguration({
  ...databaseVariables,
  ...queueVariables,
  ...encryptionVariables,
  ...loggingVariables,
  ...drainVariables,
  ...bitbucketVariables,
  host: {
    name: "WORKER_HOST",
    schema: text("an address of this machine"),
    description: "Address of the worker's health checks and metrics.",
    default: "0.0.0.0",
  },
  port: {
    name: "WORKER_PORT",
    schema: port(),
    description: "Port of the worker's health checks and metrics.",
    default: "8082",
  },
  recordConcurrency: {
    name: "WORKER_RECORD_CONCURRENCY",
    schema: integer({ min: 1, max: 1_000 }),
    description:
      "Jobs of deliveries that one worker takes at once; those taken together share a transaction.",
    default: "64",
  },
  eventConcurrency: {
    name: "WORKER_EVENT_CONCURRENCY",
    schema: integer({ min: 1, max: 1_000 }),
    description: "Events for which one worker asks Bitbucket at once.",
    default: "32",
  },
  retentionRawDays: {
    name: "SLUICE_RETENTION_RAW_DAYS",
    schema: integer({ min: 1, max: 36_500 }),
    description:
      "Days for which the bodies and headers of webhooks are kept. Of one that could not be read they stay as long as decisions.",
    default: "30",
  },
  retentionDecisionsDays: {
    name: "SLUICE_RETENTION_DECISIONS_DAYS",
    schema: integer({ min: 1, max: 36_500 }),
    description:
      "Days for which deliveries are kept, with their events, decisions, and triggers that have ended. What is still needed stays longer.",
    default: "90",
  },
  maxTriggersPerEvent: {
    name: "MAX_TRIGGERS_PER_EVENT",
    schema: integer({ min: 1, max: 100_000 }),
    description: "Triggers that one event may make. One that would make more makes none, and says so.",
    default: "500",
  },
  sweepIntervalMinutes: {
    name: "SWEEP_INTERVAL_MINUTES",
    schema: integer({ min: 0, max: 10_080 }),
    description:
      "How often tracked branches and open pull requests are compared with Bitbucket's, for what no webhook told of. 0: only when `sluice sweep` asks for it.",
    default: "15",
  },
  sweepGraceSeconds: {
    name: "SWEEP_GRACE_SECONDS",
    schema: integer({ min: 0, max: 86_400 }),
    description: "How long the webhook of a push is waited for before the push counts as missed.",
    default: "120",
  },
});

export type WorkerConfiguration = Configuration<typeof workerVariables>;
