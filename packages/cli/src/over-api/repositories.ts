/** `sluice repository`: what came from each, and what never did. */
import { z } from "zod";

import { type ApiClient, createApiClient } from "../api-client.ts";
import type { CliContext, ExitCode } from "../cli-context.ts";
import { findApi } from "../find-api.ts";
import type { ApiOptions, ListOptions } from "./api-options.ts";
import { findNamed } from "./find-named.ts";
import { printDocument, printList } from "./print-answer.ts";

const PATH = "/v1/repositories";

const repositorySchema = z.looseObject({
  id: z.string(),
  full_name: z.string(),
  integration: z.string(),
  targets: z.looseObject({ stacks: z.int(), modules: z.int() }),
  sweep: z.looseObject({
    swept_at: z.string().nullable(),
    found: z.int(),
    failure: z.looseObject({ code: z.string() }).nullable(),
  }),
  last_deliveries: z.array(z.looseObject({ at: z.string() })),
  webhooks: z
    .looseObject({ drift: z.array(z.looseObject({ kind: z.string() })), unreadable: z.string().nullable() })
    .nullable(),
});

type Repository = z.output<typeof repositorySchema>;

/** Which repositories are listed. */
export interface ListRepositoriesOptions extends ListOptions {
  readonly integration?: string;
  readonly namePrefix?: string;
}

/** Lists repositories. */
export async function listRepositories(
  options: ListRepositoriesOptions,
  context: CliContext,
): Promise<ExitCode> {
  const { integration, namePrefix } = options;
  return printList(
    createApiClient(findApi(options.url, context)),
    {
      path: PATH,
      schema: repositorySchema,
      query: { integration, name_prefix: namePrefix },
      columns: [
        { title: "REPOSITORY", of: (repository) => repository.full_name },
        { title: "INTEGRATION", of: (repository) => repository.integration },
        { title: "STACKS", of: ({ targets }) => targets.stacks },
        { title: "MODULES", of: ({ targets }) => targets.modules },
        { title: "LAST DELIVERY", of: (repository) => latestOf(repository) },
        { title: "SWEPT", of: ({ sweep }) => (sweep.failure === null ? sweep.swept_at : sweep.failure.code) },
        { title: "WEBHOOKS", of: describeWebhooks },
        { title: "ID", of: ({ id }) => id },
      ],
      empty: "There is no such repository.",
    },
    options,
    context,
  );
}

/** Shows one. */
export async function showRepository(
  reference: string,
  { integration, ...options }: ApiOptions & { readonly integration?: string },
  context: CliContext,
): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  const repository = await findRepository(api, reference, integration);
  return printDocument(repository, options, context);
}

/** A repository by `workspace/slug`, in any case, or by its id. @throws as findNamed. */
export function findRepository(api: ApiClient, reference: string, integration?: string): Promise<Repository> {
  return findNamed(api, reference, {
    path: PATH,
    noun: "repository",
    schema: repositorySchema,
    query: { integration, name_prefix: reference },
    isNamed: (each, name) => each.full_name.toLowerCase() === name.toLowerCase(),
    tellApart: "say which by --integration <name>, or name one by its id",
  });
}

function latestOf({ last_deliveries: deliveries }: Repository): string | null {
  return (
    deliveries
      .map(({ at }) => at)
      .toSorted()
      .at(-1) ?? null
  );
}

function describeWebhooks({ webhooks }: Repository): string {
  if (webhooks === null) return "not looked at";
  if (webhooks.unreadable !== null) return "unreadable";
  return webhooks.drift.length === 0 ? "ok" : webhooks.drift.map(({ kind }) => kind).join(", ");
}
