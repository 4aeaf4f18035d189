/** Looks at webhooks at Bitbucket, and plans what mends them. */
import { BitbucketError } from "@sluice/bitbucket/bitbucket-error";
import type { BitbucketClient } from "@sluice/bitbucket/client";
import type { HookOwner } from "@sluice/bitbucket/hook";
import { AppError } from "@sluice/domain/app-error";
import {
  isSoundlyHooked,
  planHooks,
  type DesiredHook,
  type ExistingHook,
  type HookPlan,
  type HookWish,
} from "@sluice/domain/webhook-plan";
import type { HookSubject } from "@sluice/domain/webhook-steps";

import { inTurns } from "./webhooks-turns.ts";

/** Calls of one request that are on their way at the same time. */
export const CONCURRENCY = 5;

/** A repository or a workspace whose webhooks are meant. */
export interface HookedThing {
  /** `workspace/slug`, or the workspace. */
  readonly name: string;
  /** Null where nothing is kept of it: a workspace, or a repository that nobody has named yet. */
  readonly repositoryId: string | null;
  readonly subject: HookSubject;
  readonly owner: HookOwner;
}

/** What was found out about one of them. */
export type Looked = { readonly thing: HookedThing } & (
  | {
      readonly kind: "read";
      readonly existing: readonly ExistingHook[];
      /** Whether the workspace's own webhook sends all that this one would. */
      readonly isCovered: boolean;
      readonly plan: HookPlan;
    }
  /** The credential may not see them: 401, 403, or 404, which Bitbucket answers for what is hidden too. */
  | { readonly kind: "unreadable"; readonly error: BitbucketError }
  /** Something that passes: the limit, an outage. */
  | { readonly kind: "failed"; readonly error: AppError }
);

/** The first of these things, as many as can be looked at in time. */
export function lookAtAll(
  things: readonly HookedThing[],
  options: {
    readonly client: BitbucketClient;
    readonly desired: DesiredHook;
    readonly wish: HookWish;
    readonly mayLook: () => boolean;
  },
): Promise<Looked[]> {
  const { client, desired, wish, mayLook } = options;
  const isCovered = createCoverage(client, desired);
  return inTurns(things, { concurrency: CONCURRENCY, mayStart: mayLook }, async (thing): Promise<Looked> => {
    try {
      const [covered, existing] = await Promise.all([isCovered(thing.owner), client.listHooks(thing.owner)]);
      const plan = planHooks({ desired, existing, wish, isCovered: covered });
      return { kind: "read", thing, existing, isCovered: covered, plan };
    } catch (error) {
      if (isHidden(error)) return { kind: "unreadable", thing, error };
      if (error instanceof AppError) return { kind: "failed", thing, error };
      throw error;
    }
  });
}

/** Whether Bitbucket said that this credential may not. */
export function isRefused(error: unknown): error is BitbucketError {
  return (
    error instanceof BitbucketError &&
    (error.code === "bitbucket_unauthorized" || error.code === "bitbucket_forbidden")
  );
}

/** What a credential may not see is often said not to be there. */
function isHidden(error: unknown): error is BitbucketError {
  return isRefused(error) || (error instanceof BitbucketError && error.code === "bitbucket_not_found");
}

/** Asks once for each workspace. One whose webhooks only its admins may see is taken to have none of ours. */
function createCoverage(client: BitbucketClient, desired: DesiredHook) {
  const byWorkspace = new Map<string, Promise<boolean>>();
  const ask = async (workspace: string): Promise<boolean> => {
    try {
      return isSoundlyHooked(desired, await client.listHooks({ kind: "workspace", workspace }));
    } catch (error) {
      if (isHidden(error)) return false;
      throw error;
    }
  };
  return (owner: HookOwner): Promise<boolean> => {
    if (owner.kind === "workspace") return Promise.resolve(false);
    const workspace = owner.repository.fullName.split("/")[0]?.toLowerCase() ?? "";
    const known = byWorkspace.get(workspace) ?? ask(workspace);
    byWorkspace.set(workspace, known);
    return known;
  };
}
