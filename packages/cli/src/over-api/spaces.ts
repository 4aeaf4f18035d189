/** `sluice space`: the tree that integrations, stacks, modules and keys belong to. */
import { ROOT_SPACE } from "@sluice/domain/space-tree";
import { z } from "zod";

import { type ApiClient, createApiClient } from "../api-client.ts";
import { type CliContext, EXIT_CODES, type ExitCode } from "../cli-context.ts";
import { findApi } from "../find-api.ts";
import { isAgreed } from "./agree.ts";
import type { AgreeOptions, ApiOptions, ListOptions } from "./api-options.ts";
import { findNamed } from "./find-named.ts";
import { printDocument, printList } from "./print-answer.ts";

const PATH = "/v1/spaces";

const spaceSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  parent: z.string().nullable(),
  path: z.array(z.string()),
  inherit_entities: z.boolean(),
});

/** What the command line says of a new space. */
export interface CreateSpaceOptions extends ApiOptions {
  readonly parent: string;
  readonly inherit: boolean;
}

/** What the command line says of a change; undefined: it stays. */
export interface UpdateSpaceOptions extends ApiOptions {
  readonly parent?: string;
  readonly inherit?: boolean;
}

/** The spaces within reach, each below its parent. */
export async function listSpaces(options: ListOptions, context: CliContext): Promise<ExitCode> {
  return printList(
    createApiClient(findApi(options.url, context)),
    {
      path: PATH,
      schema: spaceSchema,
      columns: [
        { title: "SPACE", of: ({ path }) => path.join(" / ") },
        { title: "INHERITS", of: (space) => (space.inherit_entities ? "yes" : "no") },
        { title: "ID", of: ({ id }) => id },
      ],
      empty: "There is no space within your reach.",
    },
    options,
    context,
  );
}

/** Makes a space. */
export async function createSpace(
  name: string,
  { parent, inherit, ...options }: CreateSpaceOptions,
  context: CliContext,
): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  const body = { name, parent, inherit_entities: inherit };
  return printDocument(await api.change(PATH, { method: "POST", body }, spaceSchema), options, context);
}

/** Shows one. */
export async function showSpace(
  reference: string,
  options: ApiOptions,
  context: CliContext,
): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  return printDocument(await findSpace(api, reference), options, context);
}

/** Moves a space, or changes what it inherits; what is not named stays. */
export async function updateSpace(
  reference: string,
  { parent, inherit, ...options }: UpdateSpaceOptions,
  context: CliContext,
): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  const { id } = await findSpace(api, reference);
  const { value: was, etag } = await api.getVersion(`${PATH}/${id}`, spaceSchema);
  // Of a space whose parent is out of reach nothing can be changed, as the API says.
  const body = {
    parent: parent ?? was.parent ?? ROOT_SPACE,
    inherit_entities: inherit ?? was.inherit_entities,
  };
  const change = { method: "PUT", body, headers: { "if-match": etag } } as const;
  return printDocument(await api.change(`${PATH}/${id}`, change, spaceSchema), options, context);
}

/** Deletes an empty space. */
export async function deleteSpace(
  reference: string,
  options: AgreeOptions,
  context: CliContext,
): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  const { id, path } = await findSpace(api, reference);
  if (!(await isAgreed(`Delete the space ${path.join(" / ")}?`, options, context))) return EXIT_CODES.pending;
  const deleted = await api.change(`${PATH}/${id}`, { method: "DELETE" }, spaceSchema);
  return printDocument(deleted, options, context);
}

function findSpace(api: ApiClient, reference: string) {
  return findNamed(api, reference, {
    path: PATH,
    noun: "space",
    schema: spaceSchema,
    isNamed: ({ name }, text) => name === text,
  });
}
