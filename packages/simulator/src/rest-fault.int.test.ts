import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createBitbucket } from "./bitbucket.ts";
import { authorizationOf, DEFAULT_CREDENTIALS } from "./rest-auth.ts";
import { startBitbucketServer, type BitbucketServer } from "./rest-server.ts";

const BRANCHES = "GET */refs/branches";

let server: BitbucketServer;

beforeEach(async () => {
  const bitbucket = createBitbucket({ seed: "faults" });
  bitbucket.createRepository({ workspace: "acme", slug: "infra" }).push({ files: { a: "a" } });
  server = await startBitbucketServer({ bitbucket });
});

afterEach(() => server.close());

function get(path = "/refs/branches", signal?: AbortSignal): Promise<Response> {
  const headers = { authorization: authorizationOf(DEFAULT_CREDENTIALS[0]!) };
  return fetch(`${server.url}/repositories/acme/infra${path}`, {
    headers,
    redirect: "manual",
    signal: signal ?? null,
  });
}

describe("a fault", () => {
  it("hits the routes of its pattern as often as told, and no others", async () => {
    server.injectFault(BRANCHES, { kind: "status", status: 503 }, { times: 2 });
    expect((await get("/refs/branches/main")).status).toBe(200);
    const statuses: number[] = [];
    for (let call = 0; call < 3; call += 1) statuses.push((await get()).status);
    expect(statuses).toEqual([503, 503, 200]);
  });

  it("lasts until it is cleared, and the newest wins", async () => {
    const clearOld = server.injectFault(BRANCHES, { kind: "status", status: 500 });
    const clearNew = server.injectFault("*", { kind: "status", status: 502 });
    expect((await get()).status).toBe(502);
    clearNew();
    expect((await get()).status).toBe(500);
    clearOld();
    expect((await get()).status).toBe(200);
  });

  it("is on the list of calls like any answer", async () => {
    server.injectFault(BRANCHES, { kind: "status", status: 404 }, { times: 1 });
    await get();
    expect(server.calls).toMatchObject([{ status: 404 }]);
  });
});

describe("a rate limit", () => {
  it("is 46 bytes of plain text without a word on when to come back", async () => {
    server.injectFault(BRANCHES, { kind: "rate_limited" });
    const response = await get();
    expect(response.status).toBe(429);
    expect(response.headers.get("content-type")).toBe("text/plain");
    expect(response.headers.has("retry-after")).toBe(false);
    const text = await response.text();
    expect(text).toBe("Rate limit for this resource has been exceeded");
    expect(text).toHaveLength(46);
  });

  it("says more when asked to", async () => {
    const rateLimit = { limit: 1000, resource: "repositories", nearLimit: true };
    server.injectFault(BRANCHES, { kind: "rate_limited", retryAfterSeconds: 7, rateLimit });
    const { headers } = await get();
    expect(headers.get("retry-after")).toBe("7");
    expect(headers.get("x-ratelimit-limit")).toBe("1000");
    expect(headers.get("x-ratelimit-nearlimit")).toBe("true");
  });
});

describe("an answer", () => {
  it.each([400, 401, 403, 404, 410, 500, 502, 503, 504, 555] as const)(
    "of %i is JSON by default",
    async (status) => {
      server.injectFault(BRANCHES, { kind: "status", status });
      const response = await get();
      expect(response.status).toBe(status);
      expect(await response.json()).toMatchObject({ type: "error", error: { message: expect.any(String) } });
    },
  );

  it("of 401 asks for credentials, and of 404 can be plain text", async () => {
    server.injectFault(BRANCHES, { kind: "status", status: 401 }, { times: 1 });
    expect((await get()).headers.get("www-authenticate")).toBe('Basic realm="Bitbucket.org HTTP"');
    server.injectFault(BRANCHES, { kind: "status", status: 404, form: "text" });
    expect(await (await get()).text()).toBe("Not Found");
  });

  it("of 410 says which change took the endpoint away", async () => {
    server.injectFault(BRANCHES, { kind: "status", status: 410 });
    expect(await (await get()).json()).toMatchObject({
      error: { message: expect.stringContaining("CHANGE-2770") },
    });
  });

  it("can be JSON of the wrong shape, JSON cut short, or a web page", async () => {
    server.injectFault(BRANCHES, { kind: "wrong_json" }, { times: 1 });
    expect(await (await get()).json()).toMatchObject({ values: { not: "a list" } });
    server.injectFault(BRANCHES, { kind: "cut_json" }, { times: 1 });
    await expect((await get()).json()).rejects.toThrow(SyntaxError);
    server.injectFault(BRANCHES, { kind: "html" }, { times: 1 });
    const page = await get();
    expect(page.status).toBe(200);
    expect(page.headers.get("content-type")).toMatch(/^text\/html/);
  });

  it("can lead to another host, by next and by redirect", async () => {
    const url = "https://evil.example/2.0/more";
    server.injectFault(BRANCHES, { kind: "next_elsewhere", url }, { times: 1 });
    expect(await (await get()).json()).toMatchObject({ next: url, values: [{ name: "main" }] });
    server.injectFault(BRANCHES, { kind: "redirect_elsewhere", url }, { times: 1 });
    const redirect = await get();
    expect(redirect.status).toBe(302);
    expect(redirect.headers.get("location")).toBe(url);
  });

  it("can be late and right", async () => {
    server.injectFault(BRANCHES, { kind: "slow", delayMs: 60_000 }, { times: 1 });
    await expect(get("/refs/branches", AbortSignal.timeout(50))).rejects.toThrow(/timeout/);
    server.injectFault(BRANCHES, { kind: "slow", delayMs: 1 });
    expect(await (await get()).json()).toMatchObject({ values: [{ name: "main" }] });
  });

  it("can fail to come: the connection is cut, and the server lives on", async () => {
    server.injectFault(BRANCHES, { kind: "reset" }, { times: 1 });
    await expect(get()).rejects.toThrow(/fetch failed/);
    expect(server.calls).toMatchObject([{ status: null }]);
    expect((await get()).status).toBe(200);
  });
});
