import { defineConfiguration, type Configuration } from "@sluice/runtime/configuration";
import { bytes, durationMs, port, text } from "@sluice/runtime/configuration-values";
import {
  databaseVariables,
  drainVariables,
  encryptionVariables,
  loggingVariables,
  queueVariables,
} from "@sluice/runtime/variables";

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
  maxBodyBytes: {
    name: "INGRESS_MAX_BODY_BYTES",
    schema: bytes({ min: 1_024, max: 64 * 1024 * 1024 }),
    description: "The largest body that is accepted, in bytes. Bitbucket sends at most 256 KB.",
    default: "1048576",
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
