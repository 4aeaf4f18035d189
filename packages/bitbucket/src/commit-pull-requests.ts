/** The pull requests that a commit is part of (links). */
import { z } from "zod";

import { pathSegment, type RepositoryAddress, repositoryPath } from "./api-url.ts";
import { pageLinkSchema } from "./bitbucket-schema.ts";
import { ENDPOINTS } from "./endpoint.ts";
import { listItems } from "./pages.ts";
import { clippedText } from "./storable-text.ts";
import type { Transport } from "./transport.ts";

const PAGE_LENGTH = "100";
const MAX_TITLE_LENGTH = 512;

/** As much of a pull request as this endpoint is known to answer: get the one for the rest. */
export interface LinkedPullRequest {
  readonly id: number;
  /** Null when not sent. */
  readonly title: string | null;
  /** Its page on bitbucket.org; null when not sent. */
  readonly url: string | null;
}

/** What Bitbucket knows of a commit's pull requests. */
export type CommitPullRequests =
  /** In any state; an empty list is an answer. */
  | { readonly kind: "links"; readonly pullRequests: readonly LinkedPullRequest[] }
  /** 202: Bitbucket is still looking, ask again later. */
  | { readonly kind: "indexing" }
  /**
   * 404: the "Pull Request Commit Links" app is not installed, the commit is not indexed, or it or its repository is
   * not there. Bitbucket does not say which; ask for the open pull requests of the branch instead.
   */
  | { readonly kind: "not_available" };

const linkSchema = z
  .object({ id: z.int().positive(), title: z.string().nullish(), links: pageLinkSchema })
  .transform(({ id, title, links }): LinkedPullRequest => ({
    id,
    title: title === undefined || title === null ? null : clippedText(title, MAX_TITLE_LENGTH),
    url: links,
  }));

/** The pull requests "as part of which this commit was reviewed". */
export async function listCommitPullRequests(
  transport: Transport,
  repository: RepositoryAddress,
  sha: string,
): Promise<CommitPullRequests> {
  const endpoint = ENDPOINTS.commitPullRequests;
  const path = `${repositoryPath(repository)}/commit/${pathSegment(sha)}/pullrequests`;
  const url = transport.url(path, { pagelen: PAGE_LENGTH });
  const first = await transport.get(endpoint, url);
  if (first.status === 202) return { kind: "indexing" };
  if (first.status === 404) return { kind: "not_available" };
  const pullRequests = await listItems({ transport, endpoint, url, itemSchema: linkSchema, first });
  return { kind: "links", pullRequests };
}
