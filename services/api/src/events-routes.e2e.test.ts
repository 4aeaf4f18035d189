/** What the API tells of events, and to whom. */
import { createTestDatabase } from "@sluice/embedded/test-database";
import { insertPush, shaOf } from "@sluice/store/test-trigger-fixtures";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { createTestApi, migrateForApi, NOBODY, type TestApi } from "./test-api.ts";
import {
  addDecision,
  arrangeReadModels,
  BAD_CURSORS,
  expectRefused,
  idsOf,
  POSITION,
  readPages,
  type ReadModels,
} from "./test-read-models.ts";

let api: TestApi;
let all: ReadModels;
/** Of pull request 7 of acme/dns. */
let opened: string;
/** Of acme/infra, with no key that is acted on. */
let unsupported: string;
/** Of acme/infra, undecided. */
let pending: string;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
  all = await arrangeReadModels(api);
  const { store } = api;
  const { network, dns } = all.targets;
  opened = await insertPush(store, { targetId: dns, sequence: 104 });
  await store.sql`
    UPDATE sluice.events
    SET kind = 'pull_request', event_key = 'pullrequest:created', action = 'opened', pull_request_number = 7, ref_kind = NULL,
        ref_name = NULL, change = NULL, new_sha = ${shaOf(7).slice(0, 12)}
    WHERE id = ${opened}`;
  unsupported = await insertPush(store, { targetId: network, sequence: 105 });
  await store.sql`
    UPDATE sluice.events
    SET kind = 'unsupported', event_key = 'repo:fork', repository_id = NULL, ref_kind = NULL, ref_name = NULL, change = NULL,
        new_sha = NULL
    WHERE id = ${unsupported}`;
  pending = await insertPush(store, { targetId: network, sequence: 106, isDecided: false });
});

afterAll(() => api.close());

describe("the list", () => {
  test("is told to those who see the integration's space, or have a target of the repository", async () => {
    const { network, dns, web } = all.events;
    const everything = [pending, unsupported, opened, web, dns, network];
    expect(await idsOf(api.call("GET", "/v1/events"))).toEqual(everything);
    expect(await idsOf(all.as("middle", "/v1/events"))).toEqual(everything);
    expect(await idsOf(all.as("below", "/v1/events"))).toEqual([opened, web, dns]);
    expect(await idsOf(all.as("beside", "/v1/events"))).toEqual([opened, web, dns]);
  });

  test("is filtered by each filter, and by all at once", async () => {
    const { network, dns, web } = all.events;
    const { repositories } = all;
    const at = (query: string) => idsOf(api.call("GET", `/v1/events?${query}`));
    expect(await at(`repository_id=${repositories.infra}`)).toEqual([pending, network]);
    expect(await at(`repository_id=${repositories.dns}`)).toEqual([opened, web, dns]);
    expect(await at(`repository_id=${repositories.dns}&event_key=repo:push`)).toEqual([web, dns]);
    expect(await at(`repository_id=${NOBODY}`)).toEqual([]);
    expect(await at("kind=unsupported")).toEqual([unsupported]);
    expect(await at("event_key=pullrequest:created")).toEqual([opened]);
    expect(await at("undecided=true")).toEqual([pending]);
    expect(await at("undecided=false&kind=push")).toEqual([pending, web, dns, network]);
    expect(await at(`repository_id=${repositories.dns}&pull_request=7`)).toEqual([opened]);
    expect(await at(`repository_id=${repositories.infra}&pull_request=7`)).toEqual([]);
    expect(
      await at(
        `repository_id=${repositories.infra}&kind=push&event_key=repo:push&undecided=true&commit=${shaOf(106)}`,
      ),
    ).toEqual([pending]);
  });

  test("finds a commit by 7 to 40 digits in any case, also one of which only some are known", async () => {
    const at = (commit: string) => idsOf(api.call("GET", `/v1/events?commit=${commit}`));
    const commit = shaOf(POSITION.dns);
    for (const digits of [commit, commit.slice(0, 7), commit.slice(0, 12).toUpperCase()]) {
      expect(await at(digits)).toEqual([all.events.dns]);
    }
    expect(await at(shaOf(7))).toEqual([opened]);
    expect(await at(shaOf(8))).toEqual([]);
  });

  test("filters nothing into reach", async () => {
    const query = `repository_id=${all.repositories.infra}`;
    expect(await idsOf(all.as("beside", `/v1/events?${query}`))).toEqual([]);
    expect(await idsOf(all.as("beside", `/v1/events?${query}&undecided=true`))).toEqual([]);
    expect(await idsOf(all.as("beside", `/v1/events?commit=${shaOf(POSITION.network)}`))).toEqual([]);
  });

  test("refuses what is no filter, with its name", async () => {
    await expectRefused(api, "/v1/events", [
      ...BAD_CURSORS,
      ["repository_id=acme/infra", "repository_id"],
      ["kind=tag", "kind"],
      ["event_key=", "event_key"],
      ["commit=main", "commit"],
      ["commit=abcdef", "commit"],
      [`commit=${"a".repeat(41)}`, "commit"],
      ["pull_request=7", "pull_request"],
      [`repository_id=${NOBODY}&pull_request=0`, "pull_request"],
      [`repository_id=${NOBODY}&pull_request=2147483648`, "pull_request"],
      ["undecided=yes", "undecided"],
    ]);
  });

  test.each(["all", "a repository's"])(
    "has each of %s once over its pages, while others come",
    async (which) => {
      const { network: targetId } = all.targets;
      const sequences = [200, 201, 202, 203, 204, 205, 206];
      for (const sequence of sequences) await insertPush(api.store, { targetId, sequence });
      const repositoryId = which === "all" ? null : all.repositories.infra;
      const rows = await api.store.sql<{ id: string }[]>`
      SELECT id FROM sluice.events WHERE ${repositoryId}::uuid IS NULL OR repository_id = ${repositoryId}
      ORDER BY id DESC`;
      const filter = repositoryId === null ? "" : `&repository_id=${repositoryId}`;
      const read = await readPages(api, `/v1/events?limit=2${filter}`, () =>
        insertPush(api.store, { targetId, sequence: 300 }),
      );
      expect(read.map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
    },
  );
});

describe("one event", () => {
  test("says what it meant for each target within reach, in words", async () => {
    const eventId = all.events.dns;
    await addDecision(api.store, { eventId, targetId: all.targets.web, reason: "outside_project_root" });
    const names = async (space: "root" | "below" | "beside") => {
      const { status, body } = await all.as(space, `/v1/events/${eventId}`);
      expect(status).toBe(200);
      const { decisions } = body as { decisions: { target: { name: string }; sentence: string }[] };
      expect(decisions.every(({ sentence }) => sentence.length > 10)).toBe(true);
      return decisions.map(({ target }) => target.name);
    };
    expect(await names("root")).toEqual(["dns", "web"]);
    expect(await names("below")).toEqual(["dns"]);
    expect(await names("beside")).toEqual(["web"]);
    expect(await api.call("GET", `/v1/events/${eventId}`)).toMatchObject({
      body: {
        id: eventId,
        delivery_id: all.deliveries.dns,
        repository_id: all.repositories.dns,
        has_more_decisions: false,
        waits: null,
        decisions: [{ reason: "triggered", trigger_id: all.triggers.dns }, { trigger_id: null }],
      },
    });
  });

  test("that waits says for what, and until when Bitbucket takes no call", async () => {
    await api.store.sql`
      UPDATE sluice.targets SET project_root = 'infra', tracked_branch = 'main' WHERE id = ${all.targets.network}`;
    await api.store.sql`
      UPDATE sluice.repositories SET uuid = '{0f5cb1f2}' WHERE id = ${all.repositories.infra}`;
    const path = `/v1/events/${pending}`;
    expect(await all.as("middle", path)).toMatchObject({
      status: 200,
      body: {
        decided_at: null,
        decisions: [],
        waits: {
          for: ["changed_files"],
          blocked_until: null,
          sentence:
            "waits for the list of changed files from Bitbucket; its integration has no credential: apply one",
        },
      },
    });
    await api.store.sql`
      UPDATE sluice.integrations SET credential_ciphertext = '-' WHERE id = ${all.integrations.ofMiddle}`;
    await api.store.sql`
      INSERT INTO sluice.call_budgets (integration_id, blocked_until)
      VALUES (${all.integrations.ofMiddle}, '2999-01-01T00:00:00Z')`;
    expect(await all.as("middle", path)).toMatchObject({
      body: {
        waits: {
          blocked_until: "2999-01-01T00:00:00.000Z",
          sentence: expect.stringContaining("no call before 2999-01-01T00:00:00.000Z (429)") as string,
        },
      },
    });
  });

  test("is not found by those who do not see it, as if there were none", async () => {
    const unknown = await all.as("beside", `/v1/events/${NOBODY}`);
    for (const id of [all.events.network, unsupported, pending]) {
      const hidden = await all.as("beside", `/v1/events/${id}`);
      expect({ status: hidden.status, body: hidden.body }).toEqual({ status: 404, body: unknown.body });
      expect((await all.as("middle", `/v1/events/${id}`)).status).toBe(200);
    }
    expect((await api.call("GET", "/v1/events/x")).status).toBe(404);
  });
});

test("a removed target shows no events of its repository any more, and its own decisions and triggers still", async () => {
  const { web } = all.events;
  expect((await all.as("beside", `/v1/events/${web}`)).status).toBe(200);
  await api.store.sql`UPDATE sluice.targets SET removed_at = now() WHERE id = ${all.targets.web}`;
  expect((await all.as("beside", `/v1/events/${web}`)).status).toBe(404);
  expect((await all.as("beside", `/v1/deliveries/${all.deliveries.web}`)).status).toBe(404);
  expect(await idsOf(all.as("beside", "/v1/events"))).toEqual([]);
  expect(await idsOf(all.as("beside", "/v1/triggers"))).toEqual([all.triggers.web]);
  expect(
    (await idsOf(all.as("beside", `/v1/decisions?target_id=${all.targets.web}`))).length,
  ).toBeGreaterThan(0);
});
