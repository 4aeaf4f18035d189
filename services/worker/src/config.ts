import { defineConfiguration, type Configuration } from "@sluice/runtime/configuration";
import { integer, port, text, url } from "@sluice/runtime/configuration-values";
import {
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
  bitbucketApiUrl: {
    name: "BITBUCKET_API_URL",
    schema: url({ protocols: ["https", "http"], shape: "https://host/2.0" }),
    description: "Bitbucket's REST API; another one only for tests.",
    default: "https://api.bitbucket.org/2.0",
  },
});

export type WorkerConfiguration = Configuration<typeof workerVariables>;
