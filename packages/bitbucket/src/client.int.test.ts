import { afterEach, describe, expect, it } from "vitest";

import { arrange, closeAll, REPOSITORY, REPOSITORY_PATH, SHA } from "./testing/arrange-client.ts";
import { sampleAnswer } from "./testing/scripted-api.ts";

afterEach(closeAll);

describe("the other calls", () => {
  it("getCommit gives the full hash of a short one, and what is known of the commit", async () => {
    const { client, api } = await arrange(() => sampleAnswer("rest-commit"));
    expect(await client.getCommit(REPOSITORY, "A14C0D9E7B4C")).toEqual({
      sha: SHA,
      message: "Add the audit account\n",
      author: "Ada Example <ada@northwind.example>",
      date: "2026-11-20T09:15:42+00:00",
      url: `https://bitbucket.org/northwind/landing-zone/commits/${SHA}`,
    });
    expect(api.requests[0]!.target).toBe(`/2.0/${REPOSITORY_PATH}/commit/A14C0D9E7B4C`);
  });

  it("getBranch gives the head of a branch with slashes", async () => {
    const { client, api } = await arrange(() => sampleAnswer("rest-branch"));
    expect(await client.getBranch(REPOSITORY, "feature/audit-account")).toBe(SHA);
    expect(api.requests[0]!.target).toBe(`/2.0/${REPOSITORY_PATH}/refs/branches/feature%2Faudit-account`);
  });

  it("getBranch calls a branch gone only when its repository is there", async () => {
    const missing = await arrange((target) =>
      target.includes("/refs/")
        ? new Response("Not Found", { status: 404 })
        : sampleAnswer("rest-repository"),
    );
    expect(await missing.client.getBranch(REPOSITORY, "gone")).toBeNull();
    const hidden = await arrange(() => new Response("", { status: 404 }));
    await expect(hidden.client.getBranch(REPOSITORY, "gone")).rejects.toMatchObject({
      code: "bitbucket_not_found",
    });
  });

  it("getRepository gives the present name, also of one known by its old name only", async () => {
    const { client, api } = await arrange(() => sampleAnswer("rest-repository"));
    const expected = { ...REPOSITORY, mainBranch: "main" };
    expect(await client.getRepository({ fullName: "northwind/old-name", uuid: null })).toEqual(expected);
    expect(api.requests[0]!.target).toBe("/2.0/repositories/northwind/old-name");
  });

  it("getPullRequest gives what a webhook would, who approved included", async () => {
    const { client } = await arrange(() => sampleAnswer("rest-pull-request"));
    expect(await client.getPullRequest(REPOSITORY, 17)).toEqual({
      number: 17,
      title: "Add the audit account",
      state: "OPEN",
      isDraft: false,
      author: {
        uuid: "{9e1f6c02-7d34-4b8a-b1c9-35a0f2d4c6e8}",
        displayName: "Ada Example",
        kind: "user",
      },
      url: "https://bitbucket.org/northwind/landing-zone/pull-requests/17",
      createdOn: "2026-11-20T09:20:00.102030+00:00",
      updatedOn: "2026-11-20T09:20:01.405060+00:00",
      source: { branch: "feature/audit-account", sha: "a14c0d9e7b4c", repository: REPOSITORY },
      destination: { branch: "main", sha: "c305f8a6e205" },
      mergeSha: null,
      reviews: [
        {
          userUuid: "{1c7b5e93-2f08-4d6a-8e41-b9d3f7a60c25}",
          state: "approved",
          participatedOn: "2026-11-20T11:00:00.000000+00:00",
        },
        { userUuid: null, state: "none", participatedOn: null },
      ],
    });
  });

  it("listOpenPullRequests survives forks and branches that are gone", async () => {
    const { client, api } = await arrange(() => sampleAnswer("rest-pull-requests"));
    const pullRequests = await client.listOpenPullRequests(REPOSITORY);
    expect(pullRequests.map(({ number, source, reviews }) => [number, source.repository, reviews])).toEqual([
      [17, REPOSITORY, null],
      [9, null, null],
    ]);
    expect(api.requests[0]!.target).toBe(`/2.0/${REPOSITORY_PATH}/pullrequests?state=OPEN&pagelen=50`);
  });

  it("a pull request, or a list of them, that is not there is bitbucket_not_found, though it is no JSON", async () => {
    const { client } = await arrange(
      () => new Response("Not Found", { status: 404, headers: { "content-type": "text/plain" } }),
    );
    const notFound = { code: "bitbucket_not_found", status: 404, retry: "never" };
    await expect(client.getPullRequest(REPOSITORY, 17)).rejects.toMatchObject(notFound);
    await expect(client.listOpenPullRequests(REPOSITORY)).rejects.toMatchObject(notFound);
    await expect(client.getPullRequestDiffstat(REPOSITORY, 17)).rejects.toMatchObject(notFound);
  });

  it("listOpenPullRequests of a branch quotes its name, and checks the answer itself", async () => {
    const { client, api } = await arrange(() => sampleAnswer("rest-pull-requests"));
    const name = String.raw`say "hi" & \o/`;
    expect(await client.listOpenPullRequests(REPOSITORY, { sourceBranch: name })).toEqual([]);
    const query = new URLSearchParams(api.requests[0]!.target.split("?")[1]);
    expect(query.get("q")).toBe(String.raw`source.branch.name="say \"hi\" & \\o/"`);
  });

  it("listCommitPullRequests tells links, still indexing and not available apart", async () => {
    const answers = [
      sampleAnswer("rest-commit-pull-requests"),
      Response.json({ values: [] }, { status: 202 }),
      new Response("Not Found", { status: 404 }),
      Response.json({ values: [] }),
    ];
    const { client } = await arrange(() => answers.shift()!);
    const link = { id: 17, title: "Add the audit account" };
    expect(await client.listCommitPullRequests(REPOSITORY, SHA)).toMatchObject({
      kind: "links",
      pullRequests: [link],
    });
    expect(await client.listCommitPullRequests(REPOSITORY, SHA)).toEqual({ kind: "indexing" });
    expect(await client.listCommitPullRequests(REPOSITORY, SHA)).toEqual({ kind: "not_available" });
    expect(await client.listCommitPullRequests(REPOSITORY, SHA)).toEqual({ kind: "links", pullRequests: [] });
  });
});
