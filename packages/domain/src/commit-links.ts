/** Whether Bitbucket can tell of which pull requests a commit is part. */

/**
 * `available`: it has told. `not_installed`: a commit that is there was answered with 404, which is what the missing app
 * "Pull Request Commit Links" looks like (https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/).
 */
export type CommitLinks = "available" | "not_installed";

/** What a person has to click so that Bitbucket can tell. `repository`: `workspace/slug`. */
export function adviseOnCommitLinks(repository: string): string {
  return (
    `Bitbucket's app "Pull Request Commit Links" is not installed for ${repository}, so pull requests are found by their ` +
    `open branch only: open a commit of it on bitbucket.org and click "Go to pull request", which installs the app`
  );
}
