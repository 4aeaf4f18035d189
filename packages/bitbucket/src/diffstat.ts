/** Which files differ between two commits (rules 15 to 17). */
import type { ChangedFiles } from "@sluice/domain/changed-files";
import { z } from "zod";

import { type RepositoryAddress, pathSegment, repositoryPath } from "./api-url.ts";
import { BitbucketError } from "./bitbucket-error.ts";
import { type Endpoint, ENDPOINTS } from "./endpoint.ts";
import { listItems } from "./pages.ts";
import { storableText } from "./storable-text.ts";
import type { Transport } from "./transport.ts";

/** Twice Bitbucket's default and a fifth of its maximum: a page is one of a thousand calls an hour. */
const PAGE_LENGTH = "1000";

/** What to compare. */
export interface DiffstatQuery {
  /**
   * `new` has the changes, `old` is compared to: hashes or branch names. A branch may move between two pages, and a path
   * be on neither: name a commit where it is known. A list that becomes shorter meanwhile is refused. Sent as `{new}..{old}`, the reverse of git's
   * order; the wrong way round Bitbucket answers an empty list and no error (drone/go-scm#127).
   */
  readonly spec: { readonly new: string; readonly old: string };
  /** True: against their merge base (three dots), as a pull request shows it. False: against `old` itself (two dots). */
  readonly topic: boolean;
  /** False: a renamed file is one removed and one added. Bitbucket's default is true. */
  readonly renames?: boolean;
}

/** Every path, both names of a renamed file. */
export type ListedFiles = Extract<ChangedFiles, { readonly kind: "listed" }>;

/** One side of a file; some answers have an empty path for none. */
const fileSchema = z
  .object({ path: z.string() })
  .nullish()
  .transform((file) =>
    file === undefined || file === null || file.path === "" ? null : storableText(file.path),
  );

/** The status is not read: it has values beyond its enum, and the paths say all. */
const entrySchema = z
  .object({ old: fileSchema, new: fileSchema })
  // A change without a name could be any file's: leaving it out would hide what it affects.
  .refine((entry) => entry.old !== null || entry.new !== null, "it has neither an old nor a new path");

/** The files that differ, all pages, each path once. */
export async function getDiffstat(
  transport: Transport,
  repository: RepositoryAddress,
  query: DiffstatQuery,
): Promise<ListedFiles> {
  const spec = formatSpec(query.spec);
  const url = transport.url(`${repositoryPath(repository)}/diffstat/${pathSegment(spec)}`, {
    topic: String(query.topic),
    pagelen: PAGE_LENGTH,
    ...(query.renames === undefined ? {} : { renames: String(query.renames) }),
  });
  return { kind: "listed", paths: await listPaths(transport, ENDPOINTS.diffstat, url), spec };
}

/**
 * The files that a pull request changes, against the merge base, all pages, each path once. Bitbucket redirects to the
 * comparison of the commits, and finds a fork's there.
 */
export async function getPullRequestDiffstat(
  transport: Transport,
  repository: RepositoryAddress,
  number: number,
): Promise<ListedFiles> {
  const url = transport.url(`${repositoryPath(repository)}/pullrequests/${number}/diffstat`);
  const paths = await listPaths(transport, ENDPOINTS.pullRequestDiffstat, url);
  return { kind: "listed", paths, spec: `pull request ${number}` };
}

async function listPaths(transport: Transport, endpoint: Endpoint, url: URL): Promise<string[]> {
  const entries = await listItems({ transport, endpoint, url, itemSchema: entrySchema, isDifference: true });
  return [...new Set(entries.flatMap((entry) => [entry.old, entry.new].filter((path) => path !== null)))];
}

function formatSpec(spec: DiffstatQuery["spec"]): string {
  // One side alone means "against its parent" to Bitbucket: another question than the one asked.
  if (spec.new === "" || spec.old === "") {
    throw new BitbucketError(
      "bitbucket_invalid_name",
      "a diffstat compares two commits, and one has no name",
      {
        retry: "never",
      },
    );
  }
  return `${spec.new}..${spec.old}`;
}
