/** Which pull requests a commit is part of, where no webhook told of them: over HTTP, asked of Bitbucket. */
import type { Repository } from "@sluice/simulator/repository";
import { addCommitsToLink } from "@sluice/store/commits-to-link";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { startWholePath, testQueues, type WholePath } from "./test-whole-path.ts";

describe.each(testQueues(inject("redisUrl")))(
  "a commit whose pull request was not told, on $name",
  (queue) => {
    let path: WholePath;

    beforeAll(async () => {
      path = await startWholePath(inject("postgresUrl"), queue);
    });

    afterAll(() => path.close());

    async function aRepository(): Promise<Repository> {
      const repository = path.aRepository({ "network/main.tf": "1" });
      await path.declare(repository, { stacks: [{ name: "network", project_root: "network" }] });
      return repository;
    }

    /** Of the webhooks, that of the push alone arrives. */
    async function pushAndOpen(repository: Repository, branch: string): Promise<void> {
      await path.tell(() => repository.push({ branch, files: { "network/main.tf": branch } }));
      const mend = path.bitbucket.webhooks.injectFault({ kind: "lose" });
      repository.openPullRequest({ title: `From ${branch}`, source: branch });
      mend();
    }

    /** What workers do of themselves a minute after a trigger, and when Bitbucket is to be asked again. */
    async function askNow(): Promise<void> {
      await addCommitsToLink(path.store, { afterId: null, lagMs: 0, limit: 1_000 });
      await path.store.sql`UPDATE sluice.commit_links SET ask_at = now() WHERE ask_at IS NOT NULL`;
      await path.restartWorker();
    }

    const linked = async (repository: Repository) =>
      (await path.triggersOf(repository)).map((trigger) => trigger.pull_requests.map(({ number }) => number));

    const countQuestions = () => path.server.countCalls("GET *commit/*/pullrequests");

    test("is linked when Bitbucket has indexed it, and its run does not wait for that (202, then 200; rule 26)", async () => {
      const repository = await aRepository();
      repository.setCommitLinks("indexing");
      await pushAndOpen(repository, "feature");
      path.server.clearCalls();
      await askNow();
      const answers = () => path.store.sql`
      SELECT attempts FROM sluice.commit_links WHERE commit_sha = ${repository.head("feature")}`;
      await expect.poll(answers, { timeout: 20_000 }).toEqual([{ attempts: 1 }]);
      expect(countQuestions()).toBe(1);
      expect(await path.triggersOf(repository)).toMatchObject([{ state: "queued", pull_requests: [] }]);

      repository.setCommitLinks("installed");
      await askNow();
      await expect.poll(() => linked(repository), { timeout: 20_000 }).toEqual([[1]]);
      expect(await path.triggersOf(repository)).toMatchObject([
        { state: "queued", pull_requests: [{ number: 1, title: "From feature", state: "OPEN" }] },
      ]);
      expect(countQuestions()).toBe(2);
    });

    test("is linked by its branch where Bitbucket's app is missing, which is asked and said once (404; rule 26)", async () => {
      const repository = await aRepository();
      repository.setCommitLinks("absent");
      path.server.clearCalls();
      for (const [place, branch] of ["first", "second"].entries()) {
        await pushAndOpen(repository, branch);
        await askNow();
        const expected = [[1], [2]].slice(0, place + 1);
        await expect.poll(() => linked(repository), { timeout: 20_000 }).toEqual(expected);
      }
      expect(countQuestions()).toBe(1);
      const said = path.warnings.filter(({ msg }) => msg === "commit_links.not_installed");
      expect(said).toMatchObject([
        {
          repository: repository.fullName,
          advice: expect.stringContaining("Pull Request Commit Links") as string,
        },
      ]);
      const [stored] = await path.store.sql`
      SELECT commit_links FROM sluice.repositories WHERE uuid = ${repository.uuid}`;
      expect(stored).toEqual({ commitLinks: "not_installed" });
    });
  },
);
