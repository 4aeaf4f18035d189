import { AppError } from "@sluice/domain/app-error";
import { defineConfiguration, type Configuration } from "@sluice/runtime/configuration";
import { parsedText, port, text } from "@sluice/runtime/configuration-values";
import {
  databaseVariables,
  drainVariables,
  loggingVariables,
  queueVariables,
} from "@sluice/runtime/variables";

const MIN_KEY_LENGTH = 24;

/** Every variable of the API. */
export const apiVariables = defineConfiguration({
  ...databaseVariables,
  ...queueVariables,
  ...loggingVariables,
  ...drainVariables,
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
      "The key of the API: `Authorization: Bearer <key>` for programs, the password for browsers under /queues.",
    secret: true,
    example: "<openssl rand -hex 24>",
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
