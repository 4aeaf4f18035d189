/** How answers of the API are shown: as JSON, as the API gives them, or for people. */
import { stringify } from "yaml";

import type { ApiClient, Query } from "../api-client.ts";
import type { CliContext } from "../cli-context.ts";
import { EXIT_CODES, type ExitCode } from "../cli-context.ts";
import { type Column, formatTable } from "../text-table.ts";
import type { z } from "zod";
import type { ListOptions } from "./api-options.ts";

/** A list of the API. */
export interface ListedResource<Item> {
  readonly path: string;
  readonly schema: z.ZodType<Item>;
  readonly columns: readonly Column<Item>[];
  readonly query?: Query;
  /** What is said where there is nothing. */
  readonly empty: string;
}

/** Prints a list: a table, or `{ items, next_cursor }`. */
export async function printList<Item>(
  api: ApiClient,
  { path, schema, columns, query, empty }: ListedResource<Item>,
  { limit, all, json }: ListOptions,
  { print, report }: Pick<CliContext, "print" | "report">,
): Promise<ExitCode> {
  const options = { limit: all ? null : limit, ...(query === undefined ? {} : { query }) };
  const { items, nextCursor } = await api.list(path, schema, options);
  if (json) {
    print(toJson({ items, next_cursor: nextCursor }));
    return EXIT_CODES.done;
  }
  print(formatTable(items, columns));
  if (items.length === 0) report(`${empty}\n`);
  if (nextCursor !== null) report("There are more: --limit or --all shows them.\n");
  return EXIT_CODES.done;
}

/** Prints one thing, whole. */
export function printDocument(
  document: unknown,
  { json }: { readonly json: boolean },
  context: Pick<CliContext, "print">,
): ExitCode {
  context.print(json ? toJson(document) : toText(document));
  return EXIT_CODES.done;
}

/** As JSON, for programs. */
export function toJson(document: unknown): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Fields of a document, a line each, for people. What could speak to the terminal is escaped. */
export function toText(document: unknown): string {
  return stringify(document, { lineWidth: 0 }).replaceAll(
    /[^\P{Cc}\n]/gu,
    (control) => String.raw`\x` + control.charCodeAt(0).toString(16).padStart(2, "0"),
  );
}
