/** The client and the edge against a Bitbucket in memory that was written from the same facts, not from this client. */
import type { Event } from "@sluice/domain/event";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { startBitbucketServer } from "@sluice/simulator/rest-server";
import { afterEach, expect, it } from "vitest";

import type { NormaliseFailure } from "./normalise-failure.ts";
import { normaliseDelivery } from "./normalise.ts";
import { simulatorClient } from "./testing/arrange-client.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

it("reads a repository, its branches, commits and differences, also after a rename", async () => {
  const { bitbucket, client } = await arrange();
  const repository = bitbucket.createRepository({ workspace: "northwind", slug: "landing-zone" });
  const first = repository.push({ files: { "a/main.tf": "1\n", "b/main.tf": "same\nsame\nsame\n" } }).hash;
  const address = { uuid: repository.uuid, fullName: repository.fullName };
  const second = repository.push({
    branch: "feature/über #1",
    files: { "a/main.tf": "2\n" },
    moves: { "b/main.tf": "c/main.tf" },
  }).hash;
  repository.rename({ slug: "renamed" });

  expect(await client.getRepository(address)).toEqual({
    uuid: repository.uuid,
    fullName: "northwind/renamed",
    mainBranch: "main",
  });
  expect(await client.getBranch(address, "feature/über #1")).toBe(second);
  expect(await client.getBranch(address, "feature")).toBeNull();
  expect((await client.getCommit(address, second.slice(0, 12))).sha).toBe(second);
  const { paths } = await client.getDiffstat(address, { spec: { new: second, old: first }, topic: false });
  expect(paths.toSorted()).toEqual(["a/main.tf", "b/main.tf", "c/main.tf"]);
  const againstMain = await client.getDiffstat(address, {
    spec: { new: "feature/über #1", old: "main" },
    topic: true,
  });
  expect(againstMain.paths.toSorted()).toEqual(paths.toSorted());
});

it("reads every page of a large difference", async () => {
  const { bitbucket, client, server } = await arrange();
  const repository = bitbucket.createRepository({ workspace: "northwind", slug: "monorepo" });
  const first = repository.push({ files: { "README.md": "x\n" } }).hash;
  const files = Object.fromEntries(
    Array.from({ length: 5000 }, (_, index) => [`stacks/${index}/main.tf`, "x\n"]),
  );
  const second = repository.push({ files }).hash;
  const address = { uuid: repository.uuid, fullName: repository.fullName };
  const { paths } = await client.getDiffstat(address, { spec: { new: second, old: first }, topic: false });
  expect(new Set(paths)).toEqual(new Set(Object.keys(files)));
  expect(server.countCalls("GET *diffstat*")).toBe(5);
});

it("reads pull requests, those of a fork and of a deleted fork too", async () => {
  const { bitbucket, client } = await arrange();
  const repository = bitbucket.createRepository({ workspace: "northwind", slug: "landing-zone" });
  repository.push({ files: { "main.tf": "1\n" } });
  const fork = bitbucket.fork(repository, { workspace: "contoso" });
  fork.push({ branch: "fix", files: { "main.tf": "2\n" } });
  const reviewer = bitbucket.createUser("Grace Example");
  const pull = repository.openPullRequest({ title: "Fix", source: "fix", from: fork, reviewers: [reviewer] });
  pull.approve(reviewer);
  const address = { uuid: repository.uuid, fullName: repository.fullName };

  const one = await client.getPullRequest(address, pull.id);
  expect(one).toMatchObject({ state: "OPEN", source: { branch: "fix", repository: { uuid: fork.uuid } } });
  expect(one.reviews).toMatchObject([{ userUuid: reviewer.uuid, state: "approved" }]);
  expect(await client.listOpenPullRequests(address, { sourceBranch: "fix" })).toMatchObject([
    { number: pull.id, updatedOn: one.updatedOn, reviews: null },
  ]);
  expect(await client.listOpenPullRequests(address, { sourceBranch: "main" })).toEqual([]);
  bitbucket.deleteRepository(fork);
  expect((await client.getPullRequest(address, pull.id)).source.repository).toBeNull();
});

it("tells linked, still indexing and not available commits apart", async () => {
  const { bitbucket, client } = await arrange();
  const repository = bitbucket.createRepository({ workspace: "northwind", slug: "landing-zone" });
  repository.push({ files: { "main.tf": "1\n" } });
  const head = repository.push({ branch: "fix", files: { "main.tf": "2\n" } }).hash;
  const pull = repository.openPullRequest({ title: "Fix", source: "fix" });
  const address = { uuid: repository.uuid, fullName: repository.fullName };
  const ask = () => client.listCommitPullRequests(address, head);
  expect(await ask()).toMatchObject({ kind: "links", pullRequests: [{ id: pull.id }] });
  repository.setCommitLinks("indexing");
  expect(await ask()).toEqual({ kind: "indexing" });
  repository.setCommitLinks("absent");
  expect(await ask()).toEqual({ kind: "not_available" });
});

it("fails with a code of its own for each thing that goes wrong", async () => {
  const { bitbucket, client, server } = await arrange();
  const repository = bitbucket.createRepository({ workspace: "northwind", slug: "landing-zone" });
  const { hash } = repository.push({ files: { "main.tf": "1\n" } });
  const address = { uuid: repository.uuid, fullName: repository.fullName };
  const codeWith = async (fault: Parameters<typeof server.injectFault>[1]) => {
    const end = server.injectFault("GET *", fault);
    const outcome = await client.getDiffstat(address, { spec: { new: hash, old: hash }, topic: false }).then(
      () => "no failure",
      (error: unknown) => (error instanceof Error && "code" in error ? error.code : error),
    );
    end();
    return outcome;
  };
  expect(await codeWith({ kind: "rate_limited", retryAfterSeconds: 3 })).toBe("bitbucket_rate_limited");
  expect(await codeWith({ kind: "status", status: 401 })).toBe("bitbucket_unauthorized");
  expect(await codeWith({ kind: "status", status: 404, form: "text" })).toBe("bitbucket_not_found");
  expect(await codeWith({ kind: "status", status: 555 })).toBe("bitbucket_diff_timeout");
  expect(await codeWith({ kind: "html" })).toBe("bitbucket_invalid_response");
  expect(await codeWith({ kind: "wrong_json" })).toBe("bitbucket_invalid_response");
  expect(await codeWith({ kind: "cut_json" })).toBe("bitbucket_invalid_response");
  expect(await codeWith({ kind: "reset" })).toBe("bitbucket_unreachable");
  expect(await codeWith({ kind: "next_elsewhere", url: "https://elsewhere.example/2.0/x" })).toBe(
    "bitbucket_redirect_refused",
  );
  expect(await codeWith({ kind: "redirect_elsewhere", url: "https://elsewhere.example/2.0/x" })).toBe(
    "bitbucket_redirect_refused",
  );
});

it("normalises every push that the simulator sends", async () => {
  const { bitbucket } = await arrange();
  const repository = bitbucket.createRepository({ workspace: "northwind", slug: "landing-zone" });
  const pushes = [
    repository.push({ files: { "main.tf": "1\n" } }),
    repository.push({ branch: "wip", files: { "main.tf": "2\n" } }),
    repository.push({ branch: "wip", files: { "main.tf": "3\n" }, force: true, by: null }),
    repository.createTag({ tag: "v1.0.0", annotation: "First" }),
    repository.pushMany([{ deleteBranch: "wip" }, { deleteTag: "v1.0.0" }]),
    repository.pushMany([]),
  ];
  const events = pushes
    .flatMap(({ webhooks }) => webhooks)
    .map(({ eventKey, body }) => normaliseDelivery({ eventKey, body: Buffer.from(JSON.stringify(body)) }))
    .map((result) => (result.kind === "events" ? result.events : [result]));
  const { uuid, fullName } = repository;
  const moved = { kind: "push", repository: { uuid, fullName } };
  expect(events).toMatchObject([
    [{ ...moved, refKind: "branch", refName: "main", change: "created" }],
    [{ ...moved, refKind: "branch", refName: "wip", change: "created" }],
    [{ ...moved, refKind: "branch", refName: "wip", change: "updated", forced: true, actor: null }],
    [{ ...moved, refKind: "tag", refName: "v1.0.0", change: "created" }],
    [
      { ...moved, refKind: "branch", refName: "wip", change: "deleted" },
      { ...moved, refKind: "tag", refName: "v1.0.0", change: "deleted" },
    ],
    [],
  ]);
});

it("normalises every pull request event that the simulator sends", async () => {
  const { bitbucket, client } = await arrange();
  const repository = bitbucket.createRepository({ workspace: "northwind", slug: "landing-zone" });
  repository.push({ files: { "main.tf": "1\n" } });
  const [author, reviewer] = [bitbucket.createUser("Ada Example"), bitbucket.createUser("Grace Example")];
  const fork = bitbucket.fork(repository, { workspace: "contoso" });
  fork.push({ branch: "fix", files: { "main.tf": "2\n" } });
  const pull = repository.openPullRequest({ title: "Fix", source: "fix", from: fork, author });
  const actions = [
    pull,
    pull.edit({ isDraft: true }),
    fork.push({ branch: "fix", files: { "main.tf": "3\n" } }),
    pull.requestChanges(reviewer),
    pull.withdrawChangesRequest(reviewer),
    pull.approve(reviewer),
    pull.unapprove(reviewer),
    pull.comment(author, "/sluice propose"),
    pull.merge({ by: reviewer }),
  ];
  const events = actions
    .flatMap(({ webhooks }) => webhooks)
    .map(({ eventKey, body }) => normaliseDelivery({ eventKey, body: Buffer.from(JSON.stringify(body)) }))
    .flatMap((result): readonly (Event | NormaliseFailure)[] =>
      result.kind === "events" ? result.events : [result],
    );
  const pullEvents = events.filter((event) => event.kind === "pull_request");
  expect(events.filter(({ kind }) => kind === "failed")).toEqual([]);
  expect(pullEvents.map(({ action }) => action)).toEqual([
    "opened",
    "updated",
    "updated",
    "changes_requested",
    "changes_request_removed",
    "approved",
    "unapproved",
    "commented",
    "merged",
  ]);
  const address = { uuid: repository.uuid, fullName: repository.fullName };
  expect(await client.getPullRequest(address, pull.id)).toEqual(pullEvents.at(-1)!.pullRequest);
});

async function arrange() {
  const bitbucket = createBitbucket();
  const server = await startBitbucketServer({ bitbucket });
  closers.push(() => server.close());
  return { bitbucket, server, client: simulatorClient(server.url) };
}
