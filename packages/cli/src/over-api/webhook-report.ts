/** What is planned and done about webhooks, in words. */
import { z } from "zod";

import { toOneLine } from "../one-line.ts";

const actionSchema = z.looseObject({
  kind: z.enum(["create", "update", "delete"]),
  hook_id: z.string().nullable(),
  reasons: z.array(z.string()),
  current_url: z.string().nullable(),
  url: z.string().nullable(),
});

const itemFields = {
  name: z.string(),
  covered_by_workspace: z.boolean(),
  drift: z.array(z.looseObject({ kind: z.string(), detail: z.string() })),
  problem: z.looseObject({ code: z.string(), message: z.string() }).nullable(),
  manual: z.looseObject({ page: z.string(), steps: z.array(z.string()) }).nullable(),
};

/** A repository, or a workspace, of a plan. */
export const plannedItemSchema = z.looseObject({
  ...itemFields,
  state: z.enum(["read", "unreadable", "failed"]),
  actions: z.array(actionSchema),
});

/** A repository, or a workspace, of what was done. */
export const appliedItemSchema = z.looseObject({
  ...itemFields,
  state: z.enum(["unchanged", "applied", "incomplete", "unreadable", "failed"]),
  done: z.array(actionSchema),
  left: z.array(actionSchema),
  is_uncertain: z.boolean(),
});

/** One of them. */
export type PlannedItem = z.output<typeof plannedItemSchema>;
/** One of them. */
export type AppliedItem = z.output<typeof appliedItemSchema>;

const SIGNS = { create: "+", update: "~", delete: "-" } as const;

/** Whether it could not be seen what is there. */
export function isWrong({ state }: PlannedItem): boolean {
  return state !== "read";
}

/** Lines for one repository. */
export function describePlanned(item: PlannedItem): string {
  const isWell = item.state === "read" && item.actions.length === 0;
  const head = isWell
    ? item.covered_by_workspace
      ? "the webhook of the workspace sends all"
      : "as it should be"
    : "";
  return toLines(item, head, [
    ...item.actions.map((action) => describeAction(SIGNS[action.kind], action)),
    ...describeTrouble(item),
  ]);
}

/** Lines for one repository. */
export function describeApplied(item: AppliedItem): string {
  const uncertain = item.is_uncertain
    ? ["! the next one may have been done: Bitbucket's answer was lost"]
    : [];
  return toLines(item, item.state, [
    ...item.done.map((action) => describeAction(`done ${SIGNS[action.kind]}`, action)),
    ...uncertain,
    ...item.left.map((action) => describeAction(`left ${SIGNS[action.kind]}`, action)),
    ...describeTrouble(item),
  ]);
}

function toLines({ name }: { readonly name: string }, head: string, lines: readonly string[]): string {
  const first = head === "" ? name : `${name}: ${head}`;
  return [first, ...lines.map((line) => `  ${line}`)].map((line) => `${toOneLine(line)}\n`).join("");
}

function describeAction(
  sign: string,
  { kind, url, current_url: currentUrl, reasons }: z.output<typeof actionSchema>,
): string {
  return `${sign} ${kind} ${url ?? currentUrl ?? "the webhook"} (${reasons.join(", ")})`;
}

function describeTrouble({ problem, manual }: Pick<PlannedItem, "problem" | "manual">): string[] {
  return [
    ...(problem === null ? [] : [`! ${problem.message} (${problem.code})`]),
    ...(manual === null ? [] : [`by hand, at ${manual.page}`, ...manual.steps.map((step) => `  ${step}`)]),
  ];
}
