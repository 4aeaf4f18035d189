/** Merges over HTTP: the push to the destination, the deletion of the branch and the merge, in either order. */
import type { Repository } from "@sluice/simulator/repository";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { decisionOn, decisionsIn } from "./test-api-reader.ts";
import { startWholePath, testQueues, type WholePath } from "./test-whole-path.ts";

describe.each(testQueues(inject("redisUrl")))("a merge that closes its branch, on $name", (queue) => {
  let path: WholePath;
  let repository: Repository;

  beforeAll(async () => {
    path = await startWholePath(inject("postgresUrl"), queue);
  });

  afterAll(() => path.close());

  beforeEach(async () => {
    repository = path.aRepository({ "network/main.tf": "1", "database/main.tf": "1" });
    await path.declare(repository, {
      stacks: [
        { name: "network", project_root: "network" },
        { name: "database", project_root: "database" },
      ],
    });
    await path.tell(() => repository.push({ branch: "feature", files: { "network/main.tf": "2" } }));
    await path.tell(() => repository.openPullRequest({ title: "Wider", source: "feature" }));
  });

  test.each([
    ["as Bitbucket sends them", "as_sent", "merge_commit"],
    ["the last first", "reversed", "fast_forward"],
  ] as const)(
    "runs its commit once, and ends what was queued for its branch: told %s (%s, %s; rules 14, 22, 23, 26)",
    async (_, order, strategy) => {
      const merging = { strategy, closeSourceBranch: true } as const;
      // A merge waits for its push, so nothing after it would be sent if it had to be decided first.
      const told = await path.tell(() => repository.pullRequest(1).merge(merging), {
        order,
        afterEach: "recorded",
      });
      expect(
        told.map(({ event_key: key, events: [event] }) => [key, event?.change ?? event?.action]),
      ).toEqual([
        ["repo:push", "updated"],
        ["repo:push", "deleted"],
        ["pullrequest:fulfilled", "merged"],
      ]);
      const [pushed, deleted, merged] = told;
      expect(decisionsIn(pushed)).toEqual({ database: "outside_project_root", network: "tracked run" });
      expect(decisionsIn(deleted)).toEqual({ database: "branch_deleted", network: "branch_deleted" });
      expect(decisionsIn(merged)).toEqual({ database: "outside_project_root", network: "duplicate" });

      const [proposed, tracked, ...others] = await path.triggersOf(repository);
      expect(others).toEqual([]);
      expect(proposed).toMatchObject({ run_type: "proposed", state: "canceled" });
      expect(tracked).toMatchObject({
        run_type: "tracked",
        state: "queued",
        checkout: { sha: repository.head("main"), ref_name: "main" },
        pull_requests: [{ number: 1, state: "MERGED" }],
      });
      expect(decisionOn(merged, "network")?.evidence).toMatchObject({
        duplicate_of: { trigger_id: tracked?.id },
      });
    },
  );

  test("and what is merged next, told before it, are both run in the order of their commits (rules 14, 29)", async () => {
    await path.tell(
      () => {
        repository.pullRequest(1).merge({ closeSourceBranch: true });
        repository.push({ files: { "network/main.tf": "3" } });
      },
      { order: "reversed", afterEach: "recorded" },
    );
    const tracked = (await path.triggersOf(repository)).filter((trigger) => trigger.run_type === "tracked");
    const [merge, push] = tracked;
    expect(tracked).toHaveLength(2);
    expect(push?.checkout.sha).toBe(repository.head("main"));
    expect(push?.previously_tracked_sha).toBe(merge?.checkout.sha);
    expect(merge?.pull_requests).toMatchObject([{ number: 1, state: "MERGED" }]);
  });
});
