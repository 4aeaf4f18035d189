/** Whatever Bitbucket, or somebody in its place, answers: no call leaves the API's address. All methods of the client. */
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";

import type { BitbucketClient } from "./client.ts";
import { arrange, closeAll, page, redirect, REPOSITORY, SHA } from "./testing/arrange-client.ts";
import { sampleAnswer } from "./testing/scripted-api.ts";

const OWNER = { kind: "repository", repository: REPOSITORY } as const;
const HOOK = {
  title: "Sluice",
  url: "https://hooks.example/webhooks/bitbucket-cloud/acme",
  events: ["repo:push"],
  secret: "a-secret",
};

/** A call of each; the type demands that a new method is added here. */
const CALLS: Readonly<Record<keyof BitbucketClient, (client: BitbucketClient) => Promise<unknown>>> = {
  getCommit: (client) => client.getCommit(REPOSITORY, SHA),
  getDiffstat: (client) =>
    client.getDiffstat(REPOSITORY, { spec: { new: SHA, old: SHA.replace("a", "b") }, topic: false }),
  getBranch: (client) => client.getBranch(REPOSITORY, "main"),
  getPullRequestDiffstat: (client) => client.getPullRequestDiffstat(REPOSITORY, 17),
  listOpenPullRequests: (client) => client.listOpenPullRequests(REPOSITORY),
  getPullRequest: (client) => client.getPullRequest(REPOSITORY, 17),
  listCommitPullRequests: (client) => client.listCommitPullRequests(REPOSITORY, SHA),
  getFile: (client) => client.getFile(REPOSITORY, { sha: SHA, path: "main.tf" }),
  getRepository: (client) => client.getRepository(REPOSITORY),
  checkCredential: (client) => client.checkCredential({ kind: "repository", fullName: REPOSITORY.fullName }),
  listHooks: (client) => client.listHooks(OWNER),
  createHook: (client) => client.createHook(OWNER, HOOK),
  updateHook: (client) => client.updateHook(OWNER, { id: "{7e1b}", content: HOOK }),
  deleteHook: (client) => client.deleteHook(OWNER, "{7e1b}"),
};

/** Answers that try to lead a client to `origin`. */
const LURES: Readonly<Record<string, (origin: string) => Response>> = {
  "a redirect": (origin) => redirect(`${origin}/2.0/repositories`),
  "a redirect that keeps the method": (origin) => redirect(`${origin}/2.0/repositories`, 307),
  "a redirect to the same scheme": (origin) => redirect(origin.replace("http:", "") + "/2.0/repositories"),
  "a redirect with backslashes": (origin) => redirect(origin.replace("http://", String.raw`\\`) + "/2.0/x"),
  "a redirect with a name in front of the host": (origin) =>
    redirect(origin.replace("://", "://api@") + "/2.0/x"),
  "a redirect out of the API": () => redirect("/2.0/../internal"),
  "a redirect to a file": () => redirect("file:///etc/hostname"),
  "a redirect to a host of the cloud": () => redirect("http://169.254.169.254/latest/meta-data/"),
  "the next page": (origin) => page([], `${origin}/2.0/repositories?page=2`),
  "every address that an answer can hold": (origin) =>
    Response.json({
      values: [],
      next: `${origin}/2.0/a`,
      links: {
        self: { href: `${origin}/b` },
        diffstat: { href: `${origin}/c` },
        html: { href: `${origin}/d` },
      },
    }),
  "a refresh": (origin) =>
    new Response("{}", {
      headers: { refresh: `0; url=${origin}/2.0/x`, link: `<${origin}/2.0/x>; rel=next` },
    }),
};

afterEach(async () => {
  vi.unstubAllEnvs();
  await closeAll();
});

describe.each(Object.keys(LURES))("%s to another place is not followed", (lure) => {
  test("by any method", async () => {
    const { api: stranger } = await arrange(() => page([]));
    const origin = new URL(stranger.url).origin;
    const called: string[] = [];
    const { api, client } = await arrange(() => LURES[lure]!(origin), {
      // Also what would reach nobody here is seen.
      fetch: (input, init) => {
        called.push(input instanceof Request ? input.url : String(input));
        return fetch(input, init);
      },
    });
    for (const call of Object.values(CALLS)) await call(client).catch(() => undefined);
    expect(stranger.requests).toEqual([]);
    expect(called.filter((url) => !url.startsWith(`${api.url}/`))).toEqual([]);
    expect(api.requests.length).toBeGreaterThanOrEqual(Object.keys(CALLS).length);
    for (const { target } of api.requests) expect(target).toMatch(/^\/2\.0\/repositories\/northwind\//);
  });
});

test("no name of a repository, branch, commit or file leads out of the API", async () => {
  const { api, client } = await arrange(() => page([]));
  const part = fc.constantFrom(
    "..",
    ".",
    "/",
    "\\",
    "@",
    "?",
    "#",
    ":",
    "%2e%2e",
    "%2f",
    "//evil.example",
    "a",
    "\0",
    "\r\n",
    " ",
  );
  const text = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(""));
  await fc.assert(
    fc.asyncProperty(text, text, async (first, second) => {
      const before = api.requests.length;
      const repository = { fullName: `${first}/${second}`, uuid: null };
      await client.getRepository(repository).catch(() => undefined);
      await client.getBranch(REPOSITORY, first).catch(() => undefined);
      await client.getCommit(REPOSITORY, second).catch(() => undefined);
      await client.getFile(REPOSITORY, { sha: SHA, path: first }).catch(() => undefined);
      for (const { target } of api.requests.slice(before)) {
        expect(target).toMatch(/^\/2\.0\/repositories\/[^/?#]+\/[^/?#]+/);
        expect(new URL(target, "https://api.example").pathname).toBe(target.split("?")[0]);
      }
    }),
    { numRuns: 60 },
  );
  expect(api.requests.length).toBeGreaterThan(60);
});

test("an environment that names a proxy sends nothing there", async () => {
  const { api: proxy } = await arrange(() => page([]));
  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]) {
    vi.stubEnv(name, new URL(proxy.url).origin);
  }
  const { api, client } = await arrange(() => sampleAnswer("rest-repository"));
  await client.getRepository(REPOSITORY);
  expect(api.requests).toHaveLength(1);
  expect(proxy.requests).toEqual([]);
});

test("the credential is sent to the API's address, and is in none of its parts", async () => {
  const { api, client } = await arrange(() => sampleAnswer("rest-repository"));
  for (const call of Object.values(CALLS)) await call(client).catch(() => undefined);
  for (const { target, headers } of api.requests) {
    expect(headers.get("authorization")).toMatch(/^Bearer /);
    expect(target).not.toContain("secret");
  }
});
