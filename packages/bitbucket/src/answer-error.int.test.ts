import { afterEach, describe, expect, it } from "vitest";

import { arrange, closeAll, page, REPOSITORY, SHA, TOKEN } from "./testing/arrange-client.ts";
import { sampleAnswer } from "./testing/scripted-api.ts";

const SPEC = { spec: { new: "b27e91c", old: "a14c0d9" }, topic: false };

afterEach(closeAll);

describe("a failure", () => {
  it.each([
    [400, "bitbucket_bad_request", "never"],
    [401, "bitbucket_unauthorized", "backoff"],
    [403, "bitbucket_forbidden", "backoff"],
    [404, "bitbucket_not_found", "never"],
    [410, "bitbucket_gone", "never"],
    [429, "bitbucket_rate_limited", "backoff"],
    [500, "bitbucket_unavailable", "backoff"],
    [503, "bitbucket_unavailable", "backoff"],
    [555, "bitbucket_diff_timeout", "backoff"],
    [204, "bitbucket_invalid_response", "backoff"],
    [304, "bitbucket_invalid_response", "backoff"],
  ])("of status %i is %s, whatever the body", async (status, code, retry) => {
    const bodies = [
      null,
      "Not Found",
      "<!DOCTYPE html><h1>We'll be back</h1>",
      '{"type":"error","error":null}',
    ];
    for (const body of status === 204 || status === 304 ? [null] : bodies) {
      const { client } = await arrange(() => new Response(body, { status }));
      await expect(client.getDiffstat(REPOSITORY, SPEC)).rejects.toMatchObject({ code, retry, status });
    }
  });

  it("says what to do: which scope is missing", async () => {
    const { client } = await arrange(() => new Response("", { status: 403 }));
    await expect(client.getDiffstat(REPOSITORY, SPEC)).rejects.toThrow("read:repository:bitbucket");
    await expect(client.getPullRequest(REPOSITORY, 17)).rejects.toThrow("read:pullrequest:bitbucket");
    await expect(client.listCommitPullRequests(REPOSITORY, SHA)).rejects.toThrow(
      "read:pullrequest:bitbucket",
    );
  });

  it("repeats Bitbucket's sentence, and never one that holds the credential", async () => {
    const sentences = ["Changeset not found.", `you sent Bearer ${TOKEN}`];
    const { client } = await arrange(() =>
      Response.json({ type: "error", error: { message: sentences.shift() } }, { status: 404 }),
    );
    await expect(client.getCommit(REPOSITORY, SHA)).rejects.toThrow('answered 404 ("Changeset not found.")');
    const failure = await client.getCommit(REPOSITORY, SHA).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "bitbucket_not_found" });
    expect(String(failure)).not.toContain(TOKEN);
  });

  it("waits as long as a 503 asks for", async () => {
    const { client } = await arrange(
      () => new Response("", { status: 503, headers: { "retry-after": "9" } }),
    );
    await expect(client.getCommit(REPOSITORY, SHA)).rejects.toMatchObject({
      code: "bitbucket_unavailable",
      retry: { afterMs: 9000 },
    });
  });

  it.each([
    ["a web page", "<!DOCTYPE html><h1>Log in</h1>", "not JSON"],
    ["nothing", "", "not JSON"],
    ["JSON that stops half-way", '{"hash": "a14c', "not JSON"],
    ["no object", "[]", "the whole"],
    ["an object of another shape", '{"sha":"x"}', "hash:"],
    ["a short hash", '{"hash":"a14c0d9e7b4c"}', "full hash"],
    ["another commit", '{"hash":"b27e91c3d07e91c3d07e91c3d07e91c3d08a6b4f"}', "full hash"],
  ])("of a 200 that holds %s is bitbucket_invalid_response", async (_, body, message) => {
    const { client } = await arrange(() => new Response(body));
    const call = client.getCommit(REPOSITORY, "a14c0d9e7b4c");
    await expect(call).rejects.toMatchObject({ code: "bitbucket_invalid_response" });
    await expect(call).rejects.toThrow(message);
  });

  it("names the place in a list that cannot be used", async () => {
    const { client } = await arrange(() =>
      page([
        { old: null, new: { path: "a" } },
        { old: null, new: null },
      ]),
    );
    await expect(client.getDiffstat(REPOSITORY, SPEC)).rejects.toThrow("values[1]");
  });

  it.each([
    ["no header comes", () => new Promise<Response>(() => undefined)],
    [
      "the body does not end",
      () => new Response(new ReadableStream({ start: (c) => c.enqueue(bytes("{")) })),
    ],
  ])("when %s in time is bitbucket_timeout", async (_, answer) => {
    const { client, observed } = await arrange(answer, { timeouts: { headersMs: 100, bodyMs: 100 } });
    await expect(client.getCommit(REPOSITORY, SHA)).rejects.toMatchObject({
      code: "bitbucket_timeout",
      retry: "backoff",
    });
    expect(observed).toMatchObject([{ status: null }]);
  });

  it("of a body that is too large is bitbucket_response_too_large, also when it was compressed", async () => {
    const { client } = await arrange(() => new Response("x".repeat(2000)), { maxResponseBytes: 1000 });
    await expect(client.getCommit(REPOSITORY, SHA)).rejects.toMatchObject({
      code: "bitbucket_response_too_large",
      retry: "never",
    });
    const zipped = new Response("x".repeat(2000)).body!.pipeThrough(new CompressionStream("gzip"));
    const other = await arrange(() => new Response(zipped, { headers: { "content-encoding": "gzip" } }), {
      maxResponseBytes: 1000,
    });
    await expect(other.client.getCommit(REPOSITORY, SHA)).rejects.toMatchObject({
      code: "bitbucket_response_too_large",
    });
  });

  it("to connect is bitbucket_unreachable", async () => {
    const { client, api } = await arrange(() => sampleAnswer("rest-commit"));
    await api.close();
    await expect(client.getCommit(REPOSITORY, SHA)).rejects.toMatchObject({
      code: "bitbucket_unreachable",
      retry: "backoff",
    });
  });
});

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
