import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createBitbucket, type Bitbucket } from "./bitbucket.ts";
import type { Repository } from "./repository.ts";
import { authorizationOf, type Credential } from "./rest-auth.ts";
import { startBitbucketServer, type BitbucketServer } from "./rest-server.ts";

const FULL: Credential = { kind: "access_token", token: "full" };
const MAIL: Credential = {
  kind: "api_token",
  email: "ada@example.com",
  token: "mail",
  scopes: ["repository"],
};
const BLIND: Credential = { kind: "access_token", token: "blind", repositories: ["acme/other"] };

let bitbucket: Bitbucket;
let repository: Repository;
let server: BitbucketServer;

beforeEach(async () => {
  bitbucket = createBitbucket({ seed: "rest" });
  repository = bitbucket.createRepository({ workspace: "acme", slug: "infra", name: "Infra Live" });
  repository.push({ files: { "network/main.tf": "a\nb\n", "old.tf": "1\n2\n3\n" } });
  const account = bitbucket.createUser("Ada Lovelace");
  server = await startBitbucketServer({ bitbucket, credentials: [{ ...FULL, account }, MAIL, BLIND] });
});

afterEach(() => server.close());

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // Tests look into it with matchers.
  readonly json: unknown;
}

async function call(path: string, init: RequestInit & { as?: Credential } = {}): Promise<Answer> {
  const { as = FULL, ...rest } = init;
  const url = path.startsWith("http") ? path : `${server.url}${path}`;
  const response = await fetch(url, {
    redirect: "manual",
    headers: { authorization: authorizationOf(as) },
    ...rest,
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : null };
}

const at = (path: string): Promise<Answer> => call(`/repositories/acme/infra${path}`);

const send = (method: string, path: string, body: unknown): Promise<Answer> =>
  call(`/repositories/acme/infra${path}`, { method, body: JSON.stringify(body) });

describe("credentials", () => {
  it("none at all are answered with an empty 401 that asks for them", async () => {
    const answer = await call("/repositories/acme/infra", { headers: {} });
    expect(answer).toMatchObject({ status: 401, text: "" });
    expect(answer.headers.get("www-authenticate")).toBe('Basic realm="Bitbucket.org HTTP"');
  });

  it("an API token works as Basic and not as Bearer", async () => {
    expect(await call("/repositories/acme/infra", { as: MAIL })).toMatchObject({ status: 200 });
    const wrong = await call("/repositories/acme/infra", { as: { kind: "access_token", token: "mail" } });
    expect(wrong).toMatchObject({
      status: 401,
      json: { type: "error", error: { message: "Token is invalid or not supported for this endpoint." } },
    });
  });

  it("a missing scope is 403 and named in the form of the credential", async () => {
    expect(await call("/repositories/acme/infra/pullrequests", { as: MAIL })).toMatchObject({
      status: 403,
      json: {
        type: "error",
        error: {
          message: "Your credentials lack one or more required privilege scopes.",
          detail: { required: ["read:pullrequest:bitbucket"], granted: ["read:repository:bitbucket"] },
        },
      },
    });
  });

  it("a repository that the credential cannot see is 404, like one that is not there", async () => {
    expect(await call("/repositories/acme/infra", { as: BLIND })).toMatchObject({ status: 404 });
    expect(await call("/repositories/acme/nothing")).toMatchObject({
      status: 404,
      json: { type: "error", error: { message: "Repository acme/nothing not found" } },
    });
  });

  it("GET user needs a scope of its own", async () => {
    expect(await call("/user")).toMatchObject({ status: 200, json: { display_name: "Ada Lovelace" } });
    expect(await call("/user", { as: MAIL })).toMatchObject({ status: 403 });
  });
});

describe("a repository", () => {
  it("is found by slug and by uuid, in braces or percent-encoded, in both places", async () => {
    const workspace = repository.state.workspace.uuid;
    const paths = [
      "acme/infra",
      `acme/${repository.uuid}`,
      `${workspace}/${encodeURIComponent(repository.uuid)}`,
    ];
    for (const path of paths) {
      expect(await call(`/repositories/${path}`)).toMatchObject({
        status: 200,
        json: { uuid: repository.uuid, full_name: "acme/infra", name: "Infra Live", slug: "infra" },
      });
    }
  });

  it("answers under its new name and its old uuid after a rename", async () => {
    repository.rename({ slug: "platform" });
    expect(await at("")).toMatchObject({ status: 404 });
    expect(await call("/repositories/acme/platform")).toMatchObject({ status: 200 });
    expect(await call(`/repositories/acme/${repository.uuid}`)).toMatchObject({ json: { slug: "platform" } });
  });

  it("lists are gone for good: 410", async () => {
    expect(await call("/repositories")).toMatchObject({
      status: 410,
      json: { error: { message: "CHANGE-2770 - Functionality has been deprecated" } },
    });
  });
});

describe("a commit", () => {
  it("is found by a short hash, and says its full one", async () => {
    const hash = repository.head();
    expect(await at(`/commit/${hash.slice(0, 12)}`)).toMatchObject({
      status: 200,
      json: { hash, parents: [] },
    });
  });

  it("that is not there, or whose short hash fits two, is 404", async () => {
    const notFound = { status: 404, json: { type: "error", error: { message: "Changeset not found." } } };
    expect(await at(`/commit/${"0".repeat(40)}`)).toMatchObject(notFound);
    repository.push({ files: { a: "a" }, hash: `abcdef0${"1".repeat(33)}` });
    repository.push({ files: { b: "b" }, hash: `abcdef0${"2".repeat(33)}` });
    expect(await at("/commit/abcdef0")).toMatchObject(notFound);
    expect(await at("/commit/abcdef02")).toMatchObject({ status: 200 });
  });

  it("knows its pull requests when the app is installed, 202 while it indexes, 404 without it", async () => {
    const { hash } = repository.push({ branch: "x", files: { x: "x" } });
    repository.openPullRequest({ title: "X", source: "x" }).merge();
    expect(await at(`/commit/${hash}/pullrequests`)).toMatchObject({
      status: 200,
      json: { values: [{ id: 1, state: "MERGED" }], pagelen: 30 },
    });
    repository.setCommitLinks("indexing");
    expect(await at(`/commit/${hash}/pullrequests`)).toMatchObject({ status: 202, json: { values: [] } });
    repository.setCommitLinks("absent");
    expect(await at(`/commit/${hash}/pullrequests`)).toMatchObject({ status: 404 });
  });

  it("has files", async () => {
    expect(await at(`/src/${repository.head()}/network/main.tf`)).toMatchObject({
      status: 200,
      text: "a\nb\n",
    });
    expect(await at(`/src/${repository.head()}/nothing.tf`)).toMatchObject({
      status: 404,
      json: { error: { message: "No such file or directory: nothing.tf" } },
    });
  });

  it("has a merge base with another", async () => {
    const base = repository.head();
    repository.push({ branch: "x", files: { x: "x" } });
    repository.push({ files: { y: "y" } });
    expect(await at("/merge-base/x..main")).toMatchObject({ status: 200, json: { hash: base } });
  });
});

describe("branches", () => {
  it("are found by names with slashes, plain or percent-encoded", async () => {
    const { hash } = repository.push({ branch: "feature/a b", files: { x: "x" } });
    for (const path of ["feature/a%20b", "feature%2Fa%20b"]) {
      expect(await at(`/refs/branches/${path}`)).toMatchObject({
        status: 200,
        json: { name: "feature/a b", type: "branch", target: { hash } },
      });
    }
    expect(await at("/refs/branches/nothing")).toMatchObject({ status: 404 });
  });

  it("are listed page by page, following next", async () => {
    for (let number = 10; number < 25; number += 1) repository.push({ branch: `b-${number}` });
    const first = await at("/refs/branches?pagelen=10");
    expect(first).toMatchObject({ json: { size: 16, page: 1, pagelen: 10, next: expect.any(String) } });
    const second = await call((first.json as { next: string }).next);
    expect(second).toMatchObject({
      json: { page: 2, values: expect.toSatisfy((list: unknown[]) => list.length === 6) },
    });
    expect(second.json).not.toHaveProperty("next");
    expect(await at("/refs/branches?pagelen=101")).toMatchObject({ status: 400 });
    expect(await at("/refs/branches?page=nonsense")).toMatchObject({ status: 400 });
  });
});

describe("pull requests", () => {
  beforeEach(() => {
    for (const branch of ["one", "two"]) {
      repository.push({ branch, files: { [branch]: branch } });
      repository.openPullRequest({ title: branch, source: branch });
    }
    repository.pullRequest(1).decline();
  });

  const idsOf = async (query: string): Promise<number[]> => {
    const { json } = await at(`/pullrequests${query}`);
    return (json as { values: { id: number }[] }).values.map((pull) => pull.id);
  };

  it("are listed when open, or by the states asked for", async () => {
    expect(await idsOf("")).toEqual([2]);
    expect(await idsOf("?state=OPEN&state=DECLINED")).toEqual([2, 1]);
    expect(await at("/pullrequests?state=LOST")).toMatchObject({ status: 400 });
  });

  it("are filtered by q", async () => {
    const q = (text: string): Promise<number[]> => idsOf(`?q=${encodeURIComponent(text)}`);
    expect(await q('source.branch.name="two"')).toEqual([2]);
    expect(await q('source.branch.name = "one"')).toEqual([]);
    expect(await q('source.branch.name="one" AND state="DECLINED"')).toEqual([1]);
    for (const wrong of ['color="red"', 'constructor="x"', "state=OPEN"]) {
      expect(await at(`/pullrequests?q=${encodeURIComponent(wrong)}`)).toMatchObject({ status: 400 });
    }
  });

  it("are found by a title with quotes, whatever words stand in it", async () => {
    repository.pullRequest(2).edit({ title: 'A "new" state AND more' });
    const q = String.raw`title="A \"new\" state AND more"`;
    expect(await idsOf(`?q=${encodeURIComponent(q)}`)).toEqual([2]);
    repository.pullRequest(2).decline();
    expect(await idsOf(`?q=${encodeURIComponent(q)}`)).toEqual([]);
  });

  it("have participants one by one and not in lists", async () => {
    expect((await at("/pullrequests/2")).json).toHaveProperty("participants");
    const list = await at("/pullrequests");
    expect((list.json as { values: unknown[] }).values[0]).not.toHaveProperty("participants");
  });

  it("that are not there are 404 in plain text", async () => {
    const answer = await at("/pullrequests/99");
    expect(answer).toMatchObject({ status: 404, text: "Not Found" });
    expect(answer.headers.get("content-type")).toMatch(/^text\/plain/);
  });

  it("take comments, which fire a webhook by the credential's account", async () => {
    const answer = await send("POST", "/pullrequests/2/comments", { content: { raw: "Hello" } });
    expect(answer).toMatchObject({
      status: 201,
      json: { content: { raw: "Hello" }, user: { nickname: "Ada Lovelace" } },
    });
    expect(await send("POST", "/pullrequests/2/comments", {})).toMatchObject({ status: 400 });
  });
});

describe("build statuses", () => {
  it("are made with 201 and overwritten by key, and keep their history", async () => {
    const path = `/commit/${repository.head().slice(0, 12)}/statuses/build`;
    const first = { key: "sluice/network", state: "INPROGRESS", url: "https://ci.example/1" };
    expect(await send("POST", path, first)).toMatchObject({
      status: 201,
      json: { commit: { hash: repository.head() } },
    });
    expect(await send("POST", path, { ...first, state: "FAILED" })).toMatchObject({ status: 201 });
    expect(await send("PUT", `${path}/sluice%2Fnetwork`, { state: "SUCCESSFUL" })).toMatchObject({
      status: 200,
      json: { state: "SUCCESSFUL", url: "https://ci.example/1" },
    });
    expect(await at(`${path}/sluice%2Fnetwork`)).toMatchObject({
      json: { key: "sluice/network", state: "SUCCESSFUL" },
    });
    expect(repository.statuses("main")).toHaveLength(1);
    expect(repository.state.statusHistory.map((status) => status.state)).toEqual([
      "INPROGRESS",
      "FAILED",
      "SUCCESSFUL",
    ]);
  });

  it("with a key over 40 characters are refused in Bitbucket's words", async () => {
    const message = "Ensure this value has at most 40 characters (it has 53).";
    const answer = await send("POST", `/commit/${repository.head()}/statuses/build`, {
      key: "k".repeat(53),
      state: "FAILED",
    });
    expect(answer.status).toBe(400);
    expect(answer.json).toEqual({
      type: "error",
      error: { fields: { key: [message] }, message: `key: ${message}` },
    });
  });

  it("need a key, a known state, and a commit", async () => {
    const path = `/commit/${repository.head()}/statuses/build`;
    expect(await send("POST", path, { state: "FAILED" })).toMatchObject({ status: 400 });
    expect(await send("POST", path, { key: "k", state: "PERHAPS" })).toMatchObject({ status: 400 });
    expect(await send("POST", "/commit/0000000/statuses/build", { key: "k", state: "FAILED" })).toMatchObject(
      {
        status: 404,
      },
    );
    expect(await send("PUT", `${path}/none`, { state: "FAILED" })).toMatchObject({ status: 404 });
  });
});

describe("hooks", () => {
  it("are made, read, changed and removed, and never show their secret", async () => {
    const made = await send("POST", "/hooks", {
      url: "https://sluice.example/webhooks",
      events: ["repo:push"],
      description: "Sluice",
      active: true,
      secret: "s3cret",
    });
    expect(made).toMatchObject({
      status: 201,
      json: { secret_set: true, events: ["repo:push"], active: true },
    });
    expect(made.text).not.toContain("s3cret");

    const { uuid } = made.json as { uuid: string };
    const path = `/hooks/${encodeURIComponent(uuid)}`;
    expect(await at("/hooks")).toMatchObject({ json: { values: [{ uuid }], size: 1 } });
    expect(await send("PUT", path, { active: false })).toMatchObject({
      json: { active: false, secret_set: true },
    });
    expect(await send("PUT", path, { secret: null })).toMatchObject({ json: { secret_set: false } });
    expect(await at(path)).toMatchObject({ status: 200, json: { uuid, description: "Sluice" } });
    expect(await send("DELETE", path, undefined)).toMatchObject({ status: 204, text: "" });
    expect(await at(path)).toMatchObject({ status: 404 });
  });

  it("need an address, events, and a secret of at most 128 characters", async () => {
    expect(await send("POST", "/hooks", { events: ["repo:push"] })).toMatchObject({ status: 400 });
    expect(await send("POST", "/hooks", { url: "https://a.example", events: [] })).toMatchObject({
      status: 400,
    });
    const long = { url: "https://a.example", events: ["repo:push"], secret: "s".repeat(129) };
    expect(await send("POST", "/hooks", long)).toMatchObject({ status: 400 });
  });
});

describe("calls", () => {
  it("are listed and counted by pattern until cleared", async () => {
    await at("/refs/branches?pagelen=5");
    await at("/commit/0000000");
    expect(server.calls).toEqual([
      { method: "GET", path: "/2.0/repositories/acme/infra/refs/branches", query: "?pagelen=5", status: 200 },
      { method: "GET", path: "/2.0/repositories/acme/infra/commit/0000000", query: "", status: 404 },
    ]);
    expect(server.countCalls("GET */commit/*")).toBe(1);
    expect(server.countCalls("POST *")).toBe(0);
    server.clearCalls();
    expect(server.calls).toEqual([]);
  });
});
