import { createBitbucket } from "@sluice/simulator/bitbucket";
import { startBitbucketServer } from "@sluice/simulator/rest-server";
import { afterEach, describe, expect, it } from "vitest";

import { MAX_FILE_BYTES } from "./source-file.ts";
import {
  arrange,
  closeAll,
  REPOSITORY,
  REPOSITORY_PATH,
  SHA,
  simulatorClient,
} from "./testing/arrange-client.ts";
import { sampleAnswer } from "./testing/scripted-api.ts";

const PATH = "modules/über vpc#1/.sluice/config.yml";
const TEXT = "module_version: 1.2.3 # é\n";

afterEach(closeAll);

describe("a file at a commit", () => {
  it("is asked for with every part of its path encoded, and its text is what the answer holds", async () => {
    const { client, api, observed } = await arrange(() => new Response(TEXT));
    expect(await client.getFile(REPOSITORY, { sha: SHA, path: PATH })).toBe(TEXT);
    expect(api.requests.map(({ target }) => target)).toEqual([
      `/2.0/${REPOSITORY_PATH}/src/${SHA}/modules/%C3%BCber%20vpc%231/.sluice/config.yml`,
    ]);
    expect(observed.map(({ endpoint }) => endpoint)).toEqual(["source_file"]);
  });

  it("is missing only when the commit itself is there", async () => {
    const missing = await arrange((target) =>
      target.includes("/src/") ? new Response("", { status: 404 }) : sampleAnswer("rest-commit"),
    );
    expect(await missing.client.getFile(REPOSITORY, { sha: SHA, path: PATH })).toBeNull();
    const hidden = await arrange(() => new Response("", { status: 404 }));
    await expect(hidden.client.getFile(REPOSITORY, { sha: SHA, path: PATH })).rejects.toMatchObject({
      code: "bitbucket_not_found",
    });
  });

  it("is read up to a size, in bytes", async () => {
    const largest = "é".repeat(MAX_FILE_BYTES / 2);
    const answers = [largest, `${largest}x`].map((text) => new Response(text));
    const { client } = await arrange(() => answers.shift()!);
    expect(await client.getFile(REPOSITORY, { sha: SHA, path: PATH })).toBe(largest);
    await expect(client.getFile(REPOSITORY, { sha: SHA, path: PATH })).rejects.toMatchObject({
      code: "bitbucket_response_too_large",
      retry: "never",
    });
  });

  it.each(["../secret", "a//b", "/a", ""])(
    "cannot be %j, which a URL would take for another",
    async (path) => {
      const { client, api } = await arrange(() => new Response(TEXT));
      await expect(client.getFile(REPOSITORY, { sha: SHA, path })).rejects.toMatchObject({
        code: "bitbucket_invalid_name",
      });
      expect(api.requests).toEqual([]);
    },
  );

  it.each([
    [401, "bitbucket_unauthorized"],
    [403, "bitbucket_forbidden"],
    [429, "bitbucket_rate_limited"],
    [503, "bitbucket_unavailable"],
  ])("that is answered with %i is not missing: the call fails", async (status, code) => {
    const { client } = await arrange(() => new Response("", { status }));
    await expect(client.getFile(REPOSITORY, { sha: SHA, path: PATH })).rejects.toMatchObject({ code });
  });
});

it("reads what the simulator has at a commit, and null for what that commit does not have yet", async () => {
  const bitbucket = createBitbucket();
  const server = await startBitbucketServer({ bitbucket });
  try {
    const repository = bitbucket.createRepository({ workspace: "northwind", slug: "landing-zone" });
    const before = repository.push({ files: { "main.tf": "1\n" } }).hash;
    const after = repository.push({ files: { [PATH]: TEXT } }).hash;
    const address = { uuid: repository.uuid, fullName: repository.fullName };
    const client = simulatorClient(server.url);
    expect(await client.getFile(address, { sha: after, path: PATH })).toBe(TEXT);
    expect(await client.getFile(address, { sha: before, path: PATH })).toBeNull();
    await expect(client.getFile(address, { sha: "f".repeat(40), path: PATH })).rejects.toMatchObject({
      code: "bitbucket_not_found",
    });
  } finally {
    await server.close();
  }
});
