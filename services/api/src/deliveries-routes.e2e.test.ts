/** What the API tells of deliveries, and to whom. */
import { randomUUID } from "node:crypto";

import { compressBody } from "@sluice/store/delivery-bodies";
import { insertPush, insertTrigger } from "@sluice/store/test-trigger-fixtures";
import { withTransaction } from "@sluice/store/transaction";
import { createTestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { makeKey } from "./test-access.ts";
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

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
  all = await arrangeReadModels(api);
});

afterAll(() => api.close());

describe("the list", () => {
  test("is told to those who see the integration's space, or have a target of the repository", async () => {
    const { network, dns, web } = all.deliveries;
    expect(await idsOf(api.call("GET", "/v1/deliveries"))).toEqual([web, dns, network]);
    expect(await idsOf(all.as("root", "/v1/deliveries"))).toEqual([web, dns, network]);
    expect(await idsOf(all.as("middle", "/v1/deliveries"))).toEqual([web, dns, network]);
    expect(await idsOf(all.as("below", "/v1/deliveries"))).toEqual([web, dns]);
    expect(await idsOf(all.as("beside", "/v1/deliveries"))).toEqual([web, dns]);
  });

  test("is filtered by each filter, and by all at once", async () => {
    const { network, dns, web } = all.deliveries;
    const at = (query: string) => idsOf(api.call("GET", `/v1/deliveries?${query}`));
    expect(await at(`integration_id=${all.integrations.ofMiddle}`)).toEqual([network]);
    expect(await at(`integration_id=${NOBODY}`)).toEqual([]);
    expect(await at("outcome=events")).toEqual([web, dns, network]);
    expect(await at("outcome=failed")).toEqual([]);
    expect(await at("event_key=repo:push")).toEqual([web, dns, network]);
    expect(await at("event_key=pullrequest:created")).toEqual([]);
    const [row] = await api.store.sql<{ at: string }[]>`
      SELECT to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at
      FROM sluice.deliveries WHERE id = ${dns}`;
    expect(await at(`since=${row!.at}`)).toEqual([web, dns]);
    expect(await at(`until=${row!.at}`)).toEqual([network]);
    expect(
      await at(
        `integration_id=${all.integrations.default}&outcome=events&event_key=repo:push&until=${row!.at}`,
      ),
    ).toEqual([]);
  });

  test("refuses what is no filter, with its name", async () => {
    await expectRefused(api, "/v1/deliveries", [
      ...BAD_CURSORS,
      ["integration_id=x", "integration_id"],
      ["outcome=lost", "outcome"],
      ["event_key=", "event_key"],
      ["event_key=%00", "event_key"],
      ["since=yesterday", "since"],
      ["since=2026-11-24T09:00:00", "since"],
      ["until=0000-01-01T00:00:00Z", "until"],
      ["until=2026-02-31T00:00:00Z", "until"],
    ]);
  });

  test("has each once over its pages, while others come", async () => {
    const { integrations, targets } = all;
    const deliveryIds = async () => {
      const rows = await api.store.sql<{ id: string }[]>`
        SELECT id FROM sluice.deliveries WHERE integration_id = ${integrations.ofMiddle}
        ORDER BY recorded_at DESC, id DESC`;
      return rows.map(({ id }) => id);
    };
    for (let sequence = 200; sequence < 210; sequence += 1) {
      await insertPush(api.store, { targetId: targets.network, sequence });
    }
    // What one transaction recorded has one time.
    await api.store.sql`
      UPDATE sluice.deliveries SET recorded_at = now() WHERE integration_id = ${integrations.ofMiddle}`;
    const expected = await deliveryIds();
    let sequence = 300;
    const read = await readPages(api, `/v1/deliveries?limit=3&integration_id=${integrations.ofMiddle}`, () =>
      insertPush(api.store, { targetId: targets.network, sequence: (sequence += 1) }),
    );
    expect(expected).toHaveLength(11);
    expect(read.map(({ id }) => id)).toEqual(expected);
  });
});

describe("one delivery", () => {
  test("is found by either id by those who see it, and by nobody else", async () => {
    const { network } = all.deliveries;
    const [row] = await api.store.sql<{ requestId: string }[]>`
      SELECT request_id FROM sluice.deliveries WHERE id = ${network}`;
    for (const id of [network, row!.requestId]) {
      expect(await all.as("middle", `/v1/deliveries/${id}`)).toMatchObject({
        status: 200,
        body: { id: network },
      });
      const unknown = await all.as("beside", `/v1/deliveries/${NOBODY}`);
      for (const space of ["below", "beside"] as const) {
        const hidden = await all.as(space, `/v1/deliveries/${id}`);
        expect({ status: hidden.status, body: hidden.body }).toEqual({ status: 404, body: unknown.body });
      }
    }
    expect((await api.call("GET", "/v1/deliveries/x")).status).toBe(404);
  });

  test("of two with one request id, it is the one within reach", async () => {
    const requestId = randomUUID();
    await insertTrigger(api.store, { targetId: all.targets.web, position: 400, requestId });
    await insertTrigger(api.store, { targetId: all.targets.network, position: 401, requestId });
    const path = `/v1/deliveries/${requestId}`;
    const named = (integration: string) => ({ status: 200, body: { integration: { name: integration } } });
    expect(await all.as("middle", path)).toMatchObject(named("of-middle"));
    expect(await all.as("beside", path)).toMatchObject(named("by-default"));
  });

  test("leaves out what it meant for targets of other spaces", async () => {
    const eventId = all.events.dns;
    await addDecision(api.store, { eventId, targetId: all.targets.web, reason: "outside_project_root" });
    const names = async (space: "root" | "middle" | "below" | "beside") => {
      const { body } = await all.as(space, `/v1/deliveries/${all.deliveries.dns}`);
      const { events } = body as { events: { decisions: { target: { name: string } }[] }[] };
      return events.flatMap(({ decisions }) => decisions.map(({ target }) => target.name));
    };
    expect(await names("root")).toEqual(["dns", "web"].toSorted());
    expect(await names("middle")).toEqual(["dns"]);
    expect(await names("below")).toEqual(["dns"]);
    expect(await names("beside")).toEqual(["web"]);
  });

  test("of a sweep names no secret, and its trigger says that it was recovered (rule 34)", async () => {
    const id = await insertTrigger(api.store, { targetId: all.targets.network, position: 500 });
    const [row] = await api.store.sql<{ id: string }[]>`
      UPDATE sluice.deliveries SET source = 'sweep'
      WHERE id = (
        SELECT delivery_id FROM sluice.events JOIN sluice.triggers ON event_id = events.id WHERE triggers.id = ${id}
      ) RETURNING id`;
    expect(await api.call("GET", `/v1/deliveries/${row!.id}`)).toMatchObject({
      status: 200,
      body: { id: row!.id, source: "sweep", secret_version: null, outcome: "events" },
    });
    expect(await api.call("GET", `/v1/triggers/${id}`)).toMatchObject({
      status: 200,
      body: { id, cause: { recovered_by: "sweep" } },
    });
  });
});

test("an event that is decided while it is looked at has its decisions, or is not decided yet", async () => {
  const { targets } = all;
  const eventId = await insertPush(api.store, { targetId: targets.network, sequence: 900, isDecided: false });
  const [event] = await api.store.sql<{ deliveryId: string }[]>`
    SELECT delivery_id FROM sluice.events WHERE id = ${eventId}`;
  const countWaiting = async () =>
    (
      await api.store.sql`
        SELECT FROM pg_locks WHERE NOT granted AND relation = 'sluice.events'::regclass
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
    ).length;
  const looked = await withTransaction(api.store, async (tx) => {
    await tx.sql`LOCK TABLE sluice.events IN ACCESS EXCLUSIVE MODE`;
    const look = api.call("GET", `/v1/deliveries/${event!.deliveryId}`);
    await expect.poll(countWaiting).toBe(1);
    await tx.sql`
      INSERT INTO sluice.decisions (event_id, target_id, outcome, reason, evidence)
      VALUES (${eventId}, ${targets.network}, 'ignore', 'tag', '{}')`;
    await tx.sql`UPDATE sluice.events SET decided_at = now() WHERE id = ${eventId}`;
    return { look };
  });
  expect((await looked.look).body).toMatchObject({
    events: [{ decided_at: expect.any(String), decisions: [{ reason: "tag" }] }],
  });
});

describe("what came, byte for byte", () => {
  /** Not UTF-8. */
  const BYTES = Buffer.from([0x7b, 0xff, 0x00, 0x7d]);

  beforeAll(async () => {
    for (const deliveryId of [all.deliveries.network, all.deliveries.dns]) {
      await api.store.sql`
        INSERT INTO sluice.delivery_bodies (delivery_id, headers, encoding, body)
        VALUES (${deliveryId}, '{"x-event-key": "repo:push", "X-Hub-Signature": "sha256=0f"}', 'brotli',
                decode(${compressBody(BYTES).base64}, 'base64'))`;
    }
  });

  async function look(space: string, role: "admin" | "write", deliveryId: string) {
    const { key } = await makeKey(api, { name: randomUUID(), role, space });
    return api.call("GET", `/v1/deliveries/${deliveryId}/body`, undefined, {
      authorization: `Bearer ${key}`,
    });
  }

  async function looksAt(deliveryId: string): Promise<number> {
    const [row] = await api.store.sql<{ count: number }[]>`
      SELECT count(*)::int AS count FROM sluice.audit_log
      WHERE action = 'delivery_body.seen' AND subject_id = ${deliveryId}`;
    return row!.count;
  }

  test("is shown to admins of the integration's space, without the signature, and each look is noted", async () => {
    const { network } = all.deliveries;
    const shown = await look("middle", "admin", network);
    expect(shown).toMatchObject({
      status: 200,
      body: { id: network, body_bytes: 4, body_base64: BYTES.toString("base64") },
    });
    expect(shown.body).toHaveProperty("headers", { "x-event-key": "repo:push" });
    expect(shown.headers.get("cache-control")).toBe("no-store");
    expect(await looksAt(network)).toBe(1);
  });

  test("is shown to nobody else: unseen deliveries are not found, seen ones are refused, and nothing is noted", async () => {
    const { network, dns } = all.deliveries;
    expect((await look("beside", "admin", network)).status).toBe(404);
    expect((await look("below", "admin", network)).status).toBe(404);
    expect((await look("middle", "write", network)).status).toBe(403);
    for (const space of ["middle", "below", "beside"]) {
      expect((await look(space, "admin", dns)).status).toBe(403);
    }
    expect(await looksAt(dns)).toBe(0);
    expect((await api.call("GET", `/v1/deliveries/${dns}/body`)).status).toBe(200);
    expect((await look("root", "admin", dns)).status).toBe(200);
    expect(await looksAt(dns)).toBe(2);
  });

  test("is not found once it is not kept any more", async () => {
    expect(await api.call("GET", `/v1/deliveries/${all.deliveries.web}/body`)).toMatchObject({
      status: 404,
      body: { detail: "Its body is not kept any more." },
    });
    expect((await api.call("GET", `/v1/deliveries/${NOBODY}/body`)).status).toBe(404);
  });
});
