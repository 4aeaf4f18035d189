/** `sluice pull-request`: what is known of each by now. */
import { z } from "zod";

import { createApiClient } from "../api-client.ts";
import type { CliContext, ExitCode } from "../cli-context.ts";
import { findApi } from "../find-api.ts";
import { usageInvalid } from "../usage-error.ts";
import type { ApiOptions, ListOptions } from "./api-options.ts";
import { printDocument, printList } from "./print-answer.ts";
import { findRepository } from "./repositories.ts";

const PATH = "/v1/pull-requests";
const REFERENCE = /^([^/#\s]+\/[^/#\s]+)#([1-9]\d{0,8})$/;

const pullRequestSchema = z.looseObject({
  repository: z.string(),
  number: z.int(),
  title: z.string(),
  state: z.string(),
  is_approved: z.boolean(),
  source: z.looseObject({ branch: z.string() }),
  destination: z.looseObject({ branch: z.string() }),
  updated_on: z.string(),
});

/** Which pull requests are listed. */
export interface ListPullRequestsOptions extends ListOptions {
  readonly repository?: string;
  readonly state?: string;
  readonly sourceBranch?: string;
}

/** Lists pull requests. */
export async function listPullRequests(
  options: ListPullRequestsOptions,
  context: CliContext,
): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  const { repository, state, sourceBranch } = options;
  const repositoryId = repository === undefined ? undefined : (await findRepository(api, repository)).id;
  return printList(
    api,
    {
      path: PATH,
      schema: pullRequestSchema,
      query: { state, source_branch: sourceBranch, repository_id: repositoryId },
      columns: [
        { title: "PULL REQUEST", of: (each) => `${each.repository}#${String(each.number)}` },
        { title: "STATE", of: (each) => each.state },
        { title: "APPROVED", of: (each) => (each.is_approved ? "yes" : "no") },
        { title: "FROM", of: ({ source }) => source.branch },
        { title: "INTO", of: ({ destination }) => destination.branch },
        { title: "UPDATED", of: (each) => each.updated_on },
        { title: "TITLE", of: ({ title }) => title },
      ],
      empty: "There are no such pull requests.",
    },
    options,
    context,
  );
}

/** Shows one, named `workspace/repository#12`, with its approvals, commits and last events. */
export async function showPullRequest(
  reference: string,
  options: ApiOptions,
  context: CliContext,
): Promise<ExitCode> {
  const [, repository, number] = REFERENCE.exec(reference) ?? [];
  if (repository === undefined || number === undefined) {
    throw usageInvalid(`${reference} names no pull request: write workspace/repository#12`);
  }
  const api = createApiClient(findApi(options.url, context));
  const { id } = await findRepository(api, repository);
  return printDocument(await api.get(`${PATH}/${id}/${number}`, pullRequestSchema), options, context);
}
