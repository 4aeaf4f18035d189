/** Does at Bitbucket what was planned for one repository or workspace, and says honestly how far it got. */
import type { BitbucketClient } from "@sluice/bitbucket/client";
import { mayHaveBeenDone, type HookContent, type HookOwner } from "@sluice/bitbucket/hook";
import { AppError } from "@sluice/domain/app-error";
import { assertNever } from "@sluice/domain/assert-never";
import type { DesiredHook, ExistingHook, HookAction, HookSettings } from "@sluice/domain/webhook-plan";
import { recogniseWebhookUrl } from "@sluice/domain/webhook-url";

import type { Looked } from "./webhooks-look.ts";

/** An action that was done. */
export interface DoneAction {
  readonly action: HookAction;
  /** Of the webhook that was made, changed or deleted. */
  readonly hookId: string;
}

/** How far the actions of one thing got. */
export interface Applied {
  readonly done: readonly DoneAction[];
  /** In order; the first is the one that failed, if there is a failure. */
  readonly left: readonly HookAction[];
  /** Null: nothing failed, and what is left was not begun in time. */
  readonly failure: { readonly error: AppError; readonly isUncertain: boolean } | null;
  /** The webhooks as they are now. */
  readonly existing: readonly ExistingHook[];
}

/** What actions are done with. */
export interface ApplyOptions {
  readonly client: BitbucketClient;
  readonly desired: DesiredHook;
  readonly secret: string;
  readonly mayChange: () => boolean;
  /** Called before each webhook that is changed. @throws when it is not to be changed any more. */
  readonly checkStanding: () => Promise<void>;
  /** Called after each webhook that was changed, or may have been. */
  readonly onChanged: (change: {
    readonly action: HookAction;
    /** Null: it was to be made, and nobody knows whether it was. */
    readonly hookId: string | null;
    readonly isCertain: boolean;
  }) => Promise<void>;
}

/**
 * One action after the other. The first failure ends it: a webhook is only deleted once the one that stays is sound.
 * @throws what `checkStanding` and `onChanged` throw, and what is no `AppError`.
 */
export async function applyActions(
  { thing, existing, plan }: Extract<Looked, { kind: "read" }>,
  options: ApplyOptions,
): Promise<Applied> {
  const done: DoneAction[] = [];
  let hooks = existing;
  for (const [index, action] of plan.actions.entries()) {
    const left = plan.actions.slice(index);
    if (!options.mayChange()) return { done, left, failure: null, existing: hooks };
    await options.checkStanding();
    try {
      const performed = await perform(action, thing.owner, options);
      hooks = performed.change(hooks);
      done.push({ action, hookId: performed.hookId });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      const isUncertain = mayHaveBeenDone(error);
      const hookId = action.kind === "create" ? null : action.hookId;
      if (isUncertain) await options.onChanged({ action, hookId, isCertain: false });
      return { done, left, failure: { error, isUncertain }, existing: hooks };
    }
    await options.onChanged({ action, hookId: done.at(-1)?.hookId ?? null, isCertain: true });
  }
  return { done, left: [], failure: null, existing: hooks };
}

interface Performed {
  readonly hookId: string;
  readonly change: (hooks: readonly ExistingHook[]) => readonly ExistingHook[];
}

async function perform(action: HookAction, owner: HookOwner, options: ApplyOptions): Promise<Performed> {
  const { client, secret } = options;
  const content = (settings: HookSettings): HookContent => ({ ...settings, secret });
  switch (action.kind) {
    case "create": {
      const made = await createOnce(owner, content(action.settings), options);
      return { hookId: made.id, change: (hooks) => [...hooks, made] };
    }
    case "update": {
      const { hookId, settings } = action;
      const changed = await client.updateHook(owner, { id: hookId, content: content(settings) });
      return { hookId, change: (hooks) => hooks.map((hook) => (hook.id === hookId ? changed : hook)) };
    }
    case "delete": {
      // That it was gone already is as good.
      await client.deleteHook(owner, action.hookId);
      return {
        hookId: action.hookId,
        change: (hooks) => hooks.filter(({ id }) => id !== action.hookId),
      };
    }
    default:
      return assertNever(action);
  }
}

/**
 * Where the answer was lost, Bitbucket may have made it: it is looked for, and not asked for again. Without the time for
 * that, whoever sends the request again looks first.
 */
async function createOnce(
  owner: HookOwner,
  content: HookContent,
  { client, desired, mayChange }: ApplyOptions,
): Promise<ExistingHook> {
  try {
    return await client.createHook(owner, content);
  } catch (error) {
    if (!mayHaveBeenDone(error) || !mayChange()) throw error;
    const listed = await client.listHooks(owner).catch(() => []);
    // The plan has it that there was none.
    const made = listed.find(({ url }) => recogniseWebhookUrl(url, desired) === "same");
    if (made === undefined) throw error;
    return made;
  }
}
