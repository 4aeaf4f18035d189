/** `sluice decision`: what each event meant for each target, and why. */
import { z } from "zod";

import { createApiClient } from "../api-client.ts";
import type { CliContext, ExitCode } from "../cli-context.ts";
import { findApi } from "../find-api.ts";
import type { ApiOptions, ListOptions } from "./api-options.ts";
import { parsePast } from "./parse-time.ts";
import { printDocument, printList } from "./print-answer.ts";

const PATH = "/v1/decisions";

const decisionSchema = z.looseObject({
  id: z.string(),
  outcome: z.string(),
  reason: z.string(),
  sentence: z.string(),
  target: z.looseObject({ kind: z.string(), name: z.string() }).nullable(),
  decided_at: z.string(),
});

/** Which decisions are listed. */
export interface ListDecisionsOptions extends ListOptions {
  readonly event?: string;
  readonly outcome?: string;
  readonly reason?: string;
  readonly since?: string;
}

/** Lists decisions, the newest first. */
export async function listDecisions(options: ListDecisionsOptions, context: CliContext): Promise<ExitCode> {
  const { event, outcome, reason, since } = options;
  return printList(
    createApiClient(findApi(options.url, context)),
    {
      path: PATH,
      schema: decisionSchema,
      query: {
        event_id: event,
        outcome,
        reason,
        since: since === undefined ? undefined : parsePast(since, Date.now()),
      },
      columns: [
        { title: "DECIDED", of: (decision) => decision.decided_at },
        { title: "TARGET", of: ({ target }) => target && `${target.kind} ${target.name}` },
        { title: "OUTCOME", of: ({ outcome: became }) => became },
        { title: "WHY", of: ({ sentence }) => sentence },
        { title: "ID", of: ({ id }) => id },
      ],
      empty: "There are no such decisions.",
    },
    options,
    context,
  );
}

/** Shows one. */
export async function showDecision(id: string, options: ApiOptions, context: CliContext): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  return printDocument(await api.get(`${PATH}/${encodeURIComponent(id)}`, decisionSchema), options, context);
}
