/** `sluice delivery`: what came, and what became of it. */
import { z } from "zod";

import { createApiClient } from "../api-client.ts";
import { type CliContext, EXIT_CODES, type ExitCode } from "../cli-context.ts";
import { findApi } from "../find-api.ts";
import type { ApiOptions, ListOptions } from "./api-options.ts";
import { findIntegration } from "./integrations.ts";
import { parsePast } from "./parse-time.ts";
import { printDocument, printList, toJson } from "./print-answer.ts";

const PATH = "/v1/deliveries";

const deliverySchema = z.looseObject({
  id: z.string(),
  request_id: z.string(),
  source: z.string(),
  event_key: z.string(),
  integration: z.looseObject({ name: z.string() }),
  received_at: z.string(),
  outcome: z.string(),
  failure: z.looseObject({ code: z.string() }).nullable(),
});

const bodySchema = z.looseObject({ body_base64: z.string() });

/** Which deliveries are listed. */
export interface ListDeliveriesOptions extends ListOptions {
  readonly integration?: string;
  readonly outcome?: string;
  readonly eventKey?: string;
  readonly since?: string;
  readonly until?: string;
}

/** Lists deliveries, the newest first. */
export async function listDeliveries(options: ListDeliveriesOptions, context: CliContext): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  const { integration, outcome, eventKey, since, until } = options;
  const nowMs = Date.now();
  const query = {
    outcome,
    event_key: eventKey,
    since: since === undefined ? undefined : parsePast(since, nowMs),
    until: until === undefined ? undefined : parsePast(until, nowMs),
    integration_id: integration === undefined ? undefined : (await findIntegration(api, integration)).id,
  };
  return printList(
    api,
    {
      path: PATH,
      schema: deliverySchema,
      query,
      columns: [
        { title: "RECEIVED", of: (delivery) => delivery.received_at },
        { title: "EVENT", of: (delivery) => delivery.event_key },
        { title: "INTEGRATION", of: (delivery) => delivery.integration.name },
        { title: "FROM", of: ({ source }) => source },
        { title: "OUTCOME", of: (each) => (each.failure === null ? each.outcome : each.failure.code) },
        { title: "REQUEST", of: (delivery) => delivery.request_id },
        { title: "ID", of: ({ id }) => id },
      ],
      empty: "There are no such deliveries.",
    },
    options,
    context,
  );
}

/** Shows one with its events and decisions, by its id or by Bitbucket's X-Request-UUID. */
export async function showDelivery(id: string, options: ApiOptions, context: CliContext): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  return printDocument(await api.get(`${PATH}/${encodeURIComponent(id)}`, deliverySchema), options, context);
}

/** Prints what came, as it came; as JSON with its headers. The API notes that somebody looked. */
export async function showBody(
  id: string,
  { url, json }: ApiOptions,
  context: CliContext,
): Promise<ExitCode> {
  const api = createApiClient(findApi(url, context));
  const kept = await api.get(`${PATH}/${encodeURIComponent(id)}/body`, bodySchema);
  context.print(json ? toJson(kept) : Buffer.from(kept.body_base64, "base64").toString("utf8"));
  return EXIT_CODES.done;
}
