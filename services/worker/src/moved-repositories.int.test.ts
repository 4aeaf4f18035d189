/** Repositories that are renamed, moved to another workspace, or made anew under a name that another one had (rule 11). */
import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { startBitbucketServer } from "@sluice/simulator/rest-server";
import { migrateStore } from "@sluice/store/migrate";
import { beforeEach, describe, expect, inject, test } from "vitest";

import { useScene } from "./test-scene.ts";

const bitbucket = createBitbucket({ seed: "moved repositories" });
const scene = useScene({
  token: DEFAULT_CREDENTIALS[0]!.token,
  startServer: () => startBitbucketServer({ bitbucket }),
  createDatabase: () =>
    createTestDatabase({ serverUrl: inject("postgresUrl"), migrate: migrateStore, key: "store" }),
  createRepository: (number) =>
    bitbucket.createRepository({ workspace: "acme", slug: `moving-${String(number)}` }),
});
const { aStack, decide, next, push, reasons, record, repository, runsOf, sweeps, tell } = scene;

let stack: string;
let name: string;

beforeEach(async () => {
  stack = await aStack("network");
  await tell(push().webhooks);
  name = repository().fullName;
});

const commits = async () => (await runsOf(stack)).map(([, commitSha]) => commitSha);

/** The name under which a repository is known; undefined: it is not. */
async function nameOf(uuid = repository().uuid): Promise<string | undefined> {
  const [row] = await sweeps().worker.store.sql<{ fullName: string }[]>`
    SELECT full_name FROM sluice.repositories
    WHERE integration_id = ${sweeps().worker.integrationId()} AND uuid = ${uuid}`;
  return row?.fullName;
}

const MOVES: Record<string, () => void> = {
  renamed: () => repository().rename({ slug: `renamed-${String(next())}` }),
  "written otherwise": () => repository().rename({ slug: repository().state.slug.toUpperCase() }),
  "moved to another workspace": () =>
    repository().rename({ workspace: bitbucket.workspace(`elsewhere-${String(next())}`) }),
  "renamed and moved": () =>
    repository().rename({
      slug: `renamed-${String(next())}`,
      workspace: bitbucket.workspace(`elsewhere-${String(next())}`),
    }),
};

describe.each(Object.entries(MOVES))("a repository that is %s (rule 11)", (_, move) => {
  test("keeps its targets, its branches and its pull requests, and is asked for under its new name", async () => {
    await tell(push("network/a.tf", "feature").webhooks);
    const pull = repository().openPullRequest({ title: "Wider", source: "feature" });
    await tell(pull.webhooks);
    move();
    const pushed = push();
    await tell([...pushed.webhooks, ...pull.decline().webhooks]);
    expect((await commits()).at(-1)).toBe(repository().head());
    expect((await runsOf(stack)).map(([runType, , state]) => [runType, state])).toEqual([
      ["tracked", "queued"],
      ["proposed", "canceled"],
      ["tracked", "queued"],
    ]);
    expect(await nameOf()).toBe(repository().fullName);
    expect(await sweeps().headOf(repository())).toBe(pushed.hash);
  });

  test("and told of under its old name by a delivery that was received before, keeps its new one", async () => {
    const receivedAt = new Date(Date.now() - 60_000).toISOString();
    const late = push();
    move();
    const after = push();
    await tell(after.webhooks);
    await record(late.webhooks, { receivedAt });
    await decide();
    expect(await nameOf()).toBe(repository().fullName);
    expect((await commits()).slice(1)).toEqual([late.hash, after.hash]);
  });
});

describe("a name that another repository had (rule 11)", () => {
  test("is not that repository: what is pushed to the new one runs nothing of the old one's", async () => {
    bitbucket.deleteRepository(repository());
    const [workspace, slug] = name.split("/");
    const anew = bitbucket.createRepository({ workspace: workspace!, slug: slug! });
    const pushed = anew.push({ files: { "network/main.tf": "stranger" } });
    await tell(pushed.webhooks);
    expect((await reasons()).at(-1)).toBe("no_target");
    expect(await commits()).not.toContain(pushed.hash);
    expect(await nameOf(anew.uuid)).toBe(name);
  });

  test("belongs to the new one while the old one goes on under another, in whatever order they are told", async () => {
    const slug = repository().state.slug;
    repository().rename({ slug: `renamed-${String(next())}` });
    const anew = bitbucket.createRepository({ workspace: "acme", slug });
    const strange = anew.push({ files: { "network/main.tf": "stranger" } });
    const ours = push();
    await tell([...strange.webhooks, ...ours.webhooks]);
    const again = anew.push({ files: { "network/main.tf": "stranger again" } });
    await tell(again.webhooks);
    expect((await commits()).slice(1)).toEqual([ours.hash]);
    expect([await nameOf(), await nameOf(anew.uuid)]).toEqual([repository().fullName, name]);
  });

  test("and its pull requests of the same number are others (rule 13)", async () => {
    await tell(push("network/a.tf", "feature").webhooks);
    await tell(repository().openPullRequest({ title: "Wider", source: "feature" }).webhooks);
    const slug = repository().state.slug;
    repository().rename({ slug: `renamed-${String(next())}` });
    const anew = bitbucket.createRepository({ workspace: "acme", slug });
    anew.push({ files: { a: "1" } });
    anew.push({ branch: "feature", files: { "network/a.tf": "1" } });
    const pull = anew.openPullRequest({ title: "Wider", source: "feature" });
    await tell([...pull.webhooks, ...pull.decline().webhooks]);
    expect((await runsOf(stack)).map(([runType, , state]) => [runType, state])).toEqual([
      ["tracked", "queued"],
      ["proposed", "queued"],
    ]);
  });
});
