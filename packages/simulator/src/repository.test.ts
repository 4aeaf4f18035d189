import { describe, expect, it } from "vitest";
import { createBitbucket, type Bitbucket } from "./bitbucket.ts";
import { diffTrees } from "./tree-diff.ts";
import type { Repository } from "./repository.ts";
import type { ActionResult } from "./simulation.ts";

function aRepository(bitbucket: Bitbucket = createBitbucket({ seed: "repository" })): Repository {
  const repository = bitbucket.createRepository({ workspace: "acme", slug: "infra" });
  repository.push({ files: { "network/main.tf": "a\n", "old.tf": "b\n" } });
  return repository;
}

function filesOf(repository: Repository, branch: string): Record<string, string> {
  return Object.fromEntries(repository.state.branches.get(branch)?.tree ?? []);
}

const keysOf = (result: ActionResult): string[] => result.webhooks.map((webhook) => webhook.eventKey);

describe("a push", () => {
  it("adds, changes, deletes and moves files in one commit", () => {
    const repository = aRepository();
    const before = repository.head();
    const { hash, changes } = repository.push({
      files: { "network/main.tf": "changed\n", "new.tf": "n\n" },
      moves: { "old.tf": "database/old.tf" },
    });
    expect(filesOf(repository, "main")).toEqual({
      "network/main.tf": "changed\n",
      "new.tf": "n\n",
      "database/old.tf": "b\n",
    });
    expect(hash).toMatch(/^[0-9a-f]{40}$/);
    expect(changes).toMatchObject([
      { name: "main", isForced: false, old: { commit: { hash: before } }, new: { commit: { hash } } },
    ]);
  });

  it("starts a new branch at the head of the main branch, or where it is told", () => {
    const repository = aRepository();
    const first = repository.head();
    repository.push({ files: { "a.tf": "a" } });
    expect(repository.push({ branch: "here" }).hash).toBe(repository.head());
    expect(repository.push({ branch: "there", from: first }).hash).toBe(first);
  });

  it("lists at most five commits, newest first, and says that there were more", () => {
    const repository = aRepository();
    const commits = [1, 2, 3, 4, 5, 6].map((number) => ({
      files: { [`${number}.tf`]: "x" },
      message: `${number}`,
    }));
    const [change] = repository.push({ commits }).changes;
    expect(change?.commits.map((commit) => commit.message)).toEqual(["6\n", "5\n", "4\n", "3\n", "2\n"]);
    expect(change?.isTruncated).toBe(true);
  });

  it("is refused when it would lose commits, unless forced, and is then marked as forced", () => {
    const repository = aRepository();
    const first = repository.head();
    repository.push({ files: { "a.tf": "a" } });
    expect(() => repository.push({ from: first, files: { "b.tf": "b" } })).toThrow(/non-fast-forward/);
    const [change] = repository.push({ from: first, force: true }).changes;
    expect(change).toMatchObject({ isForced: true, new: { commit: { hash: first } } });
  });

  it("with force and nothing else amends the head", () => {
    const repository = aRepository();
    const first = repository.head();
    repository.push({ files: { "wrong.tf": "a" } });
    repository.push({ files: { "right.tf": "a" }, force: true });
    const head = repository.state.branches.get("main");
    expect(head?.parents.map((parent) => parent.hash)).toEqual([first]);
    expect([...(head?.tree.keys() ?? [])]).not.toContain("wrong.tf");
  });

  it("of nothing is refused, and so is the deletion of what is not there", () => {
    const repository = aRepository();
    expect(() => repository.push({ branch: "main" })).toThrow(/up to date/);
    expect(() => repository.deleteBranch("nowhere")).toThrow(/has no nowhere/);
    expect(() => repository.push({ files: { "nowhere.tf": null } })).toThrow(/no file nowhere.tf/);
  });

  it("of several refs is one webhook", () => {
    const repository = aRepository();
    const result = repository.pushMany([{ files: { a: "a" } }, { branch: "b" }, { tag: "v1" }]);
    expect(keysOf(result)).toEqual(["repo:push"]);
    expect(result.changes.map((change) => `${change.refKind} ${change.name}`)).toEqual([
      "branch main",
      "branch b",
      "tag v1",
    ]);
  });

  it("makes the same hashes and ids from the same seed, and other ids from another", () => {
    const [one, again, other] = ["one", "one", "two"].map((seed) => aRepository(createBitbucket({ seed })));
    expect(again?.head()).toBe(one?.head());
    expect(again?.uuid).toBe(one?.uuid);
    expect(other?.uuid).not.toBe(one?.uuid);
  });
});

describe("a repository", () => {
  it("keeps its uuid when it is renamed, and is found by uuid and by its new name in any case", () => {
    const bitbucket = createBitbucket();
    const repository = aRepository(bitbucket);
    repository.rename({ slug: "platform", workspace: bitbucket.workspace("globex") });
    expect(repository.fullName).toBe("globex/platform");
    expect(bitbucket.findRepository("acme/infra")).toBeNull();
    expect(bitbucket.findRepository("GLOBEX/Platform")?.uuid).toBe(repository.uuid);
    expect(bitbucket.findRepository(repository.uuid)).toBe(repository);
  });

  it("forgets commits that nothing reaches, and keeps those of open pull requests", () => {
    const repository = aRepository();
    const lost = repository.push({ files: { a: "a" } }).hash;
    repository.push({ files: { b: "b" }, force: true });
    const open = repository.push({ branch: "x", files: { x: "x" } }).hash;
    repository.openPullRequest({ title: "X", source: "x" });
    repository.deleteBranch("x");
    repository.collectGarbage();
    expect(repository.state.commits.has(lost)).toBe(false);
    expect(repository.state.commits.has(open)).toBe(true);
    expect(repository.state.commits.has(repository.head())).toBe(true);
  });

  it("takes fifty hooks and no more", () => {
    const repository = aRepository();
    const input = { url: "http://127.0.0.1:9", events: ["repo:push"] };
    for (let count = 0; count < 50; count += 1) repository.createHook(input);
    expect(() => repository.createHook(input)).toThrow(/50 hooks/);
  });
});

describe("a pull request", () => {
  it("follows its source branch, and a push to it sends repo:push before pullrequest:updated", () => {
    const repository = aRepository();
    repository.push({ branch: "x", files: { x: "x" } });
    const pull = repository.openPullRequest({ title: "X", source: "x" });
    const result = repository.push({ branch: "x", files: { y: "y" } });
    expect(keysOf(result)).toEqual(["repo:push", "pullrequest:updated"]);
    expect(pull.state.sourceCommit.hash).toBe(result.hash);
  });

  it("hears nothing of a push to its destination, but shows the new head from then on", () => {
    const repository = aRepository();
    repository.push({ branch: "x", files: { x: "x" } });
    const pull = repository.openPullRequest({ title: "X", source: "x" });
    const { hash, webhooks } = repository.push({ files: { y: "y" } });
    expect(webhooks.map((webhook) => webhook.eventKey)).toEqual(["repo:push"]);
    expect(pull.edit({ title: "Y" }).webhooks[0]?.body).toMatchObject({
      pullrequest: { destination: { commit: { hash: hash.slice(0, 12) } } },
    });
  });

  it("merged with a commit joins both histories, and closes the branch before it tells", () => {
    const repository = aRepository();
    const source = repository.push({ branch: "x", files: { x: "x" } }).hash;
    const pull = repository.openPullRequest({ title: "X", source: "x", closeSourceBranch: true });
    const destination = repository.push({ files: { y: "y" } }).hash;
    const result = pull.merge();
    expect(keysOf(result)).toEqual(["repo:push", "repo:push", "pullrequest:fulfilled"]);
    expect(repository.head()).toBe(result.hash);
    expect(repository.state.commits.get(result.hash)?.parents.map((parent) => parent.hash)).toEqual([
      destination,
      source,
    ]);
    expect(filesOf(repository, "main")).toMatchObject({ x: "x", y: "y" });
    expect(repository.state.branches.has("x")).toBe(false);
    expect(result.webhooks[2]?.body).toMatchObject({
      pullrequest: {
        state: "MERGED",
        merge_commit: { hash: result.hash.slice(0, 12) },
        destination: { commit: { hash: destination.slice(0, 12) } },
        source: { commit: { hash: source.slice(0, 12) } },
      },
    });
  });

  it("squashed becomes one commit on the destination", () => {
    const repository = aRepository();
    const before = repository.head();
    repository.push({ branch: "x", commits: [{ files: { x: "x" } }, { files: { y: "y" } }] });
    const { hash } = repository.openPullRequest({ title: "X", source: "x" }).merge({ strategy: "squash" });
    const commit = repository.state.commits.get(hash);
    expect(commit?.parents.map((parent) => parent.hash)).toEqual([before]);
    expect(
      diffTrees(repository.state.commits.get(before)!.tree, commit!.tree).map((diff) => diff.newPath),
    ).toEqual(["x", "y"]);
  });

  it("fast-forwarded makes no commit, and is refused when the destination went on", () => {
    const repository = aRepository();
    const source = repository.push({ branch: "x", files: { x: "x" } }).hash;
    expect(
      repository.openPullRequest({ title: "X", source: "x" }).merge({ strategy: "fast_forward" }).hash,
    ).toBe(source);

    repository.push({ branch: "y", files: { y: "y" } });
    const late = repository.openPullRequest({ title: "Y", source: "y" });
    repository.push({ files: { z: "z" } });
    expect(() => late.merge({ strategy: "fast_forward" })).toThrow(/has commits that #2 lacks/);
  });

  it("with a conflict cannot be merged, and stays open", () => {
    const repository = aRepository();
    repository.push({ branch: "x", files: { "old.tf": "theirs" } });
    const pull = repository.openPullRequest({ title: "X", source: "x" });
    repository.push({ files: { "old.tf": "ours" } });
    expect(() => pull.merge()).toThrow(/both sides changed old.tf/);
    expect(pull.state.state).toBe("OPEN");
  });

  it("from a fork is updated by pushes to the fork, and merges the fork's commits", () => {
    const bitbucket = createBitbucket();
    const repository = aRepository(bitbucket);
    const fork = bitbucket.fork(repository, { workspace: "grace" });
    fork.push({ branch: "x", files: { x: "x" } });
    const pull = repository.openPullRequest({ title: "X", source: "x", from: fork });
    const result = fork.push({ branch: "x", files: { y: "y" } });
    expect(result.webhooks.map((webhook) => [webhook.eventKey, webhook.repositoryUuid])).toEqual([
      ["repo:push", fork.uuid],
      ["pullrequest:updated", repository.uuid],
    ]);
    pull.merge();
    expect(repository.state.commits.has(result.hash)).toBe(true);
  });

  it("shows approvals and requested changes, each of which can be taken back once", () => {
    const bitbucket = createBitbucket();
    const repository = aRepository(bitbucket);
    const grace = bitbucket.createUser("Grace Hopper");
    repository.push({ branch: "x", files: { x: "x" } });
    const pull = repository.openPullRequest({ title: "X", source: "x" });
    expect(keysOf(pull.approve(grace))).toEqual(["pullrequest:approved"]);
    expect(() => pull.approve(grace)).toThrow("Grace Hopper has already approved pull request #1");
    expect(() => pull.withdrawChangesRequest(grace)).toThrow("has not requested changes of");
    expect(keysOf(pull.unapprove(grace))).toEqual(["pullrequest:unapproved"]);
    expect(() => pull.unapprove(grace)).toThrow("Grace Hopper has not approved pull request #1");
    expect(keysOf(pull.requestChanges(grace))).toEqual(["pullrequest:changes_request_created"]);
    expect(keysOf(pull.withdrawChangesRequest(grace))).toEqual(["pullrequest:changes_request_removed"]);
    expect(pull.state.participants).toMatchObject([{ account: grace, role: "PARTICIPANT", verdict: null }]);
  });

  it("moves its updated_on forward with everything that happens to it", () => {
    const bitbucket = createBitbucket();
    const repository = aRepository(bitbucket);
    const grace = bitbucket.createUser("Grace Hopper");
    repository.push({ branch: "x", files: { x: "x" } });
    const pull = repository.openPullRequest({ title: "X", source: "x" });
    const times = [
      () => pull.edit({ title: "Y" }),
      () => pull.comment(grace, "Why?"),
      () => pull.approve(grace),
      () => repository.push({ branch: "x", files: { y: "y" } }),
      () => pull.merge(),
    ].map((act) => {
      act();
      return pull.state.updatedOn;
    });
    expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
  });

  it("that is closed takes comments and nothing else", () => {
    const repository = aRepository();
    repository.push({ branch: "x", files: { x: "x" } });
    const pull = repository.openPullRequest({ title: "X", source: "x" });
    pull.decline();
    expect(() => pull.merge()).toThrow(/is DECLINED/);
    expect(() => pull.approve(pull.state.author)).toThrow(/is DECLINED/);
    expect(keysOf(pull.comment(pull.state.author, "Pity."))).toEqual(["pullrequest:comment_created"]);
    expect(keysOf(repository.push({ branch: "x", files: { y: "y" } }))).toEqual(["repo:push"]);
  });
});

describe("a uuid that is given", () => {
  const uuid = "{6f1d2c3b-4a59-4687-9877-0123456789ab}";

  it("is the repository's own, and nobody else's", () => {
    const bitbucket = createBitbucket();
    const repository = bitbucket.createRepository({ workspace: "acme", slug: "infra", uuid });
    expect(repository.uuid).toBe(uuid);
    expect(bitbucket.findRepository(uuid)).toBe(repository);
    expect(() => bitbucket.createRepository({ workspace: "acme", slug: "other", uuid })).toThrow(
      "is there already",
    );
    expect(bitbucket.fork(repository, { workspace: "ada" }).uuid).not.toBe(uuid);
  });
});
