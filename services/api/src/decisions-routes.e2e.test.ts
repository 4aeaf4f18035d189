/** What the API tells of decisions, and to whom. */
import { createTestDatabase } from "@sluice/embedded/test-database";
import { insertPush } from "@sluice/store/test-trigger-fixtures";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { createTestApi, migrateForApi, NOBODY, type TestApi } from "./test-api.ts";
import {
  addDecision,
  arrangeReadModels,
  BAD_CURSORS,
  expectRefused,
  idsOf,
  readPages,
  type ReadModels,
} from "./test-read-models.ts";

let api: TestApi;
let all: ReadModels;
/** Those that made the triggers. */
let made: { network: string; dns: string; web: string };
/** What an event of acme/infra meant for no target. */
let ofNone: string;
/** What the event of `network` meant for `dns`, which is held. */
let held: string;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
  all = await arrangeReadModels(api);
  const decisionOf = async (triggerId: string) => {
    const [row] = await api.store.sql<{ id: string }[]>`
      SELECT id FROM sluice.decisions WHERE trigger_id = ${triggerId}`;
    return row!.id;
  };
  made = {
    network: await decisionOf(all.triggers.network),
    dns: await decisionOf(all.triggers.dns),
    web: await decisionOf(all.triggers.web),
  };
  const eventId = await insertPush(api.store, { targetId: all.targets.network, sequence: 104 });
  ofNone = await addDecision(api.store, { eventId, targetId: null, reason: "no_target" });
  held = await addDecision(api.store, {
    eventId: all.events.network,
    targetId: all.targets.dns,
    reason: "held",
    outcome: "hold",
  });
});

afterAll(() => api.close());

describe("the list", () => {
  test("is told by the spaces of targets, and where there is none by those of the event", async () => {
    const everything = [held, ofNone, made.web, made.dns, made.network];
    expect(await idsOf(api.call("GET", "/v1/decisions"))).toEqual(everything);
    expect(await idsOf(all.as("root", "/v1/decisions"))).toEqual(everything);
    expect(await idsOf(all.as("middle", "/v1/decisions"))).toEqual([held, ofNone, made.dns, made.network]);
    expect(await idsOf(all.as("below", "/v1/decisions"))).toEqual([held, made.dns]);
    expect(await idsOf(all.as("beside", "/v1/decisions"))).toEqual([made.web]);
  });

  test("is filtered by each filter, and by all at once", async () => {
    const at = (query: string) => idsOf(api.call("GET", `/v1/decisions?${query}`));
    expect(await at(`event_id=${all.events.network}`)).toEqual([held, made.network]);
    expect(await at(`target_id=${all.targets.dns}`)).toEqual([held, made.dns]);
    expect(await at("reason=no_target")).toEqual([ofNone]);
    expect(await at("outcome=hold")).toEqual([held]);
    expect(await at("since=2000-01-01T00:00:00Z&reason=held")).toEqual([held]);
    expect(await at("since=2999-01-01T00:00:00Z")).toEqual([]);
    expect(
      await at(`event_id=${all.events.network}&target_id=${all.targets.dns}&reason=held&outcome=hold`),
    ).toEqual([held]);
    expect(await at(`event_id=${all.events.web}&outcome=hold`)).toEqual([]);
  });

  test("filters nothing into reach", async () => {
    expect(await idsOf(all.as("beside", `/v1/decisions?target_id=${all.targets.dns}`))).toEqual([]);
    expect(await idsOf(all.as("beside", `/v1/decisions?event_id=${all.events.network}`))).toEqual([]);
    expect(await idsOf(all.as("below", `/v1/decisions?event_id=${all.events.network}`))).toEqual([held]);
  });

  test("refuses what is no filter, with its name", async () => {
    await expectRefused(api, "/v1/decisions", [
      ...BAD_CURSORS,
      ["event_id=x", "event_id"],
      ["target_id=network", "target_id"],
      ["reason=because", "reason"],
      ["outcome=run", "outcome"],
      ["since=1969-12-31T23:59:59Z", "since"],
    ]);
  });

  test("has each once over its pages, while others come", async () => {
    const targetId = all.targets.web;
    const decide = async () =>
      addDecision(api.store, {
        eventId: await insertPush(api.store, { targetId, sequence: 200 }),
        targetId,
        reason: "tag",
      });
    const added: string[] = [made.web];
    for (let count = 0; count < 6; count += 1) added.unshift(await decide());
    const read = await readPages(api, `/v1/decisions?limit=2&target_id=${targetId}`, decide);
    expect(read.map(({ id }) => id)).toEqual(added);
  });
});

describe("one decision", () => {
  test("is told in words to those who see its target", async () => {
    expect(await all.as("below", `/v1/decisions/${held}`)).toMatchObject({
      status: 200,
      body: {
        id: held,
        event_id: all.events.network,
        delivery_id: all.deliveries.network,
        outcome: "hold",
        run_type: "tracked",
        reason: "held",
        sentence: expect.stringMatching(/\w+ \w+/) as string,
        target: { id: all.targets.dns, kind: "stack", name: "dns", space: "below" },
        trigger_id: null,
        trigger_url: null,
      },
    });
  });

  test("is not found by those who do not see it, as if there were none", async () => {
    const unknown = await all.as("beside", `/v1/decisions/${NOBODY}`);
    for (const id of [held, ofNone, made.network]) {
      const hidden = await all.as("beside", `/v1/decisions/${id}`);
      expect({ status: hidden.status, body: hidden.body }).toEqual({ status: 404, body: unknown.body });
    }
    expect((await all.as("middle", `/v1/decisions/${ofNone}`)).status).toBe(200);
    expect((await all.as("below", `/v1/decisions/${ofNone}`)).status).toBe(404);
    expect((await api.call("GET", "/v1/decisions/x")).status).toBe(404);
  });
});
