/** What the API tells people of triggers, and to whom. */
import { createTestDatabase } from "@sluice/embedded/test-database";
import { insertTrigger, shaOf } from "@sluice/store/test-trigger-fixtures";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { createTestApi, migrateForApi, NOBODY, type TestApi } from "./test-api.ts";
import {
  arrangeReadModels,
  BAD_CURSORS,
  expectRefused,
  idsOf,
  itemsOf,
  POSITION,
  readPages,
  type ReadModels,
} from "./test-read-models.ts";

let api: TestApi;
let all: ReadModels;
/** Of `network`. */
let proposed: string;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
  all = await arrangeReadModels(api);
  proposed = await insertTrigger(api.store, {
    targetId: all.targets.network,
    position: 104,
    runType: "proposed",
    state: "succeeded",
  });
});

afterAll(() => api.close());

describe("the list", () => {
  test("is told by the spaces of targets", async () => {
    const { network, dns, web } = all.triggers;
    expect(await idsOf(api.call("GET", "/v1/triggers"))).toEqual([proposed, web, dns, network]);
    expect(await idsOf(all.as("root", "/v1/triggers"))).toEqual([proposed, web, dns, network]);
    expect(await idsOf(all.as("middle", "/v1/triggers"))).toEqual([proposed, dns, network]);
    expect(await idsOf(all.as("below", "/v1/triggers"))).toEqual([dns]);
    expect(await idsOf(all.as("beside", "/v1/triggers"))).toEqual([web]);
  });

  test("is filtered by each filter, and by all at once", async () => {
    const { network, dns, web } = all.triggers;
    const { targets, repositories } = all;
    const at = (query: string) => idsOf(api.call("GET", `/v1/triggers?${query}`));
    expect(await at("state=queued")).toEqual([web, dns, network]);
    expect(await at("state=queued&state=succeeded")).toEqual([proposed, web, dns, network]);
    expect(await at("state=running&state=waiting")).toEqual([]);
    expect(await at("run_type=proposed")).toEqual([proposed]);
    expect(await at(`target_id=${targets.network}`)).toEqual([proposed, network]);
    expect(await at("kind=stack")).toEqual([proposed, web, dns, network]);
    expect(await at("kind=module")).toEqual([]);
    expect(await at("space=middle")).toEqual([proposed, network]);
    expect(await at(`commit=${shaOf(POSITION.dns)}`)).toEqual([dns]);
    expect(await at(`commit=${shaOf(POSITION.dns).slice(0, 7).toUpperCase()}`)).toEqual([dns]);
    expect(await at(`repository_id=${repositories.dns}`)).toEqual([web, dns]);
    expect(
      await at(
        `state=queued&run_type=tracked&target_id=${targets.web}&kind=stack&space=beside&commit=${shaOf(POSITION.web)}&repository_id=${repositories.dns}`,
      ),
    ).toEqual([web]);
    expect(await idsOf(all.as("beside", `/v1/triggers?target_id=${targets.network}`))).toEqual([]);
    expect(await idsOf(all.as("beside", "/v1/triggers?space=middle"))).toEqual([]);
  });

  test("has triggers as they are everywhere, without their lease tokens", async () => {
    const token = "0199aaaa-0000-4000-8000-00000000000a";
    await api.store.sql`
      UPDATE sluice.triggers
      SET state = 'running', lease_token = ${token}, lease_holder = 'scheduler-1', lease_expires_at = now() + interval '1 hour'
      WHERE id = ${all.triggers.web}`;
    const [item] = await itemsOf(all.as("beside", "/v1/triggers?state=running"));
    expect(item).toMatchObject({
      schema: "sluice.trigger/1",
      id: all.triggers.web,
      lease: { token: null, holder: "scheduler-1" },
    });
    expect(item).toEqual((await all.as("beside", `/v1/triggers/${all.triggers.web}`)).body);
    expect(JSON.stringify(item)).not.toContain(token);
  });

  test("refuses what is no filter, with its name", async () => {
    await expectRefused(api, "/v1/triggers", [
      ...BAD_CURSORS,
      ["state=stuck", "state.0"],
      ["state=queued&state=stuck", "state.1"],
      ["run_type=both", "run_type"],
      ["target_id=network", "target_id"],
      ["kind=policy", "kind"],
      ["space=", "space"],
      ["commit=main", "commit"],
      ["repository_id=acme/infra", "repository_id"],
    ]);
  });

  test("has each once over its pages, while others come", async () => {
    const { network: targetId } = all.targets;
    let position = 200;
    const add = () => insertTrigger(api.store, { targetId, position: (position += 1), runType: "proposed" });
    const added = [proposed];
    for (let count = 0; count < 6; count += 1) added.unshift(await add());
    const read = await readPages(api, "/v1/triggers?limit=2&run_type=proposed", add);
    expect(read.map(({ id }) => id)).toEqual(added);
  });
});

describe("the history of one", () => {
  beforeAll(async () => {
    for (const [minute, state] of ["queued", "claimed", "running", "queued", "claimed"].entries()) {
      await api.store.sql`
        INSERT INTO sluice.trigger_history (trigger_id, state, actor, note, at)
        VALUES (${all.triggers.dns}, ${state}, 'scheduler-1', NULL, ${`2026-11-24T09:0${String(minute)}:00Z`})`;
    }
    // What one transaction wrote has one time.
    await api.store.sql`
      INSERT INTO sluice.trigger_history (trigger_id, state, actor, note, at)
      SELECT ${all.triggers.dns}, state, 'ada', 'by hand', '2026-11-24T09:05:00Z'
      FROM unnest(ARRAY['failed', 'failed', 'failed']) AS state`;
  });

  test("has each change once over its pages, the latest first", async () => {
    const path = `/v1/triggers/${all.triggers.dns}/history`;
    const whole = await itemsOf(api.call("GET", path));
    expect(whole.map(({ state }) => state)).toEqual(
      "failed failed failed claimed queued running claimed queued".split(" "),
    );
    expect(whole[0]).toMatchObject({ actor: "ada", note: "by hand", at: "2026-11-24T09:05:00.000Z" });
    expect(await readPages(api, `${path}?limit=2`)).toEqual(whole);
  });

  test("is of those who see the trigger", async () => {
    const path = `/v1/triggers/${all.triggers.dns}/history`;
    expect((await all.as("below", path)).status).toBe(200);
    expect((await all.as("middle", path)).status).toBe(200);
    const unknown = await all.as("beside", `/v1/triggers/${NOBODY}/history`);
    const hidden = await all.as("beside", path);
    expect({ status: hidden.status, body: hidden.body }).toEqual({ status: 404, body: unknown.body });
    await expectRefused(api, path, BAD_CURSORS);
  });
});
