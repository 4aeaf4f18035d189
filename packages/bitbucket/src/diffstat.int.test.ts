import { afterEach, describe, expect, it } from "vitest";

import {
  arrange,
  closeAll,
  page,
  redirect,
  REPOSITORY,
  REPOSITORY_PATH,
  SHA,
} from "./testing/arrange-client.ts";
import { sampleAnswer } from "./testing/scripted-api.ts";

const SPEC = { spec: { new: "b27e91c", old: "a14c0d9" }, topic: false };

afterEach(closeAll);

describe("getDiffstat", () => {
  it("lists both names of a renamed file, and asks for {new}..{old}", async () => {
    const { client, api } = await arrange(() => sampleAnswer("rest-diffstat"));
    expect(await client.getDiffstat(REPOSITORY, { ...SPEC, renames: true })).toEqual({
      kind: "listed",
      spec: "b27e91c..a14c0d9",
      paths: [
        "accounts/main.tf",
        "accounts/audit.tf",
        "accounts/legacy.tf",
        "network/subnet.tf",
        "infra/network/subnets.tf",
        "docs/old name.md",
      ],
    });
    expect(api.requests[0]!.target).toBe(
      `/2.0/${REPOSITORY_PATH}/diffstat/b27e91c..a14c0d9?topic=false&pagelen=1000&renames=true`,
    );
  });

  it("follows 5,000 files over ten pages, by the addresses that Bitbucket gives", async () => {
    const { client, api } = await arrange((target, origin) => {
      const number = Number(new URLSearchParams(target.split("?")[1]).get("page") ?? "1");
      const files = Array.from({ length: 500 }, (_, index) => `stacks/${number}/${index}.tf`);
      const next = number < 10 ? `${origin}/2.0/opaque/cursor?page=${number + 1}&ctx=%7Bx%7D` : "";
      return page(
        files.map((path) => ({ status: "added", old: null, new: { path } })),
        next,
      );
    });
    const { paths } = await client.getDiffstat(REPOSITORY, { ...SPEC, topic: true });
    expect(new Set(paths).size).toBe(5000);
    expect(api.requests[9]!.target).toBe("/2.0/opaque/cursor?page=10&ctx=%7Bx%7D");
  });

  it("does not follow a next to another host", async () => {
    const stranger = await arrange(() => page([]));
    const { client } = await arrange(() => page([], `${stranger.api.url}/opaque`));
    await expect(client.getDiffstat(REPOSITORY, SPEC)).rejects.toMatchObject({
      code: "bitbucket_redirect_refused",
    });
    expect(stranger.api.requests).toHaveLength(0);
  });

  it("stops at a page that was there before", async () => {
    const { client, api } = await arrange((_, origin) => page([], `${origin}/2.0/same?page=2`));
    await expect(client.getDiffstat(REPOSITORY, SPEC)).rejects.toMatchObject({
      code: "bitbucket_too_many_pages",
    });
    expect(api.requests).toHaveLength(2);
  });

  it("stops after a hundred pages", async () => {
    let number = 0;
    const { client, api } = await arrange((_, origin) =>
      page([], `${origin}/2.0/list?page=${(number += 1)}`),
    );
    await expect(client.getDiffstat(REPOSITORY, SPEC)).rejects.toMatchObject({
      code: "bitbucket_too_many_pages",
      retry: "never",
    });
    expect(api.requests).toHaveLength(100);
  });

  it("keeps every path of a page that was read when the difference changes before the next (rule 15)", async () => {
    const pages = [["a", "b", "c"], ["c", "d"], []];
    const { client } = await arrange((_, origin) => {
      const paths = pages.shift() ?? [];
      const next = `${origin}/2.0/list?page=${3 - pages.length}`;
      return page(
        paths.map((path) => ({ old: { path }, new: { path } })),
        pages.length > 0 ? next : undefined,
      );
    });
    expect((await client.getDiffstat(REPOSITORY, SPEC)).paths).toEqual(["a", "b", "c", "d"]);
  });

  it("takes branch names, slashes and all", async () => {
    const { client, api } = await arrange(() => page([]));
    await client.getDiffstat(REPOSITORY, { spec: { new: SHA, old: "release/2026 #1" }, topic: true });
    expect(api.requests[0]!.target).toContain(`/diffstat/${SHA}..release%2F2026%20%231?`);
  });

  it("does not compare with nothing", async () => {
    const { client, api } = await arrange(() => page([]));
    await expect(
      client.getDiffstat(REPOSITORY, { spec: { new: SHA, old: "" }, topic: true }),
    ).rejects.toMatchObject({
      code: "bitbucket_invalid_name",
    });
    expect(api.requests).toHaveLength(0);
  });
});

describe("getPullRequestDiffstat", () => {
  it("follows the redirect to the comparison, and all of its pages, with the credential (rule 15)", async () => {
    const comparison = `${REPOSITORY_PATH}/diffstat/grace/fork:a14c0d9%0Dc305f8a?from_pullrequest_id=12&topic=true`;
    const { client, api, observed } = await arrange((target, origin) => {
      if (target.endsWith("/pullrequests/12/diffstat")) return redirect(`${origin}/2.0/${comparison}`);
      return target.endsWith("page=2")
        ? page([{ old: { path: "a" }, new: { path: "moved/a" } }])
        : page([{ old: null, new: { path: "b" } }], `${origin}/2.0/${target}&page=2`);
    });
    expect(await client.getPullRequestDiffstat(REPOSITORY, 12)).toEqual({
      kind: "listed",
      paths: ["b", "a", "moved/a"],
      spec: "pull request 12",
    });
    expect(api.requests.map(({ target }) => target)).toEqual([
      `/2.0/${REPOSITORY_PATH}/pullrequests/12/diffstat`,
      `/2.0/${comparison}`,
      `/2.0/${comparison}&page=2`,
    ]);
    expect(new Set(api.requests.map(({ headers }) => headers.get("authorization"))).size).toBe(1);
    expect(new Set(observed.map(({ endpoint }) => endpoint))).toEqual(new Set(["pull_request_diffstat"]));
  });

  it("follows neither a redirect nor a page to another host", async () => {
    const stranger = await arrange(() => page([]));
    const elsewhere = `${stranger.api.url}/opaque`;
    for (const answer of [() => redirect(elsewhere), () => page([], elsewhere)]) {
      const { client } = await arrange(answer);
      await expect(client.getPullRequestDiffstat(REPOSITORY, 12)).rejects.toMatchObject({
        code: "bitbucket_redirect_refused",
      });
    }
    expect(stranger.api.requests).toHaveLength(0);
  });
});
