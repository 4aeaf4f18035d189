/** Files at a commit, such as the one that says a module's version (rule 31). */
import { pathSegment, type RepositoryAddress, repositoryPath } from "./api-url.ts";
import { BitbucketError } from "./bitbucket-error.ts";
import { getCommit } from "./commit.ts";
import { ENDPOINTS } from "./endpoint.ts";
import type { Transport } from "./transport.ts";

/** The most that a file may hold, in bytes: what is read is configuration that somebody wrote by hand. */
export const MAX_FILE_BYTES = 64 * 1024;

/**
 * The text of a file at a commit, as UTF-8; null when the commit has no such file. A 404 is also what a hidden repository
 * and a commit that Bitbucket does not have give, so the commit is asked for before a file is called missing.
 * @throws BitbucketError `bitbucket_response_too_large` for more than `MAX_FILE_BYTES`; `bitbucket_invalid_name` for a path
 * with an empty part, `.` or `..`.
 */
export async function getFile(
  transport: Transport,
  repository: RepositoryAddress,
  { sha, path }: { readonly sha: string; readonly path: string },
): Promise<string | null> {
  const endpoint = ENDPOINTS.sourceFile;
  const segments = [sha, ...path.split("/")].map(pathSegment).join("/");
  const url = transport.url(`${repositoryPath(repository)}/src/${segments}`);
  const answer = await transport.get(endpoint, url);
  if (answer.status === 404) {
    await getCommit(transport, repository, sha);
    return null;
  }
  if (answer.status !== 200) throw transport.errorOf(endpoint, url, answer);
  if (Buffer.byteLength(answer.body) > MAX_FILE_BYTES) {
    throw new BitbucketError(
      "bitbucket_response_too_large",
      `${path} has more than ${String(MAX_FILE_BYTES)} bytes, which is the most that is read of a file`,
      { retry: "never", status: 200 },
    );
  }
  return answer.body;
}
