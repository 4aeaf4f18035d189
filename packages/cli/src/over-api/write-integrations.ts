/** Integrations that are made and changed: `sluice integration create`, `update`, `set-credential`. */
import { z } from "zod";

import { createApiClient } from "../api-client.ts";
import { ApiError } from "../api-error.ts";
import { type CliContext, EXIT_CODES, type ExitCode } from "../cli-context.ts";
import { findApi } from "../find-api.ts";
import { usageInvalid } from "../usage-error.ts";
import type { ApiOptions } from "./api-options.ts";
import { credentialCheckSchema, describeCheck } from "./credential-check.ts";
import { findIntegration } from "./integrations.ts";
import { parseEnd } from "./parse-time.ts";
import { printDocument, toJson, toText } from "./print-answer.ts";
import { readToken, type SecretOptions } from "./read-secret.ts";

const PATH = "/v1/integrations";

const madeSchema = z.looseObject({
  id: z.string(),
  webhook_secret: z.string(),
  check: credentialCheckSchema,
});
const savedSchema = z.looseObject({ check: credentialCheckSchema });
const changedSchema = z.looseObject({ id: z.string() });

/** How an integration signs in; with `email` an API token, else an access token. */
export interface CredentialOptions extends SecretOptions {
  readonly email?: string;
  readonly expires?: string;
  readonly against?: string;
}

/** What may be changed later; what is left out stays, or has its default in a new one. */
export interface SettingsOptions {
  readonly label?: readonly string[];
  readonly description?: string;
  readonly checks?: string;
  readonly callsPerHour?: number;
}

/** What the command line says of a new integration: one of `default` and `space`. */
export interface CreateIntegrationOptions extends ApiOptions, CredentialOptions, SettingsOptions {
  readonly default: boolean;
  readonly space?: string;
}

/** What the command line says of a change. */
export interface UpdateIntegrationOptions extends ApiOptions, SettingsOptions {
  readonly enable: boolean;
  readonly disable: boolean;
}

/** Makes one, tries its credential, and shows its webhook secret. */
export async function createIntegration(
  name: string,
  options: CreateIntegrationOptions,
  context: CliContext,
): Promise<ExitCode> {
  const { against, space, json } = options;
  if (options.default === (space !== undefined))
    throw usageInvalid("give either --default or --space <name>");
  const credential = await readCredential(options, context);
  const body = {
    name,
    ...(space === undefined ? { default: true } : { space }),
    credential,
    ...(against === undefined ? {} : { check_against: against }),
    ...settingsOf(options),
  };
  const api = createApiClient(findApi(options.url, context));
  const made = await api.change(PATH, { method: "POST", body }, madeSchema);
  if (json) {
    context.print(toJson(made));
  } else {
    const { check, ...integration } = made;
    context.print(`${toText(integration)}\n${describeCheck(check)}`);
  }
  return EXIT_CODES.done;
}

/** Gives one another credential, and tries it. Exit code 1 unless Bitbucket accepts it: it is saved all the same. */
export async function setCredential(
  reference: string,
  options: ApiOptions & CredentialOptions,
  context: CliContext,
): Promise<ExitCode> {
  const credential = await readCredential(options, context);
  const api = createApiClient(findApi(options.url, context));
  const { id } = await findIntegration(api, reference);
  const { against, json } = options;
  const body = { credential, ...(against === undefined ? {} : { check_against: against }) };
  const saved = await api.change(`${PATH}/${id}/credential`, { method: "PUT", body }, savedSchema);
  context.print(json ? toJson(saved) : `It is saved. ${describeCheck(saved.check)}`);
  return saved.check.verdict === "ok" ? EXIT_CODES.done : EXIT_CODES.failed;
}

/** Changes what is named, and leaves the rest as it is. */
export async function updateIntegration(
  reference: string,
  options: UpdateIntegrationOptions,
  context: CliContext,
): Promise<ExitCode> {
  const { enable, disable } = options;
  if (enable && disable) throw usageInvalid("give one of --enable and --disable");
  const api = createApiClient(findApi(options.url, context));
  const { id } = await findIntegration(api, reference);
  // Read by its id, so that the version that is changed is the one that was seen.
  const { value: was, etag } = await api.getVersion(`${PATH}/${id}`, shownSchema);
  const { details, labels, description } = was;
  if (details === null)
    throw new ApiError(403, "forbidden", `${reference} is changed by admins of its space`);
  const body = {
    labels,
    description,
    checks: details.checks,
    calls_per_hour: details.calls_per_hour,
    enabled: enable || (details.enabled && !disable),
    ...settingsOf(options),
  };
  const change = { method: "PUT", body, headers: { "if-match": etag } } as const;
  return printDocument(await api.change(`${PATH}/${id}`, change, changedSchema), options, context);
}

const shownSchema = z.looseObject({
  labels: z.array(z.string()),
  description: z.string(),
  details: z.looseObject({ checks: z.string(), calls_per_hour: z.int(), enabled: z.boolean() }).nullable(),
});

async function readCredential(options: CredentialOptions, context: CliContext) {
  const { email, expires } = options;
  const end = expires === undefined ? {} : { expires_at: parseEnd(expires, Date.now()) };
  const token = await readToken(options, context);
  return email === undefined
    ? { kind: "access_token", token, ...end }
    : { kind: "api_token", email, token, ...end };
}

function settingsOf({ label, description, checks, callsPerHour }: SettingsOptions) {
  return {
    ...(label === undefined ? {} : { labels: label }),
    ...(description === undefined ? {} : { description }),
    ...(checks === undefined ? {} : { checks }),
    ...(callsPerHour === undefined ? {} : { calls_per_hour: callsPerHour }),
  };
}
