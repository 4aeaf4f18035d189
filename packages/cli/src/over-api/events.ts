/** `sluice event`: what deliveries said, and what each event meant or waits for. */
import { z } from "zod";

import { createApiClient } from "../api-client.ts";
import type { CliContext, ExitCode } from "../cli-context.ts";
import { findApi } from "../find-api.ts";
import { usageInvalid } from "../usage-error.ts";
import type { ApiOptions, ListOptions } from "./api-options.ts";
import { printDocument, printList } from "./print-answer.ts";
import { findRepository } from "./repositories.ts";

const PATH = "/v1/events";
const SHOWN_DIGITS = 12;

const eventSchema = z.looseObject({
  id: z.string(),
  event_key: z.string(),
  received_at: z.string(),
  repository: z.string().nullable(),
  ref_name: z.string().nullable(),
  pull_request_number: z.int().nullable(),
  change: z.string().nullable(),
  action: z.string().nullable(),
  new_sha: z.string().nullable(),
  decided_at: z.string().nullable(),
});

/** Which events are listed. */
export interface ListEventsOptions extends ListOptions {
  readonly repository?: string;
  readonly kind?: string;
  readonly eventKey?: string;
  readonly commit?: string;
  readonly pullRequest?: number;
  readonly undecided: boolean;
}

/** Lists events, the newest first. */
export async function listEvents(options: ListEventsOptions, context: CliContext): Promise<ExitCode> {
  const { repository, kind, eventKey, commit, pullRequest, undecided } = options;
  if (pullRequest !== undefined && repository === undefined) {
    throw usageInvalid("--pull-request needs --repository: each repository has its own numbers");
  }
  const api = createApiClient(findApi(options.url, context));
  const query = {
    kind,
    event_key: eventKey,
    commit,
    pull_request: pullRequest,
    undecided: undecided ? true : undefined,
    repository_id: repository === undefined ? undefined : (await findRepository(api, repository)).id,
  };
  return printList(
    api,
    {
      path: PATH,
      schema: eventSchema,
      query,
      columns: [
        { title: "RECEIVED", of: (event) => event.received_at },
        { title: "EVENT", of: (event) => event.event_key },
        { title: "REPOSITORY", of: (event) => event.repository },
        { title: "OF", of: nameSubject },
        { title: "WHAT", of: ({ change, action }) => change ?? action },
        { title: "COMMIT", of: (event) => event.new_sha?.slice(0, SHOWN_DIGITS) },
        { title: "DECIDED", of: (event) => event.decided_at ?? "waits" },
        { title: "ID", of: ({ id }) => id },
      ],
      empty: "There are no such events.",
    },
    options,
    context,
  );
}

/** Shows one with its decisions, or with what it waits for. */
export async function showEvent(id: string, options: ApiOptions, context: CliContext): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  return printDocument(await api.get(`${PATH}/${encodeURIComponent(id)}`, eventSchema), options, context);
}

function nameSubject(event: z.output<typeof eventSchema>): string | null {
  const { pull_request_number: number, ref_name: refName } = event;
  return number === null ? refName : `#${String(number)}`;
}
