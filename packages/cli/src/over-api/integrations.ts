/** `sluice integration`: connections to Bitbucket, their credentials and their webhook secrets. */
import { z } from "zod";

import { type ApiClient, createApiClient } from "../api-client.ts";
import { type CliContext, EXIT_CODES, type ExitCode } from "../cli-context.ts";
import { findApi } from "../find-api.ts";
import { isAgreed } from "./agree.ts";
import type { AgreeOptions, ApiOptions, ListOptions } from "./api-options.ts";
import { describeCheck, credentialCheckSchema } from "./credential-check.ts";
import { findNamed } from "./find-named.ts";
import { printDocument, printList, toJson } from "./print-answer.ts";

const PATH = "/v1/integrations";

const integrationSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  default: z.boolean(),
  space: z.string().nullable(),
  labels: z.array(z.string()),
  description: z.string(),
  details: z
    .looseObject({
      enabled: z.boolean(),
      checks: z.string(),
      calls_per_hour: z.int(),
      endpoint: z.looseObject({ path: z.string(), url: z.string().nullable() }),
      health: z.looseObject({ state: z.string(), since: z.string() }).nullable(),
      credential: z.looseObject({ expires_at: z.string().nullable() }),
    })
    .nullable(),
});

const webhookSchema = z.looseObject({
  endpoint: z.looseObject({ path: z.string(), url: z.string().nullable() }),
  secret: z.string().nullable(),
});

const deletedSchema = z.looseObject({ id: z.string(), name: z.string(), detached_count: z.int() });

type Integration = z.output<typeof integrationSchema>;

/** What the command line says of a check. */
export interface CheckOptions extends ApiOptions {
  readonly against?: string;
}

/** What the command line says of a rotation. */
export interface RotateSecretOptions extends AgreeOptions {
  readonly overlapHours: number;
}

/** Lists the default one and those of the key's spaces. */
export async function listIntegrations(options: ListOptions, context: CliContext): Promise<ExitCode> {
  return printList(
    createApiClient(findApi(options.url, context)),
    {
      path: PATH,
      schema: integrationSchema,
      columns: [
        { title: "NAME", of: ({ name }) => name },
        { title: "SPACE", of: ({ space }) => space ?? "(default)" },
        { title: "ENABLED", of: ({ details }) => details && (details.enabled ? "yes" : "no") },
        { title: "CREDENTIAL", of: standingOf },
        {
          title: "ENDPOINT",
          of: ({ details }) => details && (details.endpoint.url ?? details.endpoint.path),
        },
        { title: "ID", of: ({ id }) => id },
      ],
      empty: "There are no integrations.",
    },
    options,
    context,
  );
}

/** Shows one, without its secrets. */
export async function showIntegration(
  reference: string,
  options: ApiOptions,
  context: CliContext,
): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  return printDocument(await findIntegration(api, reference), options, context);
}

/** Tries the credential at Bitbucket. Exit code 1 unless it is accepted. */
export async function checkIntegration(
  reference: string,
  { against, ...options }: CheckOptions,
  context: CliContext,
): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  const { id } = await findIntegration(api, reference);
  const body = against === undefined ? {} : { against };
  const check = await api.change(`${PATH}/${id}/check`, { method: "POST", body }, credentialCheckSchema);
  context.print(options.json ? toJson(check) : describeCheck(check));
  return check.verdict === "ok" ? EXIT_CODES.done : EXIT_CODES.failed;
}

/** Shows the webhook endpoint and the secrets; the API notes that somebody looked. */
export async function showSecret(
  reference: string,
  options: ApiOptions,
  context: CliContext,
): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  const { id } = await findIntegration(api, reference);
  return printDocument(await api.get(`${PATH}/${id}/webhook`, webhookSchema), options, context);
}

/** Makes another webhook secret, and shows it. */
export async function rotateSecret(
  reference: string,
  options: RotateSecretOptions,
  context: CliContext,
): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  const { id, name } = await findIntegration(api, reference);
  const { overlapHours: hours } = options;
  const overlap = hours === 0 ? "is refused at once" : `still verifies for ${String(hours)} hours`;
  const question = `Make another webhook secret for ${name}? The present one ${overlap}.`;
  if (!(await isAgreed(question, options, context))) return EXIT_CODES.pending;
  const change = { method: "POST", body: { overlap_hours: hours } } as const;
  const webhook = await api.change(`${PATH}/${id}/webhook-secret/rotate`, change, webhookSchema);
  return printDocument(webhook, options, context);
}

/** Deletes one: its secrets are wiped, and what uses it is detached. */
export async function deleteIntegration(
  reference: string,
  options: AgreeOptions,
  context: CliContext,
): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  const { id, name } = await findIntegration(api, reference);
  const question = `Delete the integration ${name}? Its secrets are wiped, and stacks and modules that use it ignore events from then on.`;
  if (!(await isAgreed(question, options, context))) return EXIT_CODES.pending;
  const deleted = await api.change(`${PATH}/${id}`, { method: "DELETE" }, deletedSchema);
  return printDocument(deleted, options, context);
}

/** An integration by its name or its id. @throws as findNamed. */
export function findIntegration(api: ApiClient, reference: string): Promise<Integration> {
  return findNamed(api, reference, {
    path: PATH,
    noun: "integration",
    schema: integrationSchema,
    isNamed: ({ name }, text) => name === text,
  });
}

function standingOf({ details }: Integration): string | null {
  if (details === null) return null;
  const { health, credential } = details;
  const state = health === null ? "not tried" : `${health.state} since ${health.since}`;
  return credential.expires_at === null ? state : `${state}, ends ${credential.expires_at}`;
}
