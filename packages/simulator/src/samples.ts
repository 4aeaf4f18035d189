/**
 * Bodies of webhooks as Bitbucket Cloud sends them, for tests: every event key and every variant that this project
 * knows, with invented names and hashes, kept as files and independent of the simulator's own code.
 */
import { readFileSync } from "node:fs";

const SAMPLES = [
  ["push-branch-updated", "repo:push"],
  ["push-branch-created", "repo:push"],
  ["push-branch-created-truncated", "repo:push"],
  ["push-first", "repo:push"],
  ["push-branch-deleted", "repo:push"],
  ["push-forced", "repo:push"],
  ["push-several-commits", "repo:push"],
  ["push-merge-commit", "repo:push"],
  ["push-author-without-account", "repo:push"],
  ["push-by-access-token", "repo:push"],
  ["push-without-actor", "repo:push"],
  ["push-tag-created", "repo:push"],
  ["push-annotated-tag-created", "repo:push"],
  ["push-tag-deleted", "repo:push"],
  ["push-several-refs", "repo:push"],
  ["push-without-changes", "repo:push"],
  ["push-to-fork", "repo:push"],
  ["pull-request-created", "pullrequest:created"],
  ["pull-request-created-draft", "pullrequest:created"],
  ["pull-request-created-from-fork", "pullrequest:created"],
  ["pull-request-created-by-former-user", "pullrequest:created"],
  ["pull-request-updated", "pullrequest:updated"],
  ["pull-request-updated-fork-deleted", "pullrequest:updated"],
  ["pull-request-approved", "pullrequest:approved"],
  ["pull-request-unapproved", "pullrequest:unapproved"],
  ["pull-request-changes-requested", "pullrequest:changes_request_created"],
  ["pull-request-changes-request-removed", "pullrequest:changes_request_removed"],
  ["pull-request-merged", "pullrequest:fulfilled"],
  ["pull-request-declined", "pullrequest:rejected"],
  ["pull-request-comment-created", "pullrequest:comment_created"],
  ["pull-request-comment-created-inline", "pullrequest:comment_created"],
  ["pull-request-comment-created-reply", "pullrequest:comment_created"],
  ["pull-request-comment-updated", "pullrequest:comment_updated"],
  ["pull-request-comment-deleted", "pullrequest:comment_deleted"],
  ["commit-status-created", "repo:commit_status_created"],
  ["commit-status-updated", "repo:commit_status_updated"],
] as const;

export type SampleName = (typeof SAMPLES)[number][0];

/** All names, in a fixed order: for tables of tests. */
export const sampleNames: readonly SampleName[] = SAMPLES.map(([name]) => name);

export interface Sample {
  readonly name: SampleName;
  /** What `X-Event-Key` says: bodies do not carry it. */
  readonly eventKey: string;
  /** The bytes to sign and to post. */
  readonly bytes: Uint8Array;
  /** The same, parsed. */
  readonly body: unknown;
}

/** Reads one sample from its file. The caller may change what it gets. */
export function loadSample(name: SampleName): Sample {
  const bytes = readFileSync(new URL(`./samples/${name}.json`, import.meta.url));
  const eventKey = SAMPLES.find(([known]) => known === name)?.[1] ?? "";
  return { name, eventKey, bytes, body: JSON.parse(bytes.toString("utf8")) };
}
