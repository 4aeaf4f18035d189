/** Where the API is, and the key that a command speaks to it with. */
import { AppError } from "@sluice/domain/app-error";
import {
  ConfigurationError,
  defineConfiguration,
  type Environment,
  loadConfiguration,
} from "@sluice/runtime/configuration";
import { parsedText, url } from "@sluice/runtime/configuration-values";

import type { CliContext } from "./cli-context.ts";
import { findRunning } from "./running-environment.ts";
import { usageInvalid } from "./usage-error.ts";

const SHAPE = { protocols: ["https", "http"], shape: "https://sluice.example.com" };

/** How the command line finds the API: `url`, `key`. */
export const apiAccessVariables = defineConfiguration({
  url: {
    name: "SLUICE_URL",
    schema: url(SHAPE),
    description:
      "The API that the command line speaks to. Without it, the embedded Sluice that runs in the present folder.",
    optional: true,
    example: "https://sluice.example.com",
  },
  key: {
    name: "SLUICE_API_KEY",
    schema: parsedText("a key of the API, without blanks", parseKey),
    description:
      "The key that the command line speaks to the API with. Without it `SLUICE_BOOTSTRAP_KEY`, if that is set.",
    secret: true,
    optional: true,
    fallbacks: ["SLUICE_BOOTSTRAP_KEY"],
  },
});

/** An API, and a key of it. */
export interface ApiAccess {
  /** Without a slash at its end. */
  readonly url: string;
  readonly key: string;
}

type FindContext = Pick<CliContext, "environment" | "workingDirectory" | "report">;

/**
 * `given` is the option `--url`, before SLUICE_URL, before the embedded Sluice that runs here. The key of that one is
 * used for no other. @throws ConfigurationError, AppError `usage_invalid`.
 */
export function findApi(given: string | undefined, context: FindContext): ApiAccess {
  const { url: found, variables } = look(given, context);
  const { key } = loadConfiguration({ key: apiAccessVariables.key }, variables);
  if (found !== null && key !== null) return { url: found, key };
  throw new ConfigurationError([
    ...(found === null ? [NO_URL] : []),
    ...(key === null ? ["SLUICE_API_KEY is missing: a key of the API (`sluice key create` makes them)"] : []),
  ]);
}

/** As findApi, without a key. */
export function findApiUrl(given: string | undefined, context: FindContext): string {
  const { url: found } = look(given, context);
  if (found === null) throw new ConfigurationError([NO_URL]);
  return found;
}

const NO_URL =
  "SLUICE_URL is missing: the address of the API, such as https://sluice.example.com; an embedded Sluice that runs (`sluice up --embedded`) is found without it by commands in its folder";

function look(given: string | undefined, context: FindContext) {
  const named = given === undefined ? readVariable(context.environment) : checkOption(given);
  const running = findRunning(context);
  const own = running?.variables["SLUICE_URL"];
  if (running === null || own === undefined || (named !== null && named !== withoutSlash(own))) {
    return { url: named, variables: context.environment };
  }
  context.report(`Using the embedded Sluice that runs here (process ${String(running.pid)}).\n`);
  return { url: withoutSlash(own), variables: running.environment };
}

function readVariable(environment: Environment): string | null {
  const named = loadConfiguration({ url: apiAccessVariables.url }, environment).url;
  if (named === null) return null;
  if (!isPlain(named)) throw new ConfigurationError([`SLUICE_URL ${NOT_PLAIN}`]);
  return withoutSlash(named);
}

function checkOption(given: string): string {
  const read = url(SHAPE).safeParse(given);
  if (!read.success) throw usageInvalid(`--url has to be a URL like ${SHAPE.shape}`);
  if (!isPlain(read.data)) throw usageInvalid(`--url ${NOT_PLAIN}`);
  return withoutSlash(read.data);
}

const NOT_PLAIN = "holds a user, a query or a fragment: the key belongs in SLUICE_API_KEY";

function isPlain(text: string): boolean {
  const { username, password, search, hash } = new URL(text);
  return username + password + search + hash === "";
}

function withoutSlash(text: string): string {
  return text.replace(/\/+$/, "");
}

/** A header carries it. */
function parseKey(key: string): string {
  if (/^[!-~]+$/.test(key)) return key;
  throw new AppError("key_unusable", "is empty, or holds blanks or characters beyond ASCII");
}
