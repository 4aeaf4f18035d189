/** Pull requests as the API shows them. */
import { z } from "@hono/zod-openapi";
import { isApproved } from "@sluice/domain/approval";
import type { LinkedCommit, PullRequestRecord } from "@sluice/store/pull-request-records";
import type { EventRecord } from "@sluice/store/event-records";

import { eventSchema, pullRequestUrl, toEventDocument } from "./event-document.ts";

const MAX_NUMBER = 2 ** 31 - 1;

/** A pull request's number, as a query or a path has it. */
export function pullRequestNumber() {
  return z.coerce.number().int().min(1).max(MAX_NUMBER);
}

const accountSchema = z.object({ uuid: z.string().nullable(), display_name: z.string().nullable() });

export const pullRequestSchema = z
  .object({
    repository_id: z.guid(),
    repository: z.string().openapi({ description: "`workspace/slug` of the destination." }),
    number: z.int(),
    title: z.string(),
    state: z.string().openapi({ description: "Bitbucket's word.", example: "OPEN" }),
    is_draft: z.boolean().nullable().openapi({ description: "Null: Bitbucket did not say." }),
    is_approved: z.boolean().openapi({ description: "By somebody other than its author." }),
    author: accountSchema.nullable(),
    url: z.string(),
    bitbucket_url: z.string().nullable().openapi({ description: "Its page at Bitbucket." }),
    created_on: z.iso.datetime().nullable(),
    updated_on: z.iso.datetime().openapi({ description: "By Bitbucket's clock." }),
    source: z.object({
      repository: z.string().nullable().openapi({ description: "`workspace/slug`; null: the fork is gone." }),
      branch: z.string(),
      sha: z.string().nullable().openapi({ description: "7 to 40 digits; null: its branch is gone." }),
    }),
    destination: z.object({ branch: z.string(), sha: z.string().nullable() }),
    merge_sha: z.string().nullable(),
  })
  .openapi("PullRequest");

export const pullRequestDetailsSchema = pullRequestSchema
  .extend({
    approvals: z
      .array(
        z.object({
          user_uuid: z.string().nullable(),
          state: z.enum(["approved", "changes_requested", "none"]),
          participated_on: z.string().nullable().openapi({ description: "As Bitbucket sent it." }),
        }),
      )
      .openapi({ description: "What each participant thinks of it now." }),
    linked_commits: z
      .array(
        z.object({
          sha: z.string(),
          source: z.enum(["event", "bitbucket", "branch"]).openapi({
            description:
              "`event`: an event named it as head or merge; `bitbucket`: it was asked; `branch`: it is the branch's.",
          }),
          recorded_at: z.iso.datetime(),
        }),
      )
      .openapi({ description: "Known to be part of it, the latest first; a hundred at most." }),
    has_more_linked_commits: z.boolean(),
    last_events: z.array(eventSchema).openapi({
      description: "The newest first; `GET /v1/events?repository_id=…&pull_request=` has them all.",
    }),
  })
  .openapi("PullRequestDetails");

/** A pull request as lists show it. */
export function toPullRequestDocument(record: PullRequestRecord): z.infer<typeof pullRequestSchema> {
  const { repositoryId, number, repository, title, state, author } = record;
  return {
    repository_id: repositoryId,
    repository,
    number,
    title,
    state,
    is_draft: record.isDraft,
    is_approved: isApproved(record),
    author: author === null ? null : { uuid: author.uuid, display_name: author.displayName },
    url: pullRequestUrl(repositoryId, number),
    bitbucket_url: record.url,
    created_on: record.createdOn,
    updated_on: record.updatedOn,
    source: { repository: record.sourceRepository, branch: record.sourceBranch, sha: record.sourceSha },
    destination: { branch: record.destinationBranch, sha: record.destinationSha },
    merge_sha: record.mergeSha,
  };
}

/** A pull request with what belongs to it. */
export function toPullRequestDetails(
  record: PullRequestRecord,
  {
    commits,
    hasMoreCommits,
    events,
  }: {
    readonly commits: readonly LinkedCommit[];
    readonly hasMoreCommits: boolean;
    readonly events: readonly EventRecord[];
  },
): z.infer<typeof pullRequestDetailsSchema> {
  return {
    ...toPullRequestDocument(record),
    approvals: record.reviews.map(({ userUuid, state, participatedOn }) => ({
      user_uuid: userUuid,
      state,
      participated_on: participatedOn,
    })),
    linked_commits: commits.map(({ sha, source, recordedAt }) => ({ sha, source, recorded_at: recordedAt })),
    has_more_linked_commits: hasMoreCommits,
    last_events: events.map(toEventDocument),
  };
}
