/** What a pull request is at a moment, and the changes that do not touch a ref. */
import type { Account } from "./account.ts";
import type { Commit } from "./commit.ts";
import { findMergeBase, listCommits } from "./commit-graph.ts";
import type { RepositoryState } from "./repository-state.ts";
import type { Instant } from "./seeded-source.ts";
import { SimulatorError } from "./simulator-error.ts";

export interface Participant {
  readonly account: Account;
  role: "PARTICIPANT" | "REVIEWER";
  /** null = took part, and decided nothing. */
  verdict: "approved" | "changes_requested" | null;
  participatedOn: Instant | null;
}

export interface Comment {
  readonly id: number;
  readonly author: Account;
  readonly createdOn: Instant;
  readonly parentId: number | null;
  /** `from` is a line of the old file, `to` one of the new file. */
  readonly inline: { readonly path: string; readonly from: number | null; readonly to: number | null } | null;
  text: string;
  updatedOn: Instant;
  isDeleted: boolean;
}

export interface PullRequestState {
  readonly id: number;
  readonly author: Account;
  readonly createdOn: Instant;
  readonly destination: RepositoryState;
  readonly source: RepositoryState;
  readonly sourceBranch: string;
  /** The last head of the source branch, kept after the branch is gone. */
  sourceCommit: Commit;
  destinationBranch: string;
  /** The destination's head just before the merge or the decline; null while the pull request is open. */
  destinationCommitAtClose: Commit | null;
  state: "OPEN" | "MERGED" | "DECLINED";
  title: string;
  description: string;
  isDraft: boolean;
  closeSourceBranch: boolean;
  updatedOn: Instant;
  mergeCommit: Commit | null;
  closedBy: Account | null;
  reason: string;
  readonly participants: Participant[];
  readonly comments: Comment[];
  /** Every commit that was ever part of it: what "commit links" know. */
  readonly reviewed: Set<Commit>;
}

/** The destination's commit as bodies show it: its head while open; null when the branch is gone. */
export function destinationCommit(pull: PullRequestState): Commit | null {
  return pull.destinationCommitAtClose ?? pull.destination.branches.get(pull.destinationBranch) ?? null;
}

/** Commits that the pull request would bring to its destination, newest first. */
function listPullRequestCommits(pull: PullRequestState): Commit[] {
  return listCommits(pull.sourceCommit, { excluded: destinationCommit(pull) });
}

/** The commit that a three-dot diff starts from; null when the branches share nothing. */
export function pullRequestBase(pull: PullRequestState): Commit | null {
  const destination = destinationCommit(pull);
  return destination === null ? null : findMergeBase(pull.sourceCommit, destination);
}

/** Remembers the commits that are part of it now. */
export function markReviewed(pull: PullRequestState): void {
  for (const commit of listPullRequestCommits(pull)) pull.reviewed.add(commit);
}

/** @throws SimulatorError wrong_state when it is merged or declined */
export function requireOpen(pull: PullRequestState): void {
  if (pull.state === "OPEN") return;
  throw new SimulatorError("wrong_state", `pull request #${pull.id} is ${pull.state}`);
}

/** What somebody thinks of a pull request: given, or, when it was given before, withdrawn. */
export interface VerdictChange {
  readonly verdict: NonNullable<Participant["verdict"]>;
  readonly isWithdrawn: boolean;
}

const VERDICTS = { approved: "approved", changes_requested: "requested changes of" } as const;

/**
 * Sets or withdraws what somebody thinks of it. A reviewer stays one, anybody else becomes a participant.
 * @throws SimulatorError wrong_state when that is the verdict already, or not the one to withdraw
 */
export function changeVerdict(
  pull: PullRequestState,
  account: Account,
  { verdict, isWithdrawn, now }: VerdictChange & { readonly now: Instant },
): void {
  requireOpen(pull);
  const present = pull.participants.find((one) => one.account.uuid === account.uuid)?.verdict ?? null;
  if ((present === verdict) !== isWithdrawn) {
    const has = isWithdrawn ? "has not" : "has already";
    const message = `${account.displayName} ${has} ${VERDICTS[verdict]} pull request #${pull.id}`;
    throw new SimulatorError("wrong_state", message);
  }
  joinParticipants(pull, account, now).verdict = isWithdrawn ? null : verdict;
  pull.updatedOn = now;
}

/** The participant, who is added when new. */
export function joinParticipants(pull: PullRequestState, account: Account, now: Instant): Participant {
  let participant = pull.participants.find((one) => one.account.uuid === account.uuid);
  if (participant === undefined) {
    participant = { account, role: "PARTICIPANT", verdict: null, participatedOn: null };
    pull.participants.push(participant);
  }
  participant.participatedOn = now;
  return participant;
}

/** Replaces the reviewers. Somebody who had decided something stays as a participant. */
export function setReviewers(pull: PullRequestState, reviewers: readonly Account[]): void {
  const wanted = new Set(reviewers.map((account) => account.uuid));
  for (const participant of pull.participants) {
    participant.role = wanted.has(participant.account.uuid) ? "REVIEWER" : "PARTICIPANT";
  }
  for (const account of reviewers) {
    if (pull.participants.some((one) => one.account.uuid === account.uuid)) continue;
    pull.participants.push({ account, role: "REVIEWER", verdict: null, participatedOn: null });
  }
  const idle = (one: Participant): boolean => one.role === "PARTICIPANT" && one.participatedOn === null;
  for (const participant of pull.participants.filter(idle)) {
    pull.participants.splice(pull.participants.indexOf(participant), 1);
  }
}
