/** `sluice trigger list`, `show`, `history`. */
import { z } from "zod";

import { type ApiClient, createApiClient } from "../api-client.ts";
import type { CliContext, ExitCode } from "../cli-context.ts";
import { findApi } from "../find-api.ts";
import { usageInvalid } from "../usage-error.ts";
import type { ApiOptions, ListOptions } from "./api-options.ts";
import { printDocument, printList } from "./print-answer.ts";
import { findRepository } from "./repositories.ts";
import { findTarget } from "./targets.ts";

const PATH = "/v1/triggers";
const SHOWN_DIGITS = 12;

const triggerSchema = z.looseObject({
  id: z.string(),
  run_type: z.string(),
  state: z.string(),
  created_at: z.string(),
  lease: z.looseObject({ holder: z.string() }).nullable(),
  target: z.looseObject({ kind: z.string(), name: z.string(), space: z.string() }),
  checkout: z.looseObject({ ref_name: z.string(), sha: z.string() }),
});

const changeSchema = z.looseObject({
  at: z.string(),
  state: z.string(),
  actor: z.string(),
  note: z.string().nullable(),
});

/** Which triggers are listed. */
export interface ListTriggersOptions extends ListOptions {
  readonly state?: readonly string[];
  readonly runType?: string;
  readonly kind?: string;
  readonly stack?: string;
  readonly module?: string;
  readonly space?: string;
  readonly repository?: string;
  readonly commit?: string;
}

/** Lists triggers, the newest first. */
export async function listTriggers(options: ListTriggersOptions, context: CliContext): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  const { state, runType, kind, space, commit, repository } = options;
  const query = {
    state,
    run_type: runType,
    kind,
    space,
    commit,
    target_id: await findTargetId(api, options),
    repository_id: repository === undefined ? undefined : (await findRepository(api, repository)).id,
  };
  return printList(
    api,
    {
      path: PATH,
      schema: triggerSchema,
      query,
      columns: [
        { title: "CREATED", of: (trigger) => trigger.created_at },
        { title: "STATE", of: (trigger) => trigger.state },
        { title: "TYPE", of: (trigger) => trigger.run_type },
        { title: "TARGET", of: ({ target }) => `${target.kind} ${target.name}` },
        { title: "SPACE", of: ({ target }) => target.space },
        { title: "REF", of: ({ checkout }) => checkout.ref_name },
        { title: "COMMIT", of: ({ checkout }) => checkout.sha.slice(0, SHOWN_DIGITS) },
        { title: "HELD BY", of: ({ lease }) => lease?.holder },
        { title: "ID", of: ({ id }) => id },
      ],
      empty: "There are no such triggers.",
    },
    options,
    context,
  );
}

/** Shows one. */
export async function showTrigger(id: string, options: ApiOptions, context: CliContext): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  return printDocument(await api.get(`${PATH}/${encodeURIComponent(id)}`, triggerSchema), options, context);
}

/** Lists what happened to one, the latest first. */
export async function listHistory(id: string, options: ListOptions, context: CliContext): Promise<ExitCode> {
  return printList(
    createApiClient(findApi(options.url, context)),
    {
      path: `${PATH}/${encodeURIComponent(id)}/history`,
      schema: changeSchema,
      columns: [
        { title: "AT", of: ({ at }) => at },
        { title: "STATE", of: ({ state }) => state },
        { title: "BY", of: ({ actor }) => actor },
        { title: "NOTE", of: ({ note }) => note },
      ],
      empty: "Nothing has happened to it.",
    },
    options,
    context,
  );
}

async function findTargetId(
  api: ApiClient,
  { stack, module, space }: ListTriggersOptions,
): Promise<string | undefined> {
  if (stack !== undefined && module !== undefined) throw usageInvalid("give one of --stack and --module");
  const inSpace = space === undefined ? {} : { space };
  if (stack !== undefined) return (await findTarget(api, "stack", stack, inSpace)).id;
  return module === undefined ? undefined : (await findTarget(api, "module", module, inSpace)).id;
}
