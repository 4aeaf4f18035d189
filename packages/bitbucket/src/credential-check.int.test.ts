import { createBitbucket } from "@sluice/simulator/bitbucket";
import type { Credential } from "@sluice/simulator/rest-auth";
import { startBitbucketServer } from "@sluice/simulator/rest-server";
import { afterEach, describe, expect, it, test } from "vitest";

import { parseCheckPlace } from "./credential-check.ts";
import { createBitbucketClient } from "./client.ts";
import { arrange, closeAll, page, redirect, TOKEN } from "./testing/arrange-client.ts";
import { sampleAnswer } from "./testing/scripted-api.ts";

const REPOSITORY = { kind: "repository", fullName: "northwind/landing-zone" } as const;
const YES = { answer: "yes", httpStatus: 200, remedy: null };

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
  await closeAll();
});

/** A simulated Bitbucket with one repository, asked with this credential. */
async function simulated(credential: Credential) {
  const bitbucket = createBitbucket();
  bitbucket.createRepository({ workspace: "northwind", slug: "landing-zone" });
  const server = await startBitbucketServer({ bitbucket, credentials: [credential] });
  closers.push(() => server.close());
  const ask = (given: Credential, fullName = "northwind/landing-zone") =>
    createBitbucketClient({
      baseUrl: server.url,
      credential: given,
      credentialId: "credential-1",
      budget: { take: async () => ({ granted: true }), learn: async () => undefined },
      userAgent: "sluice-test",
    }).checkCredential({ kind: "repository", fullName });
  return { server, check: (fullName?: string) => ask(credential, fullName), checkWith: ask };
}

const API_TOKEN = { kind: "api_token", email: "ada@example.com", token: TOKEN } as const;

describe("the check of a credential", () => {
  it.each([API_TOKEN, { kind: "access_token", token: TOKEN } as const])(
    "says that a $kind may do all of it, by three calls",
    async (credential) => {
      const { server, check } = await simulated(credential);
      expect(await check()).toMatchObject({
        verdict: "ok",
        repository: "northwind/landing-zone",
        readRepository: YES,
        readPullRequest: YES,
        webhooks: YES,
      });
      expect(server.calls).toHaveLength(3);
    },
  );

  it("names the scope that is missing, what Bitbucket said, and where it is clicked", async () => {
    const { check } = await simulated({ ...API_TOKEN, scopes: ["repository"] });
    const { verdict, readRepository, readPullRequest, webhooks } = await check();
    expect({ verdict, readRepository }).toMatchObject({ verdict: "ok", readRepository: YES });
    expect(readPullRequest).toMatchObject({ answer: "no", httpStatus: 403 });
    expect(readPullRequest.said).toContain("lack one or more required privilege scopes");
    expect(readPullRequest.remedy).toContain("read:pullrequest:bitbucket");
    expect(readPullRequest.remedy).toContain("Create API token with scopes");
    expect(webhooks).toMatchObject({ answer: "no", httpStatus: 403 });
    expect(webhooks.remedy).toContain("read:webhook:bitbucket");
  });

  it("names the box of an access token in the words of its page", async () => {
    const { check } = await simulated({ kind: "access_token", token: TOKEN, scopes: ["repository"] });
    const { readPullRequest } = await check();
    expect(readPullRequest.remedy).toContain('Access tokens > Create, with "Pull requests: Read"');
  });

  it("says that a wrong credential is refused, and repeats no part of it", async () => {
    const { checkWith } = await simulated(API_TOKEN);
    const wrong = await checkWith({ ...API_TOKEN, token: "ATATT-another-secret" });
    const no = { answer: "no", httpStatus: 401 };
    expect(wrong).toMatchObject({
      verdict: "refused",
      readRepository: no,
      readPullRequest: no,
      webhooks: no,
    });
    expect(JSON.stringify(wrong)).not.toContain("another-secret");
    // Sent as the wrong kind it is none either.
    expect(await checkWith({ kind: "access_token", token: TOKEN })).toMatchObject({ verdict: "refused" });
  });

  it("does not know whether a repository is not there or not for this credential", async () => {
    const { check } = await simulated({ ...API_TOKEN, repositories: [] });
    const { verdict, readRepository } = await check();
    expect({ verdict, readRepository }).toMatchObject({
      verdict: "unknown",
      readRepository: { answer: "unknown", httpStatus: 404 },
    });
    expect(readRepository.remedy).toContain("workspace/slug");
  });

  it.each([
    ["a 403", { kind: "status", status: 403 }, "no", 403],
    ["a 429", { kind: "rate_limited" }, "unknown", 429],
    ["a 500", { kind: "status", status: 500 }, "unknown", 500],
    ["a 410", { kind: "status", status: 410 }, "unknown", 410],
    ["a web page", { kind: "html" }, "unknown", 200],
    ["JSON of another shape", { kind: "wrong_json" }, "unknown", 200],
    ["no answer", { kind: "reset" }, "unknown", null],
    ["a redirect elsewhere", { kind: "redirect_elsewhere", url: "https://example.com/" }, "unknown", null],
  ] as const)(
    "takes %s for what it is, and neither for a refused credential",
    async (_, fault, answer, status) => {
      const { server, check } = await simulated(API_TOKEN);
      server.injectFault("*", fault);
      const result = await check();
      expect(result).toMatchObject({
        verdict: "unknown",
        readRepository: { answer, httpStatus: status },
        readPullRequest: { answer, httpStatus: status },
        webhooks: { answer, httpStatus: status },
      });
      expect(result.readRepository.remedy).toEqual(expect.any(String));
    },
  );

  it("sends nothing, and says so, when the calls of the credential are used up", async () => {
    const { api, client } = await arrange(() => page([]), {
      budget: {
        take: async () => ({ granted: false, retryAfterMs: 60_000 }),
        learn: async () => undefined,
      },
    });
    const { readRepository } = await client.checkCredential(REPOSITORY);
    expect(readRepository).toMatchObject({ answer: "unknown", httpStatus: null });
    expect(api.requests).toHaveLength(0);
  });

  it("tries the first repository that it can read of a workspace", async () => {
    const { api, client } = await arrange((target) => {
      if (target.startsWith("repositories/northwind?")) {
        return page([
          { uuid: "{5b0c7d1e-8f41-4a63-9c55-1d2f7ab0e3c4}", full_name: "northwind/landing-zone" },
        ]);
      }
      return /\/(?:pullrequests|hooks)\?/.test(target) ? page([]) : sampleAnswer("rest-repository");
    });
    expect(await client.checkCredential({ kind: "workspace", workspace: "northwind" })).toMatchObject({
      verdict: "ok",
      repository: "northwind/landing-zone",
      webhooks: YES,
    });
    expect(api.requests.every(({ headers }) => headers.get("authorization") === `Bearer ${TOKEN}`)).toBe(
      true,
    );
    expect(api.requests).toHaveLength(4);
  });

  it("knows nothing of a credential that sees no repository of a workspace", async () => {
    const { client } = await arrange(() => page([]));
    const check = await client.checkCredential({ kind: "workspace", workspace: "northwind" });
    expect(check).toMatchObject({ verdict: "unknown", repository: null, webhooks: { answer: "unknown" } });
    expect(check.readRepository.said).toContain('no repository of the workspace "northwind"');
  });

  it("follows a rename within the API, where the credential belongs", async () => {
    const { client } = await arrange((target) => {
      if (target.startsWith("repositories/northwind/landing-zone")) {
        return redirect(`/2.0/${target.replace("landing-zone", "renamed")}`, 301);
      }
      return /\/(?:pullrequests|hooks)\?/.test(target) ? page([]) : sampleAnswer("rest-repository");
    });
    expect(await client.checkCredential(REPOSITORY)).toMatchObject({ verdict: "ok", readPullRequest: YES });
  });
});

test.each([
  ["northwind/landing-zone", { kind: "repository", fullName: "northwind/landing-zone" }],
  ["northwind", { kind: "workspace", workspace: "northwind" }],
  ["", null],
  ["northwind/", null],
  ["northwind/landing-zone/src", null],
  ["northwind/..", null],
  ["https://bitbucket.org/northwind", null],
  ["northwind/%2e%2e", null],
])("%j is the place %j", (text, place) => {
  expect(parseCheckPlace(text)).toEqual(place);
});
