import { describe, expect, it } from "vitest";
import { createBitbucket, type Bitbucket } from "./bitbucket.ts";
import type { PullRequest } from "./pull-request.ts";
import type { Repository } from "./repository.ts";
import { loadSample, sampleNames, type SampleName } from "./samples.ts";
import type { User } from "./account.ts";
import type { ActionResult } from "./simulation.ts";
import type { WebhookEvent } from "./webhook-delivery.ts";

interface World {
  readonly bitbucket: Bitbucket;
  readonly repository: Repository;
  readonly author: User;
  readonly reviewer: User;
}

/** `main` with three commits. */
function createWorld(): World {
  const bitbucket = createBitbucket({ seed: "shapes" });
  const author = bitbucket.createUser("Ada Lovelace");
  const reviewer = bitbucket.createUser("Grace Hopper");
  const repository = bitbucket.createRepository({ workspace: "acme", slug: "infra" });
  const commits = [1, 2, 3].map((number) => ({ files: { [`network/${number}.tf`]: `${number}\n` } }));
  repository.push({ commits, by: author });
  return { bitbucket, repository, author, reviewer };
}

function aPullRequest({ repository, author }: World): PullRequest & ActionResult {
  repository.push({ branch: "feature/x", files: { "network/x.tf": "x\n" }, by: author });
  return repository.openPullRequest({
    title: "Add x",
    description: "It was missing.",
    source: "feature/x",
    author,
    closeSourceBranch: true,
  });
}

function aForkedPullRequest({ bitbucket, repository, author }: World): {
  fork: Repository;
  pull: PullRequest & ActionResult;
} {
  const fork = bitbucket.fork(repository, { workspace: "ada" });
  fork.push({ branch: "feature/x", files: { "network/x.tf": "x\n" }, by: author });
  const pull = repository.openPullRequest({
    title: "Add x",
    description: "Why.",
    source: "feature/x",
    from: fork,
    author,
  });
  return { fork, pull };
}

const status = {
  key: "sluice/network",
  state: "INPROGRESS",
  name: "network",
  url: "https://ci.example/1",
  description: "…",
} as const;

/** How the simulator comes to send what each sample shows. */
const SCENES: Readonly<Record<SampleName, (world: World) => ActionResult>> = {
  "push-branch-updated": ({ repository, author }) =>
    repository.push({ files: { "a.tf": "a\n" }, by: author }),
  "push-branch-created": ({ repository, author }) => repository.push({ branch: "feature/x", by: author }),
  "push-branch-created-truncated": ({ repository, author }) => {
    repository.push({
      commits: [{ files: { a: "a" } }, { files: { b: "b" } }, { files: { c: "c" } }],
      by: author,
    });
    return repository.push({ branch: "release/june", by: author });
  },
  "push-first": ({ bitbucket, author }) =>
    bitbucket.createRepository({ workspace: "acme", slug: "new" }).push({ files: { a: "a" }, by: author }),
  "push-branch-deleted": ({ repository, author }) => {
    repository.push({ branch: "feature/x", files: { a: "a" }, by: author });
    return repository.deleteBranch("feature/x", { by: author });
  },
  "push-forced": ({ repository, author }) => {
    repository.push({ branch: "feature/x", files: { a: "a" }, by: author });
    return repository.push({ branch: "feature/x", files: { b: "b" }, force: true, by: author });
  },
  "push-several-commits": ({ repository, author }) =>
    repository.push({ commits: [{ files: { a: "a" } }, { files: { b: "b" } }], by: author }),
  "push-merge-commit": (world) => aPullRequest(world).merge({ by: world.author }),
  "push-author-without-account": ({ repository, author }) =>
    repository.push({ files: { a: "a" }, author: "release-bot <bot@ci.invalid>", by: author }),
  "push-by-access-token": ({ bitbucket, repository, author }) =>
    repository.push({ files: { a: "a" }, author, by: bitbucket.createAccessTokenUser("deploy") }),
  "push-without-actor": ({ repository, author }) => repository.push({ files: { a: "a" }, author, by: null }),
  "push-tag-created": ({ repository, author }) => repository.createTag({ tag: "v1.0.0", by: author }),
  "push-annotated-tag-created": ({ repository, author }) =>
    repository.createTag({ tag: "v1.0.0", annotation: "The first", by: author }),
  "push-tag-deleted": ({ repository, author }) => {
    repository.createTag({ tag: "v1.0.0", by: author });
    return repository.deleteTag("v1.0.0", { by: author });
  },
  "push-several-refs": ({ repository, author }) => {
    // More than five commits, so that the list of the new branch ends before the first one, which has no parents.
    repository.push({
      commits: [{ files: { a: "a" } }, { files: { b: "b" } }, { files: { c: "c" } }],
      by: author,
    });
    return repository.pushMany([{ files: { d: "d" } }, { branch: "release/june" }, { tag: "v1.0.0" }], {
      by: author,
    });
  },
  "push-without-changes": ({ repository, author }) => repository.pushMany([], { by: author }),
  "push-to-fork": ({ bitbucket, repository, author }) =>
    bitbucket.fork(repository, { workspace: "ada" }).push({ files: { a: "a" }, by: author }),
  "pull-request-created": (world) => {
    world.repository.push({ branch: "feature/x", files: { x: "x" }, by: world.author });
    return world.repository.openPullRequest({
      title: "Add x",
      source: "feature/x",
      author: world.author,
      reviewers: [world.reviewer],
    });
  },
  "pull-request-created-draft": ({ repository, author }) => {
    repository.push({ branch: "feature/x", files: { x: "x" }, by: author });
    return repository.openPullRequest({ title: "Add x", source: "feature/x", author, isDraft: true });
  },
  "pull-request-created-from-fork": (world) => aForkedPullRequest(world).pull,
  "pull-request-created-by-former-user": (world) =>
    aPullRequest({ ...world, author: world.bitbucket.createUser("Former user") }),
  "pull-request-updated": (world) => {
    aPullRequest(world);
    return last(world.repository.push({ branch: "feature/x", files: { y: "y" }, by: world.author }));
  },
  "pull-request-updated-fork-deleted": (world) => {
    const { fork, pull } = aForkedPullRequest(world);
    world.bitbucket.deleteRepository(fork);
    return pull.edit({ title: "Add x again" });
  },
  "pull-request-approved": (world) => aPullRequest(world).approve(world.reviewer),
  "pull-request-unapproved": (world) => {
    const pull = aPullRequest(world);
    pull.approve(world.reviewer);
    return pull.unapprove(world.reviewer);
  },
  "pull-request-changes-requested": (world) => aPullRequest(world).requestChanges(world.reviewer),
  "pull-request-changes-request-removed": (world) => {
    const pull = aPullRequest(world);
    pull.requestChanges(world.reviewer);
    return pull.withdrawChangesRequest(world.reviewer);
  },
  "pull-request-merged": (world) => {
    const pull = aPullRequest(world);
    pull.approve(world.reviewer);
    return last(pull.merge({ by: world.reviewer }));
  },
  "pull-request-declined": (world) => aPullRequest(world).decline({ by: world.reviewer, reason: "Not now" }),
  "pull-request-comment-created": (world) => aPullRequest(world).comment(world.reviewer, "/sluice propose"),
  "pull-request-comment-created-inline": (world) =>
    aPullRequest(world).comment(world.reviewer, "Why?", { inline: { path: "network/x.tf", to: 1 } }),
  "pull-request-comment-created-reply": (world) => {
    const pull = aPullRequest(world);
    const { commentId } = pull.comment(world.reviewer, "Why?");
    return pull.comment(world.reviewer, "Ah.", { parentId: commentId });
  },
  "pull-request-comment-updated": (world) => {
    const pull = aPullRequest(world);
    return pull.editComment(pull.comment(world.reviewer, "Why?").commentId, "Why not?");
  },
  "pull-request-comment-deleted": (world) => {
    const pull = aPullRequest(world);
    return pull.deleteComment(pull.comment(world.reviewer, "Why?").commentId);
  },
  "commit-status-created": ({ bitbucket, repository, author }) => {
    repository.push({ files: { a: "a" }, by: author });
    return repository.reportStatus("main", {
      ...status,
      refname: null,
      by: bitbucket.createAccessTokenUser("deploy"),
    });
  },
  "commit-status-updated": ({ bitbucket, repository, author }) => {
    repository.push({ files: { a: "a" }, by: author });
    const by = bitbucket.createAccessTokenUser("deploy");
    repository.reportStatus("main", { ...status, refname: null, by });
    return repository.reportStatus("main", { ...status, state: "SUCCESSFUL", refname: "feature/x", by });
  },
};

function last(result: ActionResult): ActionResult {
  return { webhooks: result.webhooks.slice(-1) };
}

function firstWebhook(result: ActionResult): WebhookEvent {
  const [webhook] = result.webhooks;
  if (webhook === undefined) throw new Error("no webhook was sent");
  return webhook;
}

/** What a value is, closely enough that a 12-digit hash is not a 40-digit one. */
function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "empty array" : "array";
  if (typeof value !== "string") return typeof value;
  if (/^[0-9a-f]{40}$/.test(value)) return "hash of 40";
  if (/^[0-9a-f]{12}$/.test(value)) return "hash of 12";
  if (/^\{[0-9a-f-]{36}\}$/.test(value)) return "braced uuid";
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/.test(value)) return "time in seconds";
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/.test(value)) return "time in microseconds";
  if (/^https:\/\/(api\.)?bitbucket\.org\//.test(value)) return `link to ${new URL(value).host}`;
  return "string";
}

/** Path → kinds of what is there; list entries share a path. */
function shapeOf(body: unknown): Record<string, string> {
  const kinds = new Map<string, Set<string>>();
  const visit = (path: string, value: unknown): void => {
    const known = kinds.get(path) ?? new Set<string>();
    kinds.set(path, known.add(kindOf(value)));
    if (Array.isArray(value)) for (const entry of value) visit(`${path}[]`, entry);
    else if (typeof value === "object" && value !== null) {
      for (const [key, entry] of Object.entries(value)) visit(`${path}.${key}`, entry);
    }
  };
  visit("", body);
  return Object.fromEntries([...kinds].map(([path, known]) => [path, [...known].toSorted().join(" | ")]));
}

describe("simulated bodies have the shape of real ones", () => {
  it.each(sampleNames)("%s", (name) => {
    const sample = loadSample(name);
    const webhook = firstWebhook(SCENES[name](createWorld()));
    expect(webhook.eventKey).toBe(sample.eventKey);
    expect(shapeOf(webhook.body)).toEqual(shapeOf(sample.body));
  });
});

describe("simulated bodies", () => {
  it("a push of one commit is as long as real ones: 8 to 12 KB", () => {
    const { repository, author } = createWorld();
    const { body } = firstWebhook(repository.push({ files: { "network/main.tf": "a\n" }, by: author }));
    const length = JSON.stringify(body).length;
    expect(length).toBeGreaterThan(8_000);
    expect(length).toBeLessThan(12_000);
  });

  it("one seed gives the same bodies, another seed others", () => {
    const bodyOf = (seed: string): string => {
      const repository = createBitbucket({ seed }).createRepository({ workspace: "acme", slug: "infra" });
      return JSON.stringify(firstWebhook(repository.push({ files: { a: "a" } })).body);
    };
    expect(bodyOf("one")).toBe(bodyOf("one"));
    expect(bodyOf("one")).not.toBe(bodyOf("two"));
  });
});
