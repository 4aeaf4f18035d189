import { defineConfiguration, type Configuration } from "@sluice/runtime/configuration";
import { bytes, durationMs, integer, port, text } from "@sluice/runtime/configuration-values";
import {
  databaseVariables,
  drainVariables,
  encryptionVariables,
  loggingVariables,
  queueVariables,
} from "@sluice/runtime/variables";

/** What a body may be allowed to be; there is always room for one of them. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** Every variable of the ingress. */
export const ingressVariables = defineConfiguration({
  ...databaseVariables,
  ...queueVariables,
  ...encryptionVariables,
  ...loggingVariables,
  ...drainVariables,
  host: {
    name: "INGRESS_HOST",
    schema: text("an address of this machine"),
    description: "Address on which webhooks are received; `0.0.0.0` is all of them.",
    default: "0.0.0.0",
  },
  port: {
    name: "INGRESS_PORT",
    schema: port(),
    description: "Port on which webhooks are received.",
    default: "8080",
  },
  operationsPort: {
    name: "INGRESS_OPERATIONS_PORT",
    schema: port(),
    description: "Port of the ingress's health checks and metrics: for operators, not for the public side.",
    default: "9080",
  },
  maxConnections: {
    name: "INGRESS_MAX_CONNECTIONS",
    schema: integer({ min: 1, max: 1_000_000 }),
    description:
      "Connections of senders at once; one more is hung up on. Each needs a file descriptor: see `ulimit -n`.",
    default: "1_000",
  },
  maxBodyBytes: {
    name: "INGRESS_MAX_BODY_BYTES",
    schema: bytes({ min: 1_024, max: MAX_BODY_BYTES }),
    description: "The largest body that is accepted, in bytes. Bitbucket sends at most 256 KB.",
    default: "1048576",
  },
  maxBufferedBytes: {
    name: "INGRESS_MAX_BUFFERED_BYTES",
    schema: bytes({ min: MAX_BODY_BYTES, max: 1024 * MAX_BODY_BYTES }),
    description:
      "What all bodies that are being received or wait for the queue may take, in bytes; above it senders are answered 503.",
    default: "256MiB",
  },
  requestTimeoutMs: {
    name: "INGRESS_REQUEST_TIMEOUT_MS",
    schema: durationMs({ min: 100, max: 300_000 }),
    description:
      "Milliseconds that a sender may take for a whole request. Bitbucket itself gives up after 10 s.",
    default: "15000",
  },
});

export type IngressConfiguration = Configuration<typeof ingressVariables>;
