import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createBitbucket, type Bitbucket } from "./bitbucket.ts";
import type { Repository } from "./repository.ts";
import { authorizationOf, DEFAULT_CREDENTIALS } from "./rest-auth.ts";
import { startBitbucketServer, type BitbucketServer } from "./rest-server.ts";

let bitbucket: Bitbucket;
let repository: Repository;
let server: BitbucketServer;

beforeEach(async () => {
  bitbucket = createBitbucket({ seed: "diffstat" });
  repository = bitbucket.createRepository({ workspace: "acme", slug: "infra" });
  repository.push({ files: { "network/main.tf": "a\nb\n", "old.tf": "1\n2\n3\n" } });
  server = await startBitbucketServer({ bitbucket });
});

afterEach(() => server.close());

interface Page {
  readonly values: readonly { status: string; old: { path: string } | null; new: { path: string } | null }[];
  readonly next?: string;
}

function get(
  pathOrUrl: string,
  redirect: NonNullable<RequestInit["redirect"]> = "manual",
): Promise<Response> {
  const url = pathOrUrl.startsWith("http") ? pathOrUrl : `${server.url}/repositories/acme/infra${pathOrUrl}`;
  return fetch(url, { redirect, headers: { authorization: authorizationOf(DEFAULT_CREDENTIALS[0]!) } });
}

async function getPage(pathOrUrl: string): Promise<Page> {
  const response = await get(pathOrUrl, "follow");
  expect(response.status).toBe(200);
  return (await response.json()) as Page;
}

/** `status old > new` of each entry. */
async function diffstat(path: string): Promise<string[]> {
  const { values } = await getPage(path);
  return values.map((entry) => `${entry.status} ${entry.old?.path ?? "-"} > ${entry.new?.path ?? "-"}`);
}

describe("the diffstat of one commit", () => {
  it("is against its first parent, and all added for a first commit", async () => {
    const first = repository.head();
    const { hash } = repository.push({ files: { "a b.tf": "x\n" }, moves: { "old.tf": "new.tf" } });
    expect(await diffstat(`/diffstat/${first}`)).toEqual(["added - > network/main.tf", "added - > old.tf"]);
    expect(await diffstat(`/diffstat/${hash}`)).toEqual(["added - > a b.tf", "renamed old.tf > new.tf"]);
    expect(await diffstat(`/diffstat/${hash}?renames=false`)).toHaveLength(3);
    expect(await diffstat(`/diffstat/${hash}?path=new.tf`)).toEqual(["renamed old.tf > new.tf"]);
  });

  it("of a merge is what the merge brought to the destination", async () => {
    repository.push({ branch: "x", files: { x: "x" } });
    const pull = repository.openPullRequest({ title: "X", source: "x" });
    repository.push({ files: { y: "y" } });
    expect(await diffstat(`/diffstat/${pull.merge().hash}`)).toEqual(["added - > x"]);
  });

  it("has lines, and paths raw and escaped", async () => {
    const { hash } = repository.push({ files: { "network/a b.tf": "x\ny\n", "network/main.tf": "a\nc\n" } });
    const { values } = await getPage(`/diffstat/${hash}`);
    expect(values).toMatchObject([
      {
        type: "diffstat",
        status: "added",
        lines_added: 2,
        lines_removed: 0,
        old: null,
        new: { path: "network/a b.tf", escaped_path: "network/a%20b.tf", type: "commit_file" },
      },
      { status: "modified", lines_added: 1, lines_removed: 1 },
    ]);
  });
});

describe("the diffstat of two commits", () => {
  it("shows what the first has and the second has not: the reverse of git", async () => {
    const first = repository.head();
    const { hash } = repository.push({ files: { x: "x" } });
    expect(await diffstat(`/diffstat/${hash}..${first}`)).toEqual(["added - > x"]);
    expect(await diffstat(`/diffstat/${first}..${hash}`)).toEqual(["removed x > -"]);
    expect(await diffstat(`/diffstat/${hash.slice(0, 12)}..${first.slice(0, 12)}`)).toEqual(["added - > x"]);
  });

  it("compares heads with two dots, and with topic=true from the merge base", async () => {
    repository.push({ branch: "feature/x", files: { x: "x" } });
    repository.push({ files: { y: "y" } });
    expect(await diffstat("/diffstat/feature%2Fx..main")).toEqual(["added - > x", "removed y > -"]);
    expect(await diffstat("/diffstat/feature%2Fx..main?topic=true")).toEqual(["added - > x"]);
  });

  it("is 404 for a commit that is not there, or no longer", async () => {
    const lost = repository.push({ files: { a: "a" } }).hash;
    repository.push({ files: { b: "b" }, force: true });
    expect((await get(`/diffstat/${lost}..main`)).status).toBe(200);
    repository.collectGarbage();
    expect((await get(`/diffstat/${lost}..main`)).status).toBe(404);
  });
});

describe("the diffstat of a pull request", () => {
  it("is reached by a redirect on the same host", async () => {
    repository.push({ branch: "x", files: { x: "x" } });
    repository.openPullRequest({ title: "X", source: "x" });
    repository.push({ files: { y: "y" } });
    const response = await get("/pullrequests/1/diffstat");
    expect(response.status).toBe(302);
    const location = response.headers.get("location") ?? "";
    expect(location).toMatch(
      /diffstat\/acme\/infra:[0-9a-f]{12}%0D[0-9a-f]{12}\?from_pullrequest_id=1&topic=true$/,
    );
    expect(new URL(location).origin).toBe(new URL(server.url).origin);
    expect(await diffstat(location)).toEqual(["added - > x"]);
  });

  it("from a fork is answered by the destination, which otherwise does not know the fork's commits", async () => {
    const fork = bitbucket.fork(repository, { workspace: "grace" });
    const { hash } = fork.push({ branch: "x", files: { x: "x" } });
    repository.openPullRequest({ title: "X", source: "x", from: fork });
    expect(await diffstat("/pullrequests/1/diffstat")).toEqual(["added - > x"]);
    expect(await diffstat(`/diffstat/${hash}..main?topic=true`)).toEqual(["added - > x"]);
    expect((await get(`/commit/${hash}`)).status).toBe(404);
  });

  it("that is merged shows what was merged", async () => {
    repository.push({ branch: "x", files: { x: "x" } });
    repository.openPullRequest({ title: "X", source: "x", closeSourceBranch: true }).merge();
    repository.push({ files: { y: "y" } });
    expect(await diffstat("/pullrequests/1/diffstat")).toEqual(["added - > x"]);
  });
});

describe("pages of a diffstat", () => {
  it("hold 500 entries unless asked for up to 5000, and next leads through all of them", async () => {
    const files = Object.fromEntries(Array.from({ length: 1201 }, (_, number) => [`f/${number}.tf`, "x\n"]));
    const { hash } = repository.push({ files });
    const sizes: number[] = [];
    const seen = new Set<string>();
    let next: string | undefined = `/diffstat/${hash}`;
    while (next !== undefined) {
      const page: Page = await getPage(next);
      sizes.push(page.values.length);
      for (const entry of page.values) seen.add(entry.new?.path ?? "");
      next = page.next;
    }
    expect(sizes).toEqual([500, 500, 201]);
    expect(seen.size).toBe(1201);
    expect((await getPage(`/diffstat/${hash}?pagelen=5000`)).values).toHaveLength(1201);
    expect((await get(`/diffstat/${hash}?pagelen=5001`)).status).toBe(400);
  });
});
