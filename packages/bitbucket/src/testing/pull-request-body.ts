/** Bodies of `pullrequest:*` deliveries, with all that is read of them and some that is not. */
import { isPullRequestKey, type PullRequestKey } from "../normalise-pull-request.ts";

const REPOSITORY = {
  type: "repository",
  uuid: "{5b0c7d1e-8f41-4a63-9c55-1d2f7ab0e3c4}",
  full_name: "northwind/landing-zone",
  name: "Landing Zone",
};
const FORK = {
  type: "repository",
  uuid: "{e7a90c35-26d8-4f1b-8b04-c5d1902f7e63}",
  full_name: "grace-example/landing-zone",
  name: "Landing Zone",
};
const ADA = {
  type: "user",
  uuid: "{9e1f6c02-7d34-4b8a-b1c9-35a0f2d4c6e8}",
  display_name: "Ada Example",
  nickname: "private-nickname",
  account_id: "private-account",
  username: "private-username",
};
const GRACE = {
  type: "user",
  uuid: "{1c7b5e93-2f08-4d6a-8e41-b9d3f7a60c25}",
  display_name: "Grace Example",
  nickname: "private-nickname",
};
const FORMER_USER = { type: "user", display_name: "Former user" };

/** A pull request from a fork, with a participant of each kind. */
const PULL_REQUEST = {
  type: "pullrequest",
  id: 17,
  title: "Add the audit account",
  description: "private-description",
  state: "OPEN",
  draft: false,
  author: GRACE,
  created_on: "2026-11-20T09:20:00.102030+00:00",
  updated_on: "2026-11-20T09:20:01.405060+00:00",
  source: { branch: { name: "main" }, commit: { type: "commit", hash: "a14c0d9e7b4c" }, repository: FORK },
  destination: {
    branch: { name: "main" },
    commit: { type: "commit", hash: "c305f8a6e205" },
    repository: REPOSITORY,
  },
  merge_commit: null,
  closed_by: null,
  reason: "private-reason",
  reviewers: [ADA],
  participants: [
    {
      type: "participant",
      role: "REVIEWER",
      user: ADA,
      approved: true,
      state: "approved",
      participated_on: "2026-11-20T09:19:00.000001+00:00",
    },
    {
      type: "participant",
      role: "REVIEWER",
      user: GRACE,
      approved: false,
      state: "changes_requested",
      participated_on: null,
    },
    { type: "participant", role: "PARTICIPANT", user: FORMER_USER, approved: false, state: null },
  ],
  links: { html: { href: "https://bitbucket.org/northwind/landing-zone/pull-requests/17" } },
};

const COMMENT = {
  type: "pullrequest_comment",
  id: 4_294_967_311,
  content: { raw: "/sluice propose", markup: "markdown", html: "<p>/sluice propose</p>" },
  user: ADA,
  created_on: "2026-11-20T10:00:00.000001+00:00",
  updated_on: "2026-11-20T10:00:00.000002+00:00",
  deleted: false,
  parent: { id: 4_294_967_297 },
  inline: { path: "private/path.tf", from: null, to: 3 },
  pullrequest: { type: "pullrequest", id: 17, title: "Add the audit account" },
};

const VERDICT = { date: "2026-11-20T09:20:01.405060+00:00", user: ADA };

/** What an ended pull request says that an open one does not. */
const MERGED = { state: "MERGED", merge_commit: { type: "commit", hash: "d418a7b9f316" }, closed_by: ADA };
const DECLINED = { state: "DECLINED", closed_by: ADA };

const MEMBERS: Record<PullRequestKey, object> = {
  "pullrequest:created": {},
  "pullrequest:updated": {},
  "pullrequest:approved": { approval: VERDICT },
  "pullrequest:unapproved": { approval: VERDICT },
  "pullrequest:changes_request_created": { changes_request: VERDICT },
  "pullrequest:changes_request_removed": { changes_request: VERDICT },
  "pullrequest:fulfilled": { pullrequest: { ...PULL_REQUEST, ...MERGED } },
  "pullrequest:rejected": { pullrequest: { ...PULL_REQUEST, ...DECLINED } },
  "pullrequest:comment_created": { comment: COMMENT },
};

/** Every event key of pull requests. */
export const PULL_REQUEST_KEYS: readonly PullRequestKey[] = Object.keys(MEMBERS).filter(isPullRequestKey);

/** The body of a key: Ada acts on pull request 17, which is Grace's and comes from her fork. */
export function aPullRequestBody(eventKey: PullRequestKey): unknown {
  return { repository: REPOSITORY, actor: ADA, pullrequest: PULL_REQUEST, ...MEMBERS[eventKey] };
}
