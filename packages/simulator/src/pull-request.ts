/** A pull request to act on: every verb changes it and sends what Bitbucket would send. */
import type { Account } from "./account.ts";
import { createMergeResult, type MergeStrategy } from "./merge.ts";
import {
  changeVerdict,
  destinationCommit,
  joinParticipants,
  markReviewed,
  requireOpen,
  setReviewers,
  type Comment,
  type PullRequestState,
  type VerdictChange,
} from "./pull-request-state.ts";
import { publishPush } from "./publish-push.ts";
import { deleteBranch, describeBranchChange } from "./push.ts";
import { addCommit } from "./repository-state.ts";
import type { ActedBy, ActionResult, Simulation } from "./simulation.ts";
import { SimulatorError } from "./simulator-error.ts";
import { approvalBody, changesRequestBody, commentBody, pullRequestBody } from "./webhook-body.ts";
import type { WebhookEvent } from "./webhook-delivery.ts";

export interface PullRequestEdit extends ActedBy {
  readonly title?: string;
  readonly description?: string;
  readonly destination?: string;
  readonly isDraft?: boolean;
  readonly reviewers?: readonly Account[];
}

export interface MergeOptions extends ActedBy {
  /** Default: merge_commit. */
  readonly strategy?: MergeStrategy;
  readonly message?: string;
  /** Default: what was chosen when it was opened. */
  readonly closeSourceBranch?: boolean;
}

export interface CommentOptions {
  /** The comment that it answers. */
  readonly parentId?: number;
  readonly inline?: { readonly path: string; readonly from?: number; readonly to?: number };
}

/** A pull request. Verbs throw SimulatorError wrong_state once it is closed; comments stay possible. */
export interface PullRequest {
  readonly id: number;
  readonly state: Readonly<PullRequestState>;
  edit(change: PullRequestEdit): ActionResult;
  approve(user: Account): ActionResult;
  unapprove(user: Account): ActionResult;
  requestChanges(user: Account): ActionResult;
  withdrawChangesRequest(user: Account): ActionResult;
  comment(
    user: Account,
    text: string,
    options?: CommentOptions,
  ): ActionResult & { readonly commentId: number };
  editComment(commentId: number, text: string): ActionResult;
  deleteComment(commentId: number): ActionResult;
  /** @returns the 40 digits of the destination's new head. @throws SimulatorError merge_conflict, not_mergeable */
  merge(options?: MergeOptions): ActionResult & { readonly hash: string };
  decline(options?: ActedBy & { readonly reason?: string }): ActionResult;
}

/** The verbs for a pull request. */
export function createPullRequest(simulation: Simulation, pull: PullRequestState): PullRequest {
  const { source } = simulation;
  const publish = (eventKey: string, actor: Account): ActionResult => ({
    webhooks: [simulation.publish(pull.destination, `pullrequest:${eventKey}`, pullRequestBody(pull, actor))],
  });
  const decide = (actor: Account, change: VerdictChange, eventKey: string): ActionResult => {
    const now = source.now();
    changeVerdict(pull, actor, { ...change, now });
    const toBody = change.verdict === "approved" ? approvalBody : changesRequestBody;
    const body = toBody(pull, actor, now);
    return { webhooks: [simulation.publish(pull.destination, `pullrequest:${eventKey}`, body)] };
  };
  const publishComment = (eventKey: string, comment: Comment): WebhookEvent =>
    simulation.publish(
      pull.destination,
      `pullrequest:${eventKey}`,
      commentBody(pull, comment, comment.author),
    );
  const changeComment = (id: number, change: (comment: Comment) => void, eventKey: string): ActionResult => {
    const comment = requireComment(pull, id);
    comment.updatedOn = source.now();
    change(comment);
    return { webhooks: [publishComment(eventKey, comment)] };
  };

  return {
    id: pull.id,
    state: pull,
    edit: (change) => {
      requireOpen(pull);
      applyEdit(pull, change);
      pull.updatedOn = source.now();
      return publish("updated", change.by ?? pull.author);
    },
    approve: (user) => decide(user, { verdict: "approved", isWithdrawn: false }, "approved"),
    unapprove: (user) => decide(user, { verdict: "approved", isWithdrawn: true }, "unapproved"),
    requestChanges: (user) =>
      decide(user, { verdict: "changes_requested", isWithdrawn: false }, "changes_request_created"),
    withdrawChangesRequest: (user) =>
      decide(user, { verdict: "changes_requested", isWithdrawn: true }, "changes_request_removed"),
    comment: (user, text, options = {}) => {
      const comment = addComment(simulation, pull, { user, text, options });
      return { commentId: comment.id, webhooks: [publishComment("comment_created", comment)] };
    },
    editComment: (id, text) => changeComment(id, (comment) => (comment.text = text), "comment_updated"),
    deleteComment: (id) => changeComment(id, (comment) => (comment.isDeleted = true), "comment_deleted"),
    merge: (options = {}) => mergePullRequest(simulation, pull, options),
    decline: (options = {}) => {
      requireOpen(pull);
      close(pull, { state: "DECLINED", by: options.by ?? pull.author, reason: options.reason ?? "" });
      pull.updatedOn = source.now();
      return publish("rejected", options.by ?? pull.author);
    },
  };
}

/** Push of the destination, push of the deleted source branch, then `fulfilled`: the order seen on real merges. */
function mergePullRequest(
  simulation: Simulation,
  pull: PullRequestState,
  options: MergeOptions,
): ActionResult & { readonly hash: string } {
  requireOpen(pull);
  const { destination } = pull;
  const by = options.by ?? pull.author;
  const head = createMergeResult(pull, {
    strategy: options.strategy ?? "merge_commit",
    by,
    source: simulation.source,
    ...(options.message === undefined ? {} : { message: options.message }),
  });
  const before = destinationCommit(pull);
  const change = describeBranchChange(pull.destinationBranch, before, head);
  close(pull, { state: "MERGED", by, reason: "" });
  pull.mergeCommit = head;
  pull.closeSourceBranch = options.closeSourceBranch ?? pull.closeSourceBranch;
  addCommit(destination, head);
  destination.branches.set(pull.destinationBranch, head);

  const webhooks = publishPush(simulation, destination, { changes: [change], by });
  if (pull.closeSourceBranch && pull.source.branches.has(pull.sourceBranch)) {
    const deletion = deleteBranch(pull.source, pull.sourceBranch);
    webhooks.push(...publishPush(simulation, pull.source, { changes: [deletion], by }));
  }
  pull.updatedOn = simulation.source.now();
  webhooks.push(simulation.publish(destination, "pullrequest:fulfilled", pullRequestBody(pull, by)));
  return { hash: head.hash, webhooks };
}

function close(
  pull: PullRequestState,
  how: { readonly state: "MERGED" | "DECLINED"; readonly by: Account; readonly reason: string },
): void {
  pull.destinationCommitAtClose = destinationCommit(pull);
  pull.state = how.state;
  pull.closedBy = how.by;
  pull.reason = how.reason;
  pull.source.outgoing.delete(pull);
}

function applyEdit(pull: PullRequestState, change: PullRequestEdit): void {
  pull.title = change.title ?? pull.title;
  pull.description = change.description ?? pull.description;
  pull.isDraft = change.isDraft ?? pull.isDraft;
  if (change.reviewers !== undefined) setReviewers(pull, change.reviewers);
  if (change.destination !== undefined) {
    pull.destinationBranch = change.destination;
    markReviewed(pull);
  }
}

function addComment(
  simulation: Simulation,
  pull: PullRequestState,
  input: { readonly user: Account; readonly text: string; readonly options: CommentOptions },
): Comment {
  const { inline, parentId } = input.options;
  const now = simulation.source.now();
  const comment: Comment = {
    id: 700_000_000 + simulation.source.nextNumber(),
    author: input.user,
    createdOn: now,
    parentId: parentId ?? null,
    inline:
      inline === undefined ? null : { path: inline.path, from: inline.from ?? null, to: inline.to ?? null },
    text: input.text,
    updatedOn: now,
    isDeleted: false,
  };
  pull.comments.push(comment);
  joinParticipants(pull, input.user, now);
  pull.updatedOn = now;
  return comment;
}

function requireComment(pull: PullRequestState, id: number): Comment {
  const comment = pull.comments.find((one) => one.id === id);
  if (comment === undefined) throw new SimulatorError("unknown_ref", `#${pull.id} has no comment ${id}`);
  return comment;
}
