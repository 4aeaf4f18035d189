/** What the API tells of pull requests, and to whom. */
import { createTestDatabase } from "@sluice/embedded/test-database";
import { insertPush, shaOf } from "@sluice/store/test-trigger-fixtures";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { createTestApi, migrateForApi, NOBODY, type TestApi } from "./test-api.ts";
import {
  addPullRequest,
  arrangeReadModels,
  BAD_CURSORS,
  expectRefused,
  itemsOf,
  readPages,
  type ReadModels,
  type SpaceName,
} from "./test-read-models.ts";

let api: TestApi;
let all: ReadModels;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
  all = await arrangeReadModels(api);
  const { infra, dns } = all.repositories;
  await addPullRequest(api.store, { repositoryId: infra, number: 1, state: "MERGED" });
  await addPullRequest(api.store, { repositoryId: infra, number: 2, sourceBranch: "subnets" });
  await addPullRequest(api.store, { repositoryId: dns, number: 1 });
});

afterAll(() => api.close());

/** Its repository and number each. */
async function namesOf(answer: ReturnType<TestApi["call"]>): Promise<string[]> {
  const items = await itemsOf(answer);
  return items.map(({ repository, number }) => `${String(repository)}#${String(number)}`).toSorted();
}

describe("the list", () => {
  test("is told to those who see the integration's space, or have a target of the repository", async () => {
    const everything = ["acme/dns#1", "acme/infra#1", "acme/infra#2"];
    expect(await namesOf(api.call("GET", "/v1/pull-requests"))).toEqual(everything);
    expect(await namesOf(all.as("root", "/v1/pull-requests"))).toEqual(everything);
    expect(await namesOf(all.as("middle", "/v1/pull-requests"))).toEqual(everything);
    expect(await namesOf(all.as("below", "/v1/pull-requests"))).toEqual(["acme/dns#1"]);
    expect(await namesOf(all.as("beside", "/v1/pull-requests"))).toEqual(["acme/dns#1"]);
  });

  test("is filtered by each filter, and by all at once", async () => {
    const { infra, dns } = all.repositories;
    const at = (query: string) => namesOf(api.call("GET", `/v1/pull-requests?${query}`));
    expect(await at(`repository_id=${infra}`)).toEqual(["acme/infra#1", "acme/infra#2"]);
    expect(await at("state=merged")).toEqual(["acme/infra#1"]);
    expect(await at("source_branch=feature")).toEqual(["acme/dns#1", "acme/infra#1"]);
    expect(await at(`repository_id=${infra}&state=OPEN&source_branch=subnets`)).toEqual(["acme/infra#2"]);
    expect(await at(`repository_id=${dns}&state=MERGED`)).toEqual([]);
    expect(await namesOf(all.as("beside", `/v1/pull-requests?repository_id=${infra}`))).toEqual([]);
  });

  test("has the highest number of a repository first", async () => {
    const { infra } = all.repositories;
    const items = await itemsOf(api.call("GET", `/v1/pull-requests?repository_id=${infra}`));
    expect(items.map(({ number }) => number)).toEqual([2, 1]);
  });

  test("refuses what is no filter, with its name", async () => {
    await expectRefused(api, "/v1/pull-requests", [
      ...BAD_CURSORS,
      [`cursor=${Buffer.from(`{"repositoryId":"${NOBODY}","number":3e9}`).toString("base64url")}`, "cursor"],
      ["repository_id=acme/infra", "repository_id"],
      ["state=", "state"],
      ["source_branch=%00", "source_branch"],
    ]);
  });

  test("has each once over its pages, while others come and those that are there change", async () => {
    const { infra: repositoryId } = all.repositories;
    for (const number of [3, 4, 5, 6, 7]) await addPullRequest(api.store, { repositoryId, number });
    let number = 100;
    const read = await readPages(api, `/v1/pull-requests?limit=2&repository_id=${repositoryId}`, async () => {
      await addPullRequest(api.store, { repositoryId, number: (number += 1) });
      await api.store.sql`UPDATE sluice.pull_requests SET updated_on = now() WHERE number < 4`;
    });
    expect(read.map((each) => each["number"])).toEqual([7, 6, 5, 4, 3, 2, 1]);
    const both = await readPages(api, "/v1/pull-requests?limit=3");
    expect(new Set(both.map(({ url }) => url)).size).toBe(both.length);
    expect(both.filter(({ repository }) => repository === "acme/dns")).toHaveLength(1);
  });
});

describe("one pull request", () => {
  test("has its approvals, its commits and its last events", async () => {
    const { dns: repositoryId } = all.repositories;
    await api.store.sql`
      UPDATE sluice.pull_requests
      SET reviews = '[{"userUuid": "{grace}", "state": "approved", "participatedOn": "2026-11-24T09:00:00+00:00"}]'
      WHERE repository_id = ${repositoryId} AND number = 1`;
    await api.store.sql`
      INSERT INTO sluice.commit_pull_requests (repository_id, commit_sha, number, source, recorded_at)
      VALUES (${repositoryId}, ${shaOf(1)}, 1, 'event', '2026-11-24T09:00:00Z'),
             (${repositoryId}, ${shaOf(2)}, 1, 'bitbucket', '2026-11-24T10:00:00Z'),
             (${repositoryId}, ${shaOf(3)}, 2, 'event', '2026-11-24T11:00:00Z')`;
    const eventId = await insertPush(api.store, { targetId: all.targets.dns, sequence: 104 });
    await api.store.sql`
      UPDATE sluice.events
      SET kind = 'pull_request', event_key = 'pullrequest:approved', action = 'approved', pull_request_number = 1,
          ref_kind = NULL, ref_name = NULL, change = NULL
      WHERE id = ${eventId}`;
    const url = `/v1/pull-requests/${repositoryId}/1`;
    const found = await all.as("below", url);
    expect(found).toMatchObject({
      status: 200,
      body: {
        url,
        repository: "acme/dns",
        number: 1,
        is_approved: true,
        author: { uuid: "{author}", display_name: "Ada" },
        source: { repository: "acme/dns", branch: "feature", sha: shaOf(1) },
        approvals: [
          { user_uuid: "{grace}", state: "approved", participated_on: "2026-11-24T09:00:00+00:00" },
        ],
        linked_commits: [
          { sha: shaOf(2), source: "bitbucket", recorded_at: "2026-11-24T10:00:00.000Z" },
          { sha: shaOf(1), source: "event", recorded_at: "2026-11-24T09:00:00.000Z" },
        ],
        has_more_linked_commits: false,
        last_events: [{ id: eventId, action: "approved", pull_request_number: 1 }],
      },
    });
    expect(await api.call("GET", `/v1/pull-requests?repository_id=${repositoryId}`)).toMatchObject({
      body: { items: [{ is_approved: true }] },
    });
  });

  test("is not found by those who do not see it, as if there were none", async () => {
    const { infra } = all.repositories;
    const at = async (space: SpaceName, path: string) => {
      const { status, body } = await all.as(space, `/v1/pull-requests/${path}`);
      return { status, body };
    };
    const unknown = await at("middle", `${infra}/99`);
    expect(unknown.status).toBe(404);
    expect(await at("below", `${infra}/1`)).toEqual(unknown);
    expect(await at("beside", `${infra}/1`)).toEqual(unknown);
    for (const number of ["0", "-1", "1.5", "x", "3000000000"]) {
      expect(await at("middle", `${infra}/${number}`)).toEqual(unknown);
    }
    expect((await at("middle", "acme/1")).status).toBe(404);
  });
});
