/** `sluice webhook`: webhooks at Bitbucket, planned and then applied as they were seen. */
import { z } from "zod";

import { type ApiClient, createApiClient } from "../api-client.ts";
import { type CliContext, EXIT_CODES, type ExitCode } from "../cli-context.ts";
import { findApi } from "../find-api.ts";
import { usageInvalid } from "../usage-error.ts";
import { isAgreed } from "./agree.ts";
import type { AgreeOptions, ApiOptions } from "./api-options.ts";
import { findIntegration } from "./integrations.ts";
import { toJson } from "./print-answer.ts";
import {
  type AppliedItem,
  appliedItemSchema,
  describeApplied,
  describePlanned,
  isWrong,
  type PlannedItem,
  plannedItemSchema,
} from "./webhook-report.ts";

/** A page of repositories is done in several requests where Bitbucket is slow; each has to get further. */
const MAX_ROUNDS = 50;

const planSchema = z.looseObject({
  items: z.array(plannedItemSchema),
  next_cursor: z.string().nullable(),
  plan_digest: z.string(),
});

const reportSchema = z.looseObject({
  items: z.array(appliedItemSchema),
  not_reached: z.array(z.string()),
  is_complete: z.boolean(),
});

type Report = z.output<typeof reportSchema>;

/** What the command line says: one of the three places. */
export interface WebhookOptions extends ApiOptions {
  readonly repository?: string;
  readonly workspace?: string;
  readonly targets: boolean;
  readonly remove: boolean;
  readonly renewSecret: boolean;
}

/** One request to plan, or to apply, what is on one page. */
interface Page {
  readonly request: Readonly<Record<string, unknown>>;
  readonly items: readonly PlannedItem[];
  readonly digest: string;
}

/** Shows what would be done. Exit code 3 when something would, 1 when it could not be seen everywhere. */
export async function planWebhooks(
  reference: string,
  options: WebhookOptions,
  context: CliContext,
): Promise<ExitCode> {
  const wish = readWish(options);
  const api = createApiClient(findApi(options.url, context));
  const { id } = await findIntegration(api, reference);
  const items = (await planAll(api, id, wish)).flatMap((page) => page.items);
  context.print(options.json ? toJson({ items }) : items.map(describePlanned).join(""));
  if (items.some(isWrong)) return EXIT_CODES.failed;
  return hasActions(items) ? EXIT_CODES.pending : EXIT_CODES.done;
}

/** Does what was seen, and nothing else. Exit code 1 when something is left. */
export async function applyWebhooks(
  reference: string,
  options: WebhookOptions & AgreeOptions,
  context: CliContext,
): Promise<ExitCode> {
  const wish = readWish(options);
  const api = createApiClient(findApi(options.url, context));
  const { id } = await findIntegration(api, reference);
  const pages = await planAll(api, id, wish);
  const planned = pages.flatMap((page) => page.items);
  if (!options.json) context.print(planned.map(describePlanned).join(""));
  const isNeeded = hasActions(planned);
  if (isNeeded && !(await isAgreed("Do this at Bitbucket?", options, context))) return EXIT_CODES.pending;
  const reports: Report[] = [];
  for (const page of isNeeded ? pages : []) reports.push(await applyPage(api, id, page));
  const items = reports.flatMap((report) => report.items);
  const notReached = reports.flatMap((report) => report.not_reached);
  const isComplete = reports.every((report) => report.is_complete) && !planned.some(isWrong);
  if (options.json) {
    context.print(toJson({ items, not_reached: notReached, is_complete: isComplete }));
  } else {
    context.print(items.map(describeApplied).join(""));
    if (notReached.length > 0)
      context.report(`There was no time for ${notReached.join(", ")}: run it again.\n`);
    if (!isNeeded && isComplete) context.print("Nothing is to be done.\n");
  }
  return isComplete ? EXIT_CODES.done : EXIT_CODES.failed;
}

/** Every page of the place, each with what was seen of it. */
async function planAll(api: ApiClient, id: string, wish: Page["request"]): Promise<Page[]> {
  const pages: Page[] = [];
  let cursor: string | null = null;
  do {
    const request: Page["request"] = { ...wish, ...(cursor === null ? {} : { cursor }) };
    const path = `/v1/integrations/${id}/webhooks/plan`;
    const plan: z.output<typeof planSchema> = await api.change(
      path,
      { method: "POST", body: request },
      planSchema,
    );
    pages.push({ request, items: plan.items, digest: plan.plan_digest });
    cursor = plan.next_cursor;
  } while (cursor !== null);
  return pages;
}

/** Asks again for as long as time was all that was missing, and something was done. */
async function applyPage(api: ApiClient, id: string, { request, digest }: Page): Promise<Report> {
  const done = new Map<string, AppliedItem>();
  for (let round = 1; ; round += 1) {
    const change = { method: "POST", body: { ...request, plan_digest: digest } } as const;
    const report = await api.change(`/v1/integrations/${id}/webhooks/apply`, change, reportSchema);
    for (const item of report.items) done.set(item.name, joinRounds(done.get(item.name), item));
    const wasDone = report.items.some((item) => item.done.length > 0);
    if (report.is_complete || !wasDone || !isOnlyLate(report) || round >= MAX_ROUNDS) {
      return { ...report, items: [...done.values()] };
    }
  }
}

/** What was done in an earlier round was done. */
function joinRounds(before: AppliedItem | undefined, item: AppliedItem): AppliedItem {
  if (before === undefined || before.done.length === 0) return item;
  const state = item.state === "unchanged" ? "applied" : item.state;
  return { ...item, state, done: [...before.done, ...item.done] };
}

function isOnlyLate({ items }: Report): boolean {
  return items.every(({ problem }) => problem === null);
}

function hasActions(items: readonly PlannedItem[]): boolean {
  return items.some(({ actions }) => actions.length > 0);
}

/** @throws AppError `usage_invalid` */
function readWish({ repository, workspace, targets, remove, renewSecret }: WebhookOptions): Page["request"] {
  const scopes = [
    ...(repository === undefined ? [] : [{ repository }]),
    ...(workspace === undefined ? [] : [{ workspace }]),
    ...(targets ? ["targets"] : []),
  ];
  const [scope, ...others] = scopes;
  if (scope === undefined || others.length > 0) {
    throw usageInvalid("say where: --repository <name>, --workspace <name> or --targets");
  }
  if (remove && renewSecret) throw usageInvalid("give one of --remove and --renew-secret");
  return { scope, remove, renew_secret: renewSecret };
}
