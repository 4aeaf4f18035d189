/** What goes wrong in repositories, and not on the way to them, against a Bitbucket in memory. */
import { type Bitbucket, createBitbucket } from "@sluice/simulator/bitbucket";
import type { Repository } from "@sluice/simulator/repository";
import { startBitbucketServer } from "@sluice/simulator/rest-server";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";

import { simulatorClient } from "./testing/arrange-client.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

describe("names", () => {
  it("getCommit of a prefix of two commits is bitbucket_not_found, and gives neither (rule 12)", async () => {
    const { bitbucket, client } = await arrange();
    const repository = bitbucket.createRepository({ workspace: "northwind", slug: "landing-zone" });
    const prefix = "a14c0d9e7b4c";
    const [first, second] = ["0", "1"].map((digit) => prefix.padEnd(40, digit));
    repository.push({ files: { a: "1\n" }, hash: first! });
    repository.push({ files: { a: "2\n" }, hash: second! });
    const address = addressOf(repository);
    await expect(client.getCommit(address, prefix)).rejects.toMatchObject({
      code: "bitbucket_not_found",
      retry: "never",
    });
    expect(await client.getCommit(address, `${prefix}1`)).toMatchObject({ sha: second });
  });

  it("getBranch does not take a tag of that name for the branch", async () => {
    const { bitbucket, client } = await arrange();
    const repository = bitbucket.createRepository({ workspace: "northwind", slug: "landing-zone" });
    const tagged = repository.push({ files: { a: "1\n" } }).hash;
    repository.createTag({ tag: "v1.0.0", target: tagged });
    expect(await client.getBranch(addressOf(repository), "v1.0.0")).toBeNull();
    const head = repository.push({ branch: "v1.0.0", from: "main", files: { a: "2\n" } }).hash;
    expect(await client.getBranch(addressOf(repository), "v1.0.0")).toBe(head);
  });

  it("every branch name that git allows reaches Bitbucket as it is", async () => {
    const { bitbucket, client } = await arrange();
    const repository = bitbucket.createRepository({ workspace: "northwind", slug: "landing-zone" });
    const main = repository.push({ files: { a: "1\n" } }).hash;
    const address = addressOf(repository);
    const seen = new Set(["main"]);
    await fc.assert(
      fc.asyncProperty(
        branchNames.filter((name) => !seen.has(name)),
        async (name) => {
          seen.add(name);
          const head = repository.push({ branch: name, files: { b: `${name}\n` } }).hash;
          const { id } = repository.openPullRequest({ title: name, source: name });
          expect(await client.getBranch(address, name)).toBe(head);
          expect(await client.getDiffstat(address, { spec: { new: name, old: main }, topic: true })).toEqual({
            kind: "listed",
            paths: ["b"],
            spec: `${name}..${main}`,
          });
          expect(await client.listOpenPullRequests(address, { sourceBranch: name })).toMatchObject([
            { number: id, source: { branch: name } },
          ]);
        },
      ),
      { numRuns: 60, examples: ODD_NAMES.map((name) => [name]) },
    );
  });
});

describe("the files of a pull request", () => {
  it("of a fork are found, 5,000 of them and both names of one that moved (rule 15)", async () => {
    const { bitbucket, client, server } = await arrange();
    const files = filesNamed("stacks", 5000);
    const { repository, fork } = aFork(bitbucket);
    fork.push({ branch: "fix", files, moves: { "old/main.tf": "new/main.tf" } });
    const pull = repository.openPullRequest({ title: "Fix", source: "fix", from: fork });
    // Main goes on: what it changes is not of the pull request.
    repository.push({ files: { "elsewhere.tf": "x\n" } });
    const { paths, spec } = await client.getPullRequestDiffstat(addressOf(repository), pull.id);
    expect(new Set(paths)).toEqual(new Set([...Object.keys(files), "old/main.tf", "new/main.tf"]));
    expect(spec).toBe(`pull request ${pull.id}`);
    expect(server.countCalls("GET *diffstat*")).toBe(12);
  });

  it("are those of its own repository too, and of one that has been merged", async () => {
    const { bitbucket, client } = await arrange();
    const { repository } = aFork(bitbucket);
    repository.push({ branch: "fix", files: { "fix.tf": "1\n" } });
    const pull = repository.openPullRequest({ title: "Fix", source: "fix" });
    const ask = () => client.getPullRequestDiffstat(addressOf(repository), pull.id);
    expect((await ask()).paths).toEqual(["fix.tf"]);
    pull.merge();
    expect((await ask()).paths).toEqual(["fix.tf"]);
  });

  it("of one that is not there are bitbucket_not_found", async () => {
    const { bitbucket, client } = await arrange();
    const { repository } = aFork(bitbucket);
    await expect(client.getPullRequestDiffstat(addressOf(repository), 7)).rejects.toMatchObject({
      code: "bitbucket_not_found",
    });
    await expect(client.getPullRequest(addressOf(repository), 7)).rejects.toMatchObject({
      code: "bitbucket_not_found",
    });
  });

  it("are those of one head, whatever is pushed while the pages are read", async () => {
    let fork: Repository | null = null;
    const { bitbucket, client, server } = await arrange((call) => {
      if (call === 3) fork?.push({ branch: "fix", files: { "a-first.tf": "x\n" } });
    });
    const files = filesNamed("stacks", 600);
    const arranged = aFork(bitbucket);
    fork = arranged.fork;
    fork.push({ branch: "fix", files });
    const pull = arranged.repository.openPullRequest({ title: "Fix", source: "fix", from: fork });
    const { paths } = await client.getPullRequestDiffstat(addressOf(arranged.repository), pull.id);
    expect(server.countCalls("GET *diffstat*")).toBe(3);
    expect(new Set(paths)).toEqual(new Set(Object.keys(files)));
  });
});

it("a difference of branches that are pushed to between two pages keeps what the first page had", async () => {
  let repository: Repository | null = null;
  const { bitbucket, client, server } = await arrange((call) => {
    if (call === 2) repository?.push({ branch: "fix", files: { "a-first.tf": "x\n" } });
  });
  repository = bitbucket.createRepository({ workspace: "northwind", slug: "landing-zone" });
  repository.push({ files: { "README.md": "x\n" } });
  const files = filesNamed("stacks", 1001);
  repository.push({ branch: "fix", files });
  const query = { spec: { new: "fix", old: "main" }, topic: true };
  const { paths } = await client.getDiffstat(addressOf(repository), query);
  expect(server.countCalls("GET *diffstat*")).toBe(2);
  expect(paths.toSorted()).toEqual(Object.keys(files).toSorted());
});

/** Characters that mean something to an address, a query or a shell, and some that look like others. */
const ODD_NAMES = [
  "a#b",
  "100%",
  "a%2Fb",
  "a%00",
  "1+1",
  "a&b=c",
  "it's",
  `say-"hi"`,
  "a;b,c!",
  "$(x)`y`",
  "<a>|{b}",
  "@-",
  "é",
  "e\u0301",
  "\u202etxt.exe",
  "日本/🦥",
  "feature/a/b",
  "deadbeef",
  "x".repeat(200),
];

/** Names by the rules of git-check-ref-format. */
const branchNames = fc
  .array(fc.constantFrom(...Array.from("#%+&=;'\"`()<>|!$,@{}]-_./é日🦥aB02F")), {
    minLength: 1,
    maxLength: 12,
  })
  .map((characters) => characters.join(""))
  .filter((name) => name !== "@" && !/^[-/]|\/$|\.$|\/\/|\.\.|@\{|(^|\/)\.|\.lock(\/|$)/.test(name));

function addressOf({ uuid, fullName }: Repository) {
  return { uuid, fullName };
}

function filesNamed(folder: string, count: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`${folder}/${index}/main.tf`, "x\n"]),
  );
}

function aFork(bitbucket: Bitbucket) {
  const repository = bitbucket.createRepository({ workspace: "northwind", slug: "landing-zone" });
  repository.push({ files: { "old/main.tf": "one\ntwo\nthree\n" } });
  return { repository, fork: bitbucket.fork(repository, { workspace: "contoso" }) };
}

async function arrange(beforeCall?: (call: number) => void) {
  const bitbucket = createBitbucket();
  const server = await startBitbucketServer({ bitbucket });
  closers.push(() => server.close());
  return { bitbucket, server, client: simulatorClient(server.url, beforeCall) };
}
