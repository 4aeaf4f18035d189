/** Plans and what became of them, as the API shows them. */
import type { AppError } from "@sluice/domain/app-error";
import {
  planHooks,
  type DesiredHook,
  type HookAction,
  type HookDrift,
  type HookWish,
} from "@sluice/domain/webhook-plan";
import { manualSteps } from "@sluice/domain/webhook-steps";

import type { Applied } from "./webhooks-apply.ts";
import { isRefused, type HookedThing, type Looked } from "./webhooks-look.ts";
import type { AppliedItem, PlanItem } from "./webhooks-schema.ts";

/** What every item is shown with. */
export interface Shown {
  readonly desired: DesiredHook;
  readonly wish: HookWish;
  /** Where an admin of the integration reads the secret. */
  readonly secretPath: string;
}

/** What was found, and what would be done. */
export function toPlanItem(looked: Looked, shown: Shown): PlanItem {
  const { thing } = looked;
  if (looked.kind === "read") {
    return {
      ...nameThing(thing),
      state: "read",
      covered_by_workspace: looked.isCovered,
      drift: looked.plan.drift.map(toDrift),
      actions: looked.plan.actions.map(toAction),
      problem: null,
      manual: null,
    };
  }
  return { ...toUnseen(looked, shown), state: looked.kind, actions: [] };
}

/** What became of one thing: `applied` is what was done, also when that is nothing. */
export type Handled =
  | { readonly looked: Extract<Looked, { kind: "read" }>; readonly applied: Applied }
  | { readonly looked: Exclude<Looked, { kind: "read" }>; readonly applied: null };

/** What was done. */
export function toAppliedItem(handled: Handled, shown: Shown): AppliedItem {
  if (handled.applied === null) {
    return { ...toUnseen(handled.looked, shown), state: handled.looked.kind, ...NOTHING_DONE };
  }
  const { looked, applied } = handled;
  const { thing, isCovered } = looked;
  const { done, left, failure } = applied;
  return {
    ...nameThing(thing),
    state: left.length > 0 ? "incomplete" : done.length > 0 ? "applied" : "unchanged",
    covered_by_workspace: isCovered,
    drift: afterwards(handled, shown.desired).plan.drift.map(toDrift),
    done: done.map(({ action, hookId }) => ({ ...toAction(action), hook_id: hookId })),
    left: left.map(toAction),
    is_uncertain: failure?.isUncertain ?? false,
    problem: failure === null ? null : toProblem(failure.error),
    manual: isRefused(failure?.error) ? toManual(thing, left, shown) : null,
  };
}

/** As if it were looked at again. */
export function afterwards(
  { looked, applied }: Extract<Handled, { applied: Applied }>,
  desired: DesiredHook,
): Extract<Looked, { kind: "read" }> {
  const { existing } = applied;
  const plan = planHooks({ desired, existing, wish: "provision", isCovered: looked.isCovered });
  return { ...looked, existing, plan };
}

const NOTHING_DONE = { done: [], left: [], is_uncertain: false };

function nameThing({ subject, name, repositoryId }: HookedThing) {
  return { kind: subject.kind, name, repository_id: repositoryId };
}

function toUnseen(looked: Exclude<Looked, { kind: "read" }>, shown: Shown) {
  return {
    ...nameThing(looked.thing),
    covered_by_workspace: false,
    drift: [],
    problem: toProblem(looked.error),
    manual: looked.kind === "unreadable" ? toManual(looked.thing, null, shown) : null,
  };
}

function toManual(
  { subject }: HookedThing,
  actions: readonly HookAction[] | null,
  { desired, wish, secretPath }: Shown,
): NonNullable<PlanItem["manual"]> {
  const { recommendedBoxes, boxes, page, title, url, steps } = manualSteps({
    subject,
    desired,
    actions,
    wish,
    secretPath,
  });
  return {
    page,
    title,
    url,
    boxes: boxes.map(({ box }) => box),
    recommended_boxes: recommendedBoxes.map(({ box }) => box),
    secret_at: secretPath,
    steps: [...steps],
  };
}

function toProblem({ code, message, retry }: AppError): NonNullable<PlanItem["problem"]> {
  return { code, message, retry_after_ms: typeof retry === "object" ? Math.ceil(retry.afterMs) : null };
}

function toDrift({ kind, hookId, detail }: HookDrift): PlanItem["drift"][number] {
  return { kind, hook_id: hookId, detail };
}

function toAction(action: HookAction): PlanItem["actions"][number] {
  const settings = action.kind === "delete" ? null : action.settings;
  return {
    kind: action.kind,
    hook_id: action.kind === "create" ? null : action.hookId,
    reasons: [...action.reasons],
    current_url: action.kind === "create" ? null : action.currentUrl,
    url: settings?.url ?? null,
    title: settings?.title ?? null,
    events: [...(settings?.events ?? [])],
  };
}
