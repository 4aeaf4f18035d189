/** `sluice key`: keys of the API. */
import type { Role } from "@sluice/domain/access";
import { z } from "zod";

import { createApiClient, type ApiClient } from "../api-client.ts";
import { type CliContext, EXIT_CODES, type ExitCode } from "../cli-context.ts";
import { findApi } from "../find-api.ts";
import { isAgreed } from "./agree.ts";
import type { AgreeOptions, ApiOptions, ListOptions } from "./api-options.ts";
import { findNamed } from "./find-named.ts";
import { printDocument, printList, toJson, toText } from "./print-answer.ts";
import { parseEnd } from "./parse-time.ts";

const keySchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  prefix: z.string(),
  role: z.string(),
  space: z.string(),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
  last_used_at: z.string().nullable(),
});

const madeSchema = keySchema.extend({ key: z.string() });

/** What the command line says of a new key. */
export interface CreateKeyOptions extends ApiOptions {
  readonly role: Role;
  readonly space: string;
  readonly expires?: string;
}

/** The keys of the spaces that this one administers. */
export async function listKeys(options: ListOptions, context: CliContext): Promise<ExitCode> {
  return printList(
    createApiClient(findApi(options.url, context)),
    {
      path: "/v1/api-keys",
      schema: keySchema,
      columns: [
        { title: "NAME", of: ({ name }) => name },
        { title: "KEY", of: ({ prefix }) => `${prefix}…` },
        { title: "ROLE", of: ({ role }) => role },
        { title: "SPACE", of: ({ space }) => space },
        { title: "LAST USED", of: (key) => key.last_used_at },
        {
          title: "ENDS",
          of: (key) => (key.revoked_at === null ? key.expires_at : `revoked ${key.revoked_at}`),
        },
        { title: "ID", of: ({ id }) => id },
      ],
      empty: "There are no keys.",
    },
    options,
    context,
  );
}

/** Makes a key. The key itself is all that goes to standard output, so that it can be put where it belongs. */
export async function createKey(
  name: string,
  { role, space, expires, url, json }: CreateKeyOptions,
  context: CliContext,
): Promise<ExitCode> {
  const api = createApiClient(findApi(url, context));
  const end = expires === undefined ? {} : { expires_at: parseEnd(expires, Date.now()) };
  const body = { name, role, space, ...end };
  const made = await api.change("/v1/api-keys", { method: "POST", body }, madeSchema);
  if (json) {
    context.print(toJson(made));
  } else {
    const { key, ...facts } = made;
    context.report(`${toText(facts)}The key is shown this once:\n`);
    context.print(`${key}\n`);
  }
  return EXIT_CODES.done;
}

/** Shows a key, named as for revokeKey. */
export async function showKey(
  reference: string,
  options: ApiOptions,
  context: CliContext,
): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  return printDocument(await findKey(api, reference), options, context);
}

/** Revokes a key, by its id, its name or its beginning. */
export async function revokeKey(
  reference: string,
  options: AgreeOptions,
  context: CliContext,
): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  const { id, name, role, space } = await findKey(api, reference);
  const question = `Revoke the key "${name}" (${role} on ${space})? It is refused from the next request on.`;
  if (!(await isAgreed(question, options, context))) return EXIT_CODES.pending;
  const revoked = await api.change(`/v1/api-keys/${id}`, { method: "DELETE" }, keySchema);
  return printDocument(revoked, options, context);
}

/** One that is revoked is found by its id alone: another may have its name. */
function findKey(api: ApiClient, reference: string) {
  return findNamed(api, reference, {
    path: "/v1/api-keys",
    noun: "key",
    schema: keySchema,
    isNamed: (key, text) => key.revoked_at === null && (key.name === text || key.prefix === text),
    tellApart: "name one by its id or by its beginning (`sluice key list`)",
  });
}
