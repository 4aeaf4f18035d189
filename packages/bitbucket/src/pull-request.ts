/** Pull requests as Bitbucket has them now (rules 11 to 13). */
import type { Actor, RepositoryFacts } from "@sluice/domain/event";
import { z } from "zod";

import { getValue } from "./answer-json.ts";
import { type RepositoryAddress, repositoryPath } from "./api-url.ts";
import { actorSchema, hashSchema, nameSchema, pageLinkSchema, repositorySchema } from "./bitbucket-schema.ts";
import { ENDPOINTS } from "./endpoint.ts";
import { listItems } from "./pages.ts";
import { clippedText } from "./storable-text.ts";
import type { Transport } from "./transport.ts";

/** The most that lists of pull requests allow. */
const PAGE_LENGTH = "50";
const MAX_TITLE_LENGTH = 512;

/** One end of a pull request. */
export interface PullRequestEnd {
  readonly branch: string;
  /** 12 hexadecimal digits as a rule, never all 40; null when the branch or the fork is gone. */
  readonly sha: string | null;
  /** Null when the fork is gone. */
  readonly repository: RepositoryFacts | null;
}

/** Somebody who took part. */
export interface PullRequestParticipant {
  readonly actor: Actor | null;
  readonly isApproved: boolean;
  /** `approved`, `changes_requested`, a word of the future, or null for neither. */
  readonly state: string | null;
}

/** A pull request at the time of the call. */
export interface PullRequest {
  readonly id: number;
  readonly title: string;
  /** `OPEN`, `MERGED`, `DECLINED`, `SUPERSEDED`, or a word of the future. */
  readonly state: string;
  /** False also where Bitbucket does not say. */
  readonly isDraft: boolean;
  readonly author: Actor | null;
  readonly source: PullRequestEnd;
  readonly destination: PullRequestEnd;
  /** Short; null unless it is merged. */
  readonly mergeSha: string | null;
  /** RFC 3339 with fractions, as sent: only moves forward (rule 13). */
  readonly updatedOn: string;
  /** Its page on bitbucket.org; null when not sent. */
  readonly url: string | null;
  /** Null in lists, which leave them out: get the one. */
  readonly participants: readonly PullRequestParticipant[] | null;
}

const shaSchema = z
  .object({ hash: hashSchema })
  .nullish()
  .transform((commit) => commit?.hash ?? null);

const endSchema = z
  .object({
    branch: z.object({ name: nameSchema }),
    commit: shaSchema,
    repository: repositorySchema.nullish().transform((repository) => repository ?? null),
  })
  .transform(({ branch, commit, repository }): PullRequestEnd => ({
    branch: branch.name,
    sha: commit,
    repository,
  }));

const participantSchema = z
  .object({ user: actorSchema, approved: z.boolean().nullish(), state: z.string().nullish() })
  .transform(({ user, approved, state }): PullRequestParticipant => ({
    actor: user,
    isApproved: approved ?? false,
    state: state ?? null,
  }));

const pullRequestSchema = z
  .object({
    id: z.int().positive(),
    title: z.string().transform((title) => clippedText(title, MAX_TITLE_LENGTH)),
    state: nameSchema,
    draft: z.boolean().nullish(),
    author: actorSchema,
    source: endSchema,
    destination: endSchema,
    merge_commit: shaSchema,
    updated_on: nameSchema,
    links: pageLinkSchema,
    participants: z.array(participantSchema).nullish(),
  })
  .transform((body): PullRequest => ({
    id: body.id,
    title: body.title,
    state: body.state,
    isDraft: body.draft ?? false,
    author: body.author,
    source: body.source,
    destination: body.destination,
    mergeSha: body.merge_commit,
    updatedOn: body.updated_on,
    url: body.links,
    participants: body.participants ?? null,
  }));

/** One pull request, with its participants. */
export async function getPullRequest(
  transport: Transport,
  repository: RepositoryAddress,
  id: number,
): Promise<PullRequest> {
  const url = transport.url(`${repositoryPath(repository)}/pullrequests/${id}`);
  return getValue(transport, ENDPOINTS.pullRequest, url, pullRequestSchema);
}

/** The open pull requests into a repository, of one source branch if asked for, from whichever repository it is in. */
export async function listOpenPullRequests(
  transport: Transport,
  repository: RepositoryAddress,
  filter: { readonly sourceBranch?: string } = {},
): Promise<readonly PullRequest[]> {
  const { sourceBranch } = filter;
  const url = transport.url(`${repositoryPath(repository)}/pullrequests`, {
    state: "OPEN",
    pagelen: PAGE_LENGTH,
    ...(sourceBranch === undefined ? {} : { q: `source.branch.name=${quoteText(sourceBranch)}` }),
  });
  const endpoint = ENDPOINTS.pullRequests;
  const pullRequests = await listItems({ transport, endpoint, url, itemSchema: pullRequestSchema });
  // Asked once more of the answer: a filter that Bitbucket ignored or read otherwise must not change the outcome.
  return pullRequests.filter(
    ({ state, source }) => state === "OPEN" && (sourceBranch === undefined || source.branch === sourceBranch),
  );
}

/** A text of Bitbucket's query language (https://developer.atlassian.com/cloud/bitbucket/rest/intro/#filtering). */
function quoteText(text: string): string {
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}
