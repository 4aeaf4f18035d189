/** Learns from Bitbucket which pull requests the commits of triggers are part of. No trigger waits for it. */
import type { Store } from "@sluice/store/client";
import {
  addCommitsToLink,
  askLater,
  settleCommitsToLink,
  takeCommitsToLink,
  type CommitToLink,
} from "@sluice/store/commits-to-link";

import { linkCommitsOfRepository, type CommitsOfRepository } from "./link-commits-of-repository.ts";
import type { LinkOptions } from "./link-commits-pull-request.ts";
import { runEvery, type Recurring } from "./run-every.ts";

const INTERVAL_MS = 15_000;
/**
 * As old are the triggers whose commits are asked about: longer than a transaction takes (`addCommitsToLink`), and long
 * enough for the pull request's own webhook, which tells the link without a call.
 */
const LAG_MS = 60_000;
const TRIGGERS_PER_PAGE = 1_000;
/** Commits that a worker takes at once: what is left is for the others. */
const TAKEN_AT_ONCE = 50;
/** Far longer than so many take. What a worker that died had taken is taken again then. */
const TAKE_FOR_MS = 10 * 60_000;
/** How long an integration is left alone that is refused or limited, that has no answer, or no calls left for links. */
const LEAVE_FOR_MS = 5 * 60_000;

/** How a round is run. */
export interface LinkSchedule {
  readonly lagMs: number;
  /** Aborted when a round is to end after the repository that it is at. */
  readonly signal: AbortSignal;
}

/** Links commits every 15 seconds, beside everything else. */
export function startCommitLinks(input: LinkOptions): Recurring {
  const stopping = new AbortController();
  const work = createCommitLinks({ ...input, lagMs: LAG_MS, signal: stopping.signal });
  const recurring = runEvery({ name: "link-commits", intervalMs: INTERVAL_MS, logger: input.logger, work });
  return {
    stop() {
      stopping.abort();
      return recurring.stop();
    },
  };
}

/**
 * One round each time that it is called: the commits of new triggers, and those whose time has come, a few at a time, so
 * that any number of workers share them. An integration that Bitbucket refuses, limits or does not answer, or that has used
 * up the share of its calls, is left alone for five minutes; its commits wait.
 *
 * How far the triggers were looked through is remembered here alone: after a start the last day is looked through again,
 * in which what was asked about is known.
 */
export function createCommitLinks(options: LinkOptions & LinkSchedule): () => Promise<void> {
  const { store, signal, lagMs } = options;
  const leftUntil = new Map<string, number>();
  const isLeft = (integrationId: string) => (leftUntil.get(integrationId) ?? 0) > performance.now();
  let place: string | null = null;

  return async () => {
    place = await addNewCommits(store, place, lagMs);
    await settleCommitsToLink(store);
    for (let more = true; more && !signal.aborted;) {
      const except = [...leftUntil.keys()].filter(isLeft);
      const taken = await takeCommitsToLink(store, {
        limit: TAKEN_AT_ONCE,
        takeForMs: TAKE_FOR_MS,
        except,
      });
      more = taken.length > 0;
      for (const commits of byRepository(taken)) {
        const { integrationId } = commits[0];
        if (signal.aborted || isLeft(integrationId)) await askLater(store, commits, 0);
        else if (!(await linkCommitsOfRepository(commits, options))) {
          leftUntil.set(integrationId, performance.now() + LEAVE_FOR_MS);
        }
      }
    }
  };
}

async function addNewCommits(store: Store, from: string | null, lagMs: number): Promise<string | null> {
  for (let place = from; ;) {
    const next = await addCommitsToLink(store, { afterId: place, lagMs, limit: TRIGGERS_PER_PAGE });
    if (next === null) return place;
    place = next;
  }
}

function byRepository(commits: readonly CommitToLink[]): CommitsOfRepository[] {
  const groups = new Map<string, [CommitToLink, ...CommitToLink[]]>();
  for (const commit of commits) {
    const group = groups.get(commit.repositoryId);
    if (group === undefined) groups.set(commit.repositoryId, [commit]);
    else group.push(commit);
  }
  return [...groups.values()];
}
