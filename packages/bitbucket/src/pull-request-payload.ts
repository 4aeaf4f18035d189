/** Pull requests, in webhook bodies and in REST answers, as much of them as the rules need (rules 10 to 13 and 24). */
import type {
  Actor,
  CommentFacts,
  PullRequestDestination,
  PullRequestFacts,
  PullRequestReview,
  PullRequestSource,
  RepositoryFacts,
} from "@sluice/domain/event";
import { z } from "zod";

import { actorSchema, hashSchema, nameSchema, pageLinkSchema, repositorySchema } from "./bitbucket-schema.ts";
import { clippedText } from "./storable-text.ts";

const MAX_TITLE_LENGTH = 512;
/** A command is one line, and this is longer than one that names 500 targets. */
const MAX_COMMENT_LENGTH = 32_768;
/** Bitbucket sends at most 256 KB, which hold about 300. Checked before they are read one by one. */
const MAX_PARTICIPANTS = 1000;

/**
 * A time that JavaScript and a `timestamptz` both hold: an RFC 3339 date of the calendar, of the year 1 or later, with at
 * most nine digits of a second and an offset that exists on earth. Kept as sent: a `Date` would lose the microseconds.
 */
const timestampSchema = z.iso
  .datetime({ offset: true })
  .regex(/^(?!0000)[^.]+(\.\d{1,9})?(Z|[+-](0\d|1[0-4]):\d\d)$/, "expected an RFC 3339 time");

const optionalTimestampSchema = timestampSchema.nullish().transform((time) => time ?? null);

/** Null where the branch, or the fork with it, is gone. */
const shaSchema = z
  .object({ hash: hashSchema })
  .nullish()
  .transform((commit) => commit?.hash ?? null);

const branchSchema = z.object({ name: nameSchema }).transform(({ name }) => name);

const sourceSchema = z
  .object({ branch: branchSchema, commit: shaSchema, repository: repositorySchema.nullish() })
  .transform(({ branch, commit, repository }): PullRequestSource => ({
    repository: repository ?? null,
    branch,
    sha: commit,
  }));

const destinationSchema = z
  .object({ branch: branchSchema, commit: shaSchema })
  .transform(({ branch, commit }): PullRequestDestination => ({ branch, sha: commit }));

const participantSchema = z
  .object({
    user: actorSchema,
    approved: z.boolean().nullish(),
    state: z.string().nullish(),
    participated_on: optionalTimestampSchema,
  })
  .transform((participant): PullRequestReview => ({
    userUuid: participant.user?.uuid ?? null,
    state: reviewState(participant.state ?? null, participant.approved ?? false),
    participatedOn: participant.participated_on,
  }));

/** Bodies older than the request for changes have `approved` alone. */
function reviewState(state: string | null, isApproved: boolean): PullRequestReview["state"] {
  if (state === "approved" || state === "changes_requested") return state;
  return isApproved ? "approved" : "none";
}

/** A pull request, wherever Bitbucket describes one. Lists of the REST API leave the participants out. */
export const pullRequestSchema = z
  .object({
    id: z.int32().positive(),
    title: z.string().transform((title) => clippedText(title, MAX_TITLE_LENGTH)),
    state: nameSchema,
    draft: z.boolean().nullish(),
    author: actorSchema,
    links: pageLinkSchema,
    created_on: optionalTimestampSchema,
    updated_on: timestampSchema,
    source: sourceSchema,
    destination: destinationSchema,
    merge_commit: shaSchema,
    participants: z.array(z.unknown()).max(MAX_PARTICIPANTS).pipe(z.array(participantSchema)).nullish(),
  })
  .transform((body): PullRequestFacts => ({
    number: body.id,
    title: body.title,
    state: body.state,
    isDraft: body.draft ?? null,
    author: body.author,
    url: body.links,
    createdOn: body.created_on,
    updatedOn: body.updated_on,
    source: body.source,
    destination: body.destination,
    mergeSha: body.merge_commit,
    reviews: body.participants ?? null,
  }));

const commentIdSchema = z.int().positive();

const commentSchema = z
  .object({
    id: commentIdSchema,
    content: z.object({ raw: z.string().transform((text) => clippedText(text, MAX_COMMENT_LENGTH)) }),
    user: actorSchema,
    created_on: optionalTimestampSchema,
    deleted: z.boolean().nullish(),
    parent: z.object({ id: commentIdSchema }).nullish(),
    inline: z.object({}).nullish(),
  })
  .transform((comment): CommentFacts => ({
    id: comment.id,
    text: comment.content.raw,
    author: comment.user,
    createdOn: comment.created_on,
    isDeleted: comment.deleted ?? false,
    parentId: comment.parent?.id ?? null,
    isInline: comment.inline !== undefined && comment.inline !== null,
  }));

/** `{date, user}`, of which nothing is read: the actor is that user, and the participants say what holds now. */
const verdictSchema = z.object({});

/** What every body gives. */
export interface PullRequestBody {
  readonly repository: RepositoryFacts;
  readonly actor: Actor | null;
  readonly pullrequest: PullRequestFacts;
  /** Only where the key asks for one. */
  readonly comment?: CommentFacts;
}

const envelope = { repository: repositorySchema, actor: actorSchema };

/**
 * A pull request, in any state: Bitbucket describes it as it is when the body is written, and it may be over by then. More
 * than is asked for is no contradiction: real bodies of declined ones hold an `approval`.
 */
export const pullRequestBodySchema = z.object({ ...envelope, pullrequest: pullRequestSchema });

/** A pull request that ended in one of `states`, the only ones that its event key can mean. */
export function endedBodySchema(states: readonly string[]) {
  const ended = pullRequestSchema.refine(({ state }) => states.includes(state), {
    path: ["state"],
    message: `expected ${states.join(" or ")}`,
  });
  return z.object({ ...envelope, pullrequest: ended });
}

/** A pull request and the approval that was given or taken back. */
export const approvalBodySchema = pullRequestBodySchema.extend({ approval: verdictSchema });

/** A pull request and the request for changes that was made or taken back. */
export const changesRequestBodySchema = pullRequestBodySchema.extend({ changes_request: verdictSchema });

/** A pull request and a comment on it. */
export const commentBodySchema = pullRequestBodySchema.extend({ comment: commentSchema });
