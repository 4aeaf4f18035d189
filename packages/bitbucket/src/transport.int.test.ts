import { afterEach, describe, expect, it } from "vitest";

import {
  arrange,
  closeAll,
  page,
  redirect,
  REPOSITORY,
  REPOSITORY_PATH,
  SHA,
  TOKEN,
} from "./testing/arrange-client.ts";
import { sampleAnswer } from "./testing/scripted-api.ts";

const SPEC = { spec: { new: "b27e91c", old: "a14c0d9" }, topic: false };

afterEach(closeAll);

describe("a call", () => {
  it("says who it is, in the form of its credential", async () => {
    const basic = await arrange(() => sampleAnswer("rest-repository"), {
      credential: { kind: "api_token", email: "ada@northwind.example", token: TOKEN },
    });
    await basic.client.getRepository(REPOSITORY);
    const { headers } = basic.api.requests[0]!;
    expect(headers.get("authorization")).toBe(
      `Basic ${Buffer.from(`ada@northwind.example:${TOKEN}`).toString("base64")}`,
    );
    expect(headers.get("accept")).toBe("application/json");
    expect(headers.get("user-agent")).toBe("sluice-test");

    const bearer = await arrange(() => sampleAnswer("rest-repository"));
    await bearer.client.getRepository(REPOSITORY);
    expect(bearer.api.requests[0]!.headers.get("authorization")).toBe(`Bearer ${TOKEN}`);
  });

  it("is observed with the name of its endpoint, never with its address", async () => {
    const { client, observed } = await arrange((target) =>
      target.includes("diffstat") ? new Response("", { status: 503 }) : sampleAnswer("rest-commit"),
    );
    await client.getCommit(REPOSITORY, SHA);
    await expect(client.getDiffstat(REPOSITORY, SPEC)).rejects.toMatchObject({
      code: "bitbucket_unavailable",
    });
    expect(observed.map(({ endpoint, status }) => ({ endpoint, status }))).toEqual([
      { endpoint: "commit", status: 200 },
      { endpoint: "diffstat", status: 503 },
    ]);
    expect(observed.every(({ durationMs }) => durationMs > 0)).toBe(true);
  });

  it("is made once when it is asked for at the same time, and again afterwards", async () => {
    const { client, api } = await arrange(() => sampleAnswer("rest-commit"));
    const [first, second] = await Promise.all([
      client.getCommit(REPOSITORY, SHA),
      client.getCommit(REPOSITORY, SHA),
    ]);
    expect(second).toEqual(first);
    expect(api.requests).toHaveLength(1);
    await client.getCommit(REPOSITORY, SHA);
    expect(api.requests).toHaveLength(2);
  });

  it("shares an error with those who asked at the same time", async () => {
    const { client, api } = await arrange(() => new Response("", { status: 500 }));
    const results = await Promise.allSettled([
      client.getDiffstat(REPOSITORY, SPEC),
      client.getDiffstat(REPOSITORY, SPEC),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(api.requests).toHaveLength(1);
  });
});

describe("the budget", () => {
  it("is asked before every request: each page and each redirect", async () => {
    const { client, taken } = await arrange((target, origin) => {
      if (target.startsWith(`${REPOSITORY_PATH}/diffstat`)) return redirect("/2.0/moved?page=1");
      return page([], target.endsWith("page=1") ? `${origin}/2.0/moved?page=2` : undefined);
    });
    await client.getDiffstat(REPOSITORY, SPEC);
    expect(taken).toEqual(["credential-1", "credential-1", "credential-1"]);
  });

  it("that is used up sends nothing, and says how long to wait", async () => {
    const { client, api } = await arrange(() => sampleAnswer("rest-commit"), {
      budget: { take: async () => ({ granted: false, retryAfterMs: 1234 }), learn: async () => undefined },
    });
    await expect(client.getCommit(REPOSITORY, SHA)).rejects.toMatchObject({
      code: "bitbucket_budget_exhausted",
      retry: { afterMs: 1234 },
    });
    expect(api.requests).toHaveLength(0);
  });

  it("learns from a 429, with and without Retry-After", async () => {
    const answers = [rateLimited({}), rateLimited({ "retry-after": "7" })];
    const { client, lessons } = await arrange(() => answers.shift()!);
    await expect(client.getCommit(REPOSITORY, SHA)).rejects.toMatchObject({
      code: "bitbucket_rate_limited",
      retry: "backoff",
      status: 429,
    });
    await expect(client.getCommit(REPOSITORY, SHA)).rejects.toMatchObject({
      code: "bitbucket_rate_limited",
      retry: { afterMs: 7000 },
    });
    expect(lessons).toEqual([
      { kind: "limited", retryAfterMs: null },
      { kind: "limited", retryAfterMs: 7000 },
    ]);
  });

  it("learns a limit when it changes, not with every answer", async () => {
    const limits = ["2500", "2500", "3000"];
    const { client, lessons } = await arrange(() => {
      const answer = sampleAnswer("rest-commit");
      answer.headers.set("x-ratelimit-limit", limits.shift()!);
      return answer;
    });
    for (let call = 0; call < 3; call += 1) await client.getCommit(REPOSITORY, SHA);
    expect(lessons).toEqual([
      { kind: "limit", limitPerHour: 2500 },
      { kind: "limit", limitPerHour: 3000 },
    ]);
  });
});

describe("a redirect", () => {
  it.each([301, 302, 307, 308])(
    "of status %i is followed on the same host, with the credential",
    async (status) => {
      const { client, api } = await arrange((target) =>
        target.startsWith(`${REPOSITORY_PATH}/commit/`)
          ? redirect("/2.0/moved", status)
          : sampleAnswer("rest-commit"),
      );
      expect((await client.getCommit(REPOSITORY, SHA)).sha).toBe(SHA);
      expect(api.requests[1]!.target).toBe("/2.0/moved");
      expect(api.requests[1]!.headers.get("authorization")).toBe(`Bearer ${TOKEN}`);
    },
  );

  it("to another host is refused, and that host hears nothing", async () => {
    const stranger = await arrange(() => sampleAnswer("rest-commit"));
    const { client } = await arrange(() => redirect(`${stranger.api.url}/moved`));
    await expect(client.getCommit(REPOSITORY, SHA)).rejects.toMatchObject({
      code: "bitbucket_redirect_refused",
      retry: "never",
    });
    expect(stranger.api.requests).toHaveLength(0);
  });

  it("in circles ends", async () => {
    const { client, api } = await arrange(() => redirect("/2.0/again"));
    await expect(client.getCommit(REPOSITORY, SHA)).rejects.toMatchObject({
      code: "bitbucket_redirect_refused",
    });
    expect(api.requests).toHaveLength(6);
  });
});

function rateLimited(headers: Record<string, string>): Response {
  const body = "Rate limit for this resource has been exceeded";
  return new Response(body, { status: 429, headers: { "content-type": "text/plain", ...headers } });
}
