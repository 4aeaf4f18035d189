/** `sluice stack` and `sluice module`: two resources of one shape. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { AppError } from "@sluice/domain/app-error";
import type { Target } from "@sluice/domain/target";
import { z } from "zod";

import { createApiClient, type ApiClient } from "../api-client.ts";
import { type CliContext, EXIT_CODES, type ExitCode } from "../cli-context.ts";
import { findApi } from "../find-api.ts";
import { isAgreed } from "./agree.ts";
import type { AgreeOptions, ApiOptions, ListOptions } from "./api-options.ts";
import { findNamed } from "./find-named.ts";
import { printDocument, printList, toJson } from "./print-answer.ts";

/** Which of the two. */
export type TargetKind = Target["kind"];

const targetSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  space: z.string(),
  state: z.string(),
  integration: z.string().nullable(),
  repository: z.string(),
  tracked_branch: z.string(),
  project_root: z.string(),
});

const importedSchema = z.looseObject({
  counts: z.looseObject({
    created: z.int(),
    updated: z.int(),
    unchanged: z.int(),
    removed: z.int(),
  }),
  removed: z.array(z.looseObject({ space: z.string(), name: z.string() })),
});

/** Which targets are listed. */
export interface ListTargetsOptions extends ListOptions {
  readonly space?: string;
  readonly namePrefix?: string;
  readonly label?: string;
  readonly repository?: string;
  readonly integration?: string;
  readonly state?: string;
  readonly externalId?: string;
}

/** Which of several targets of one name. */
export interface InSpace {
  readonly space?: string;
}

/** What the command line says of many targets at once. */
export interface ImportOptions extends AgreeOptions {
  readonly removeMissingIn?: string;
}

/** Lists stacks or modules. */
export async function listTargets(
  kind: TargetKind,
  options: ListTargetsOptions,
  context: CliContext,
): Promise<ExitCode> {
  const { space, label, repository, integration, state, namePrefix, externalId } = options;
  return printList(
    createApiClient(findApi(options.url, context)),
    {
      path: pathOf(kind),
      schema: targetSchema,
      query: {
        space,
        label,
        repository,
        integration,
        state,
        name_prefix: namePrefix,
        external_id: externalId,
      },
      columns: [
        { title: "NAME", of: ({ name }) => name },
        { title: "SPACE", of: (target) => target.space },
        { title: "STATE", of: (target) => target.state },
        { title: "REPOSITORY", of: (target) => target.repository },
        { title: "BRANCH", of: (target) => target.tracked_branch },
        { title: "ROOT", of: (target) => target.project_root },
        { title: "INTEGRATION", of: (target) => target.integration },
        { title: "ID", of: ({ id }) => id },
      ],
      empty: `There is no such ${kind}.`,
    },
    options,
    context,
  );
}

/** Shows one. */
export async function showTarget(
  kind: TargetKind,
  reference: string,
  options: ApiOptions & InSpace,
  context: CliContext,
): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  return printDocument(await findTarget(api, kind, reference, options), options, context);
}

/** Removes one; its history stays. */
export async function deleteTarget(
  kind: TargetKind,
  reference: string,
  options: AgreeOptions & InSpace,
  context: CliContext,
): Promise<ExitCode> {
  const api = createApiClient(findApi(options.url, context));
  const { id, name, space } = await findTarget(api, kind, reference, options);
  if (!(await isAgreed(`Remove the ${kind} ${name} of the space ${space}?`, options, context))) {
    return EXIT_CODES.pending;
  }
  const removed = await api.change(`${pathOf(kind)}/${id}`, { method: "DELETE" }, targetSchema);
  return printDocument(removed, options, context);
}

/** Makes many what a file says, all of them or none. Asks only where some would be removed. */
export async function importTargets(
  kind: TargetKind,
  file: string,
  options: ImportOptions,
  context: CliContext,
): Promise<ExitCode> {
  const items = await readItems(file, context);
  const { removeMissingIn: space, json } = options;
  const question = `Remove all ${kind}s of the space ${space ?? ""} that are not in the file?`;
  if (space !== undefined && !(await isAgreed(question, options, context))) return EXIT_CODES.pending;
  const api = createApiClient(findApi(options.url, context));
  const body = { items, ...(space === undefined ? {} : { remove_missing_in: space }) };
  const imported = await api.change(`${pathOf(kind)}/bulk`, { method: "POST", body }, importedSchema);
  const { created, updated, unchanged, removed } = imported.counts;
  const counts = `${String(created)} created, ${String(updated)} changed, ${String(unchanged)} as they were, ${String(removed)} removed.\n`;
  context.print(json ? toJson(imported) : counts);
  return EXIT_CODES.done;
}

/** A stack or a module by its name or its id. @throws as findNamed. */
export function findTarget(api: ApiClient, kind: TargetKind, reference: string, { space }: InSpace) {
  return findNamed(api, reference, {
    path: pathOf(kind),
    noun: kind,
    schema: targetSchema,
    query: { space, name_prefix: reference.normalize("NFC") },
    isNamed: ({ name }, text) => name === text,
    tellApart: "say which by --space <name>, or name one by its id",
  });
}

function pathOf(kind: TargetKind): string {
  return `/v1/${kind}s`;
}

const fileSchema = z.union([
  z.array(z.unknown()),
  z.looseObject({ items: z.array(z.unknown()) }).transform(({ items }) => items),
]);

/** What is wrong with an entry the API says; it is asked for nothing while the file is no list. */
async function readItems(file: string, { readLines, workingDirectory }: CliContext): Promise<unknown[]> {
  let text = "";
  if (file === "-") {
    for await (const line of readLines()) text += `${line}\n`;
  } else {
    text = await readFile(resolve(workingDirectory, file), "utf8").catch((cause: unknown) => {
      throw new AppError("file_unreadable", `cannot read ${file}`, { retry: "never", cause });
    });
  }
  try {
    const items = fileSchema.safeParse(JSON.parse(text));
    if (items.success) return items.data;
  } catch {
    // Told below, as is a file that is JSON and no list.
  }
  const message = `${file} is not a list of entries in JSON: [{ "name": … }], or { "items": [ … ] }`;
  throw new AppError("file_unreadable", message, { retry: "never" });
}
