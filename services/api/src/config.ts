import { AppError } from "@sluice/domain/app-error";
import { defineConfiguration, type Configuration } from "@sluice/runtime/configuration";
import { integer, parsedText, port, text, url } from "@sluice/runtime/configuration-values";
import {
  bitbucketVariables,
  databaseVariables,
  drainVariables,
  encryptionVariables,
  loggingVariables,
  queueVariables,
} from "@sluice/runtime/variables";

/** Of a key that an operator chooses, in characters. */
export const MIN_KEY_LENGTH = 24;

/** Every variable of the API. */
export const apiVariables = defineConfiguration({
  ...databaseVariables,
  ...queueVariables,
  ...encryptionVariables,
  ...loggingVariables,
  ...drainVariables,
  ...bitbucketVariables,
  host: {
    name: "API_HOST",
    schema: text("an address of this machine"),
    description: "Address on which schedulers and people are answered; `0.0.0.0` is all of them.",
    default: "0.0.0.0",
  },
  port: {
    name: "API_PORT",
    schema: port(),
    description: "Port on which schedulers and people are answered.",
    default: "8081",
  },
  bootstrapKey: {
    name: "SLUICE_BOOTSTRAP_KEY",
    schema: parsedText(`at least ${String(MIN_KEY_LENGTH)} visible ASCII characters`, parseKey),
    description:
      "A key of an admin of the root space, for setting up. Without it the first start makes one and prints it once.",
    secret: true,
    optional: true,
    example: "<openssl rand -hex 24>",
  },
  publicUrl: {
    name: "SLUICE_PUBLIC_URL",
    schema: url({ protocols: ["https", "http"], shape: "https://sluice.example.com" }),
    description:
      "Address of the ingress as Bitbucket sees it: webhook endpoints are shown and set up below it. Without it they are shown as paths.",
    optional: true,
    example: "https://sluice.example.com",
  },
  requestsPerSecond: {
    name: "API_REQUESTS_PER_SECOND",
    schema: integer({ min: 1, max: 100_000 }),
    description: "Requests that one key may send in a second to one process, over ten seconds; then 429.",
    default: "200",
  },
  wrongKeysPerMinute: {
    name: "API_WRONG_KEYS_PER_MINUTE",
    schema: integer({ min: 1, max: 100_000 }),
    description:
      "Wrong keys that one address may send in a minute to one process; then it is refused for a minute. Behind a proxy that is the proxy's address.",
    default: "30",
  },
});

export type ApiConfiguration = Configuration<typeof apiVariables>;

/** A header carries it: other characters would arrive as something else. */
function parseKey(key: string): string {
  if (key.length < MIN_KEY_LENGTH) {
    throw new AppError("key_too_short", `shorter than ${String(MIN_KEY_LENGTH)} characters`);
  }
  if (!/^[!-~]+$/.test(key)) throw new AppError("key_unusable", "holds blanks or characters beyond ASCII");
  return key;
}
