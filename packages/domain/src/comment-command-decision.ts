/** What a comment on a pull request means: first as a whole, then for each target (rule 24). */
import { assertNever } from "./assert-never.ts";
import { commandText, parseCommentCommand, type CommentCommand, type RunCommand } from "./comment-command.ts";
import type { Guarded, GuardContext } from "./decide-guard.ts";
import { decideOldNews, pullRequestEvidence } from "./decide-pull-request.ts";
import type { Evidence, IgnoreDecision } from "./decide.ts";
import { isSameAccount, refuseDeploy, type Approval } from "./deploy-permission.ts";
import type { PullRequestEvent } from "./event.ts";
import { forkOf, refuseFork } from "./fork.ts";
import { ignore } from "./ignore.ts";
import { refuseTarget, type Target } from "./target.ts";

/** As many names as a message repeats. */
const MAX_NAMES_SHOWN = 10;

/** What a comment means before its targets are looked at: nothing to any of them, or a command to some. */
export type CommentMeaning =
  | { readonly kind: "decided"; readonly decision: IgnoreDecision }
  | { readonly kind: "command"; readonly command: RunCommand };

/** A command, and what is known of the one who gave it. */
export interface CommandFacts {
  readonly command: RunCommand;
  /** Of the present head. */
  readonly approvals: readonly Approval[];
  /** Who pushed the present head; null: not known. */
  readonly pusherUuid: string | null;
  /** When the present head was first told, RFC 3339 by Bitbucket's clock; null: not known. */
  readonly headSeenAt: string | null;
}

/**
 * Reads a comment. A name that no target of the repository has refuses the whole command, so that a mistyped one does
 * not pass for "done"; so does `deploy` of a name that several have. Our own comments are no commands.
 */
export function readComment(input: {
  readonly event: PullRequestEvent;
  /** Those of the repository. */
  readonly targets: readonly Pick<Target, "name">[];
  /** The account of the integration's credential; null: not known. */
  readonly ownUuid: string | null;
  /** Default: `/sluice` alone. */
  readonly prefixes?: readonly string[];
}): CommentMeaning {
  const { event, targets, ownUuid, prefixes } = input;
  const decided = (decision: IgnoreDecision): CommentMeaning => ({ kind: "decided", decision });
  const refused = (because: string) => decided(ignore("command_refused", commandEvidence(event, because)));
  const command: CommentCommand =
    event.comment === null ? { kind: "not_a_command" } : parseCommentCommand(event.comment, prefixes);
  if (command.kind === "not_a_command") return decided(ignore("not_a_command", pullRequestEvidence(event)));
  if (isOwn(event, ownUuid)) {
    return decided(ignore("not_a_command", commandEvidence(event, "Sluice's own account wrote it")));
  }
  switch (command.kind) {
    case "malformed":
      return refused(command.because);
    case "unlock":
    case "status":
    case "help":
      return refused(`${command.kind} is answered by a comment, which this version does not write yet`);
    case "propose":
    case "deploy": {
      const because = refuseNames(command, targets);
      return because === null ? { kind: "command", command } : refused(because);
    }
    default:
      return assertNever(command);
  }
}

/**
 * What comes before the policy for a comment (rules 5, 21, 24). `propose` makes a proposed run of every target that it names,
 * affected or not; when it names none, the policy says which. `deploy`
 * makes a tracked run, if it may. A target that the command does not name has `not_a_command`: nothing was refused, and its
 * files were not looked at.
 */
export function guardCommand(event: PullRequestEvent, target: Target, context: GuardContext): Guarded {
  const { command: facts } = context;
  if (facts === undefined) {
    return { kind: "decided", decision: ignore("not_a_command", pullRequestEvidence(event)) };
  }
  const decision = refuseCommand(event, target, facts, context);
  if (decision !== null) return { kind: "decided", decision };
  const { command } = facts;
  const evidence = commandEvidence(event);
  if (namesOf(command).length === 0) return { kind: "open", event, evidence, isProposal: true };
  return { kind: "asked_for", runType: command.kind === "deploy" ? "tracked" : "proposed", evidence };
}

function refuseCommand(
  event: PullRequestEvent,
  target: Target,
  { command, ...facts }: CommandFacts,
  context: GuardContext,
): IgnoreDecision | null {
  const names = namesOf(command);
  if (names.length > 0 && !names.includes(target.name)) {
    return ignore("not_a_command", commandEvidence(event, "the command names other targets"));
  }
  const pullRequest = context.pullRequest ?? event.pullRequest;
  const refusal =
    refuseTarget(target) ??
    refuseFork(forkOf(event), target, commandEvidence(event)) ??
    decideOldNews(event, pullRequest);
  if (refusal !== null || command.kind === "propose") return refusal;
  // What was merged is deployed from where it was merged to.
  if (pullRequest.state !== "OPEN")
    return ignore("closed", commandEvidence(event, "it is not open any more"));
  const because = refuseDeploy({
    ...facts,
    commenterUuid: commenterOf(event),
    deployers: target.deployers,
    authorUuid: pullRequest.author?.uuid ?? null,
  });
  return because === null ? null : ignore("command_refused", commandEvidence(event, because));
}

/** The author of the comment, if the event is of something that the author did: else nobody is known to have asked. */
function commenterOf({ comment, actor }: PullRequestEvent): string | null {
  const author = comment?.author?.uuid ?? null;
  return actor === null || isSameAccount(author, actor.uuid) ? author : null;
}

function isOwn({ comment, actor }: PullRequestEvent, ownUuid: string | null): boolean {
  return isSameAccount(comment?.author?.uuid ?? null, ownUuid) || isSameAccount(actor?.uuid ?? null, ownUuid);
}

function refuseNames(command: RunCommand, targets: readonly Pick<Target, "name">[]): string | null {
  const known = new Set(targets.map(({ name }) => name));
  const unknown = [...new Set(namesOf(command))].filter((name) => !known.has(name));
  if (unknown.length > 0) return `no target of the repository is named ${listNames(unknown)}`;
  if (command.kind === "propose") return null;
  const count = targets.filter(({ name }) => name === command.target).length;
  return count === 1 ? null : `${String(count)} targets of the repository have that name`;
}

function listNames(names: readonly string[]): string {
  const shown = names
    .slice(0, MAX_NAMES_SHOWN)
    .map((name) => JSON.stringify(Array.from(name).slice(0, 100).join("")));
  const others = names.length - shown.length;
  return `${shown.join(", ")}${others > 0 ? ` and ${String(others)} more` : ""}`;
}

function namesOf(command: RunCommand): readonly string[] {
  return command.kind === "deploy" ? [command.target] : command.targets;
}

/** What every decision about a comment that begins as a command does says. `because`: a clause without a full stop. */
export function commandEvidence(event: PullRequestEvent, because?: string): Evidence {
  const text = event.comment === null ? "" : commandText(event.comment);
  return {
    ...pullRequestEvidence(event),
    command: because === undefined ? { text } : { text, because },
  };
}
