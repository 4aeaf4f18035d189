/** Plays what a line of `sluice simulate` says in the simulated Bitbucket. */
import type { Account } from "@sluice/simulator/account";
import type { Bitbucket } from "@sluice/simulator/bitbucket";
import type { PullRequest } from "@sluice/simulator/pull-request";
import type { Repository } from "@sluice/simulator/repository";

import { type FaultyWorld, injectSimulatedFault } from "./inject-simulated-fault.ts";
import type { SimulatedAction } from "./simulated-action.ts";

/** What the lines act on, and what they leave behind for later ones. */
export interface SimulatedWorld extends FaultyWorld {
  readonly repository: Repository;
  /** Who reviews when nobody is named: never the author. */
  readonly reviewer: Account;
  /** Those that were named, by name in lower case. */
  readonly users: Map<string, Account>;
}

/** Does it, and says in a line what was done. @throws SimulatorError for what Bitbucket would refuse. */
export function playSimulatedAction(
  action: Exclude<SimulatedAction, { kind: "wait" }>,
  world: SimulatedWorld,
): string {
  const { bitbucket, repository } = world;
  switch (action.kind) {
    case "push": {
      const { branch, isForced: force } = action;
      const { hash } = repository.push({ branch, force, files: changeFiles(action.paths) });
      return `${branch} is at ${hash}`;
    }
    case "delete_branch":
      repository.deleteBranch(action.branch);
      return `${action.branch} is gone`;
    case "tag":
      repository.createTag({ tag: action.name });
      return `${action.name} is at ${repository.head()}`;
    case "open": {
      const { branch: source, title, isDraft } = action;
      const { id } = repository.openPullRequest({ source, title, isDraft });
      return `pull request ${String(id)} is open${isDraft ? ", a draft" : ""}`;
    }
    case "webhook_fault":
    case "api_fault":
      return injectSimulatedFault(action, world);
    case "end_faults":
      for (const end of world.faultEnds) end();
      world.faultEnds.clear();
      return `nothing goes wrong from now on${stillHeld(bitbucket)}`;
    case "release": {
      const { length } = bitbucket.webhooks.held;
      bitbucket.webhooks.release((held) => (action.isReversed ? held.toReversed() : held));
      return `${count(length, "held webhook")} let go${action.isReversed ? ", the latest first" : ""}`;
    }
    default: {
      const done = playOnPullRequest(action, repository.pullRequest(action.number), world);
      return `pull request ${String(action.number)} ${done}`;
    }
  }
}

function playOnPullRequest(
  action: Extract<SimulatedAction, { readonly number: number }>,
  pull: PullRequest,
  world: SimulatedWorld,
): string {
  switch (action.kind) {
    case "edit":
      pull.edit({ title: action.title });
      return `is now called ${action.title}`;
    case "set_draft":
      pull.edit({ isDraft: action.isDraft });
      return action.isDraft ? "is a draft" : "is no draft";
    case "merge":
      return `is merged: ${pull.merge().hash}`;
    case "decline":
      pull.decline({ reason: action.reason });
      return "is declined";
    case "comment":
      pull.comment(pull.state.author, action.text);
      return "has a comment";
    default: {
      const user = findUser(action.user, pull, world);
      return `${review(action.kind, pull, user)} ${user.displayName}`;
    }
  }
}

function review(
  kind: "approve" | "unapprove" | "request_changes" | "unrequest_changes",
  pull: PullRequest,
  user: Account,
): string {
  switch (kind) {
    case "approve":
      pull.approve(user);
      return "is approved by";
    case "unapprove":
      pull.unapprove(user);
      return "is no longer approved by";
    case "request_changes":
      pull.requestChanges(user);
      return "is to be changed, says";
    case "unrequest_changes":
      pull.withdrawChangesRequest(user);
      return "need not be changed any more, says";
  }
}

/** The account of that name, made on first mention. The author is meant only by name. */
function findUser(name: string | null, pull: PullRequest, world: SimulatedWorld): Account {
  if (name === null) return world.reviewer;
  const key = name.toLowerCase();
  const { author } = pull.state;
  if (author.displayName.toLowerCase() === key) return author;
  const user = world.users.get(key) ?? world.bitbucket.createUser(name);
  world.users.set(key, user);
  return user;
}

function stillHeld({ webhooks: { held } }: Bitbucket): string {
  return held.length === 0 ? "" : `; ${count(held.length, "webhook")} still held until release`;
}

function count(length: number, what: string): string {
  return length === 1 ? `1 ${what} is` : `${String(length)} ${what}s are`;
}

function changeFiles(paths: readonly string[]): Record<string, string | null> {
  const now = new Date().toISOString();
  return Object.fromEntries(
    paths.map((path) => (path.startsWith("-") ? [path.slice(1), null] : [path, `changed at ${now}\n`])),
  );
}
