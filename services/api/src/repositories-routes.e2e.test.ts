import { createTestDatabase } from "@sluice/embedded/test-database";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";

import { addSpace, makeKey } from "./test-access.ts";
import { createTestApi, migrateForApi, NOBODY, type TestApi } from "./test-api.ts";
import { addIntegration, bearer } from "./test-targets.ts";

let api: TestApi;
let account: string;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
  account = await addIntegration(api, "account", null);
});

afterAll(() => api.close());

const listSchema = z.object({
  items: z.array(z.looseObject({ id: z.string(), full_name: z.string(), integration: z.string() })),
  next_cursor: z.string().nullable(),
});

async function list(query = "", key?: string) {
  const headers = key === undefined ? {} : bearer(key);
  const { status, body } = await api.call("GET", `/v1/repositories?${query}`, undefined, headers);
  expect(status).toBe(200);
  return listSchema.parse(body);
}

const namesOf = ({ items }: z.infer<typeof listSchema>) => items.map(({ full_name: name }) => name);

const makeStack = async (name: string, repository: string, more: object = {}, path = "/v1/stacks") => {
  const answer = await api.call("POST", path, { name, repository, tracked_branch: "main", ...more });
  expect(answer).toMatchObject({ status: 201 });
  return z.object({ id: z.string(), repository_id: z.string() }).parse(answer.body);
};

async function find(id: string, key?: string) {
  return api.call("GET", `/v1/repositories/${id}`, undefined, key === undefined ? {} : bearer(key));
}

/** A delivery with one event of a repository, or one that could not be read. @returns the delivery's id. */
async function deliver(
  integrationId: string,
  delivery: {
    readonly eventKey: string;
    readonly at: string;
    readonly repositoryId?: string;
    readonly source?: "webhook" | "sweep";
    readonly failure?: object;
  },
): Promise<string> {
  const { eventKey, at, repositoryId, source = "webhook", failure = null } = delivery;
  const [row] = await api.store.sql<{ id: string }[]>`
    INSERT INTO sluice.deliveries
      (id, integration_id, request_id, event_key, attempt, secret_version, received_at, outcome, failure, body_bytes, source)
    VALUES (uuidv7(), ${integrationId}, uuidv7()::text, ${eventKey}, 1, 'current', ${at}::timestamptz,
            ${failure === null ? "events" : "failed"}, ${failure === null ? null : JSON.stringify(failure)}::jsonb, 2, ${source})
    RETURNING id`;
  const id = row?.id ?? "";
  if (repositoryId !== undefined) {
    const kind = eventKey === "repo:push" ? "push" : "pull_request";
    await api.store.sql`
      INSERT INTO sluice.events
        (delivery_id, index, sequence, kind, event_key, repository_id, ref_kind, ref_name, change, action,
         pull_request_number, received_at)
      VALUES (${id}, 0, nextval('sluice.event_sequence'), ${kind}, ${eventKey}, ${repositoryId}, 'branch', 'main', 'updated',
              'approved', 1, ${at}::timestamptz)`;
  }
  return id;
}

describe("a repository", () => {
  test("that nothing has come from yet is known since a stack names it, with all that was never seen", async () => {
    const { repository_id: id } = await makeStack("first", "acme/quiet");
    await makeStack("second", "acme/quiet", {}, "/v1/modules");
    const { status, body } = await find(id);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id,
      uuid: null,
      full_name: "acme/quiet",
      integration: "account",
      integration_id: account,
      targets: { stacks: 1, modules: 1 },
      commit_links: { state: "not_known", checked_at: null, advice: null },
      sweep: { swept_at: null, found: 0, failure: null },
      last_deliveries: [],
      last_failed_delivery: null,
      webhooks: null,
    });
    const { never_seen: neverSeen } = z.object({ never_seen: z.array(z.unknown()) }).parse(body);
    expect(neverSeen).toHaveLength(10);
    expect(neverSeen).toContainEqual({
      event_key: "pullrequest:unapproved",
      box: "Approval removed",
      is_required: true,
    });
    expect(neverSeen).toContainEqual({
      event_key: "pullrequest:rejected",
      box: "Declined",
      is_required: false,
    });
  });

  test("tells the last webhook of each kind; what a sweep found is none", async () => {
    const { repository_id: repositoryId } = await makeStack("told", "acme/told");
    const push = { eventKey: "repo:push", repositoryId };
    await deliver(account, { ...push, at: "2026-01-01T10:00:00Z" });
    const last = await deliver(account, { ...push, at: "2026-01-01T11:00:00Z" });
    await deliver(account, { ...push, at: "2026-01-01T12:00:00Z", source: "sweep" });
    await deliver(account, {
      eventKey: "pullrequest:approved",
      repositoryId,
      at: "2026-01-01T12:00:00Z",
      source: "sweep",
    });
    const { body } = await find(repositoryId);
    expect(body).toMatchObject({
      last_deliveries: [
        {
          event_key: "repo:push",
          box: "Push",
          at: expect.stringMatching(/^2026-01-01T11:00:00/),
          delivery_id: last,
        },
      ],
    });
    const { never_seen: neverSeen } = z
      .object({ never_seen: z.array(z.object({ box: z.string() })) })
      .parse(body);
    expect(neverSeen.map(({ box }) => box)).toContain("Approved");
    expect(neverSeen.map(({ box }) => box)).not.toContain("Push");
  });

  test("says what to click where the app for commits is not installed, and what the last sweep came to", async () => {
    const { repository_id: id } = await makeStack("swept", "acme/swept");
    await api.store.sql`
      UPDATE sluice.repositories SET commit_links = 'not_installed', commit_links_checked_at = now() WHERE id = ${id}`;
    await api.store.sql`
      INSERT INTO sluice.repository_sweeps (repository_id, swept_at, found, failure_code, failure_message, failing_since)
      VALUES (${id}, '2026-01-02T00:00:00Z', 3, 'bitbucket_forbidden', 'Bitbucket said 403', '2026-01-01T00:00:00Z')`;
    expect((await find(id)).body).toMatchObject({
      commit_links: {
        state: "not_installed",
        checked_at: expect.any(String),
        advice: expect.stringContaining('click "Go to pull request"'),
      },
      sweep: {
        swept_at: expect.stringMatching(/^2026-01-02/),
        found: 3,
        failure: { code: "bitbucket_forbidden", message: "Bitbucket said 403", since: expect.any(String) },
      },
    });
  });

  test("out of reach is not found; within reach of its integration or of a stack it is, with what is theirs to see", async () => {
    await addSpace(api, "owner");
    await addSpace(api, "user", { parent: "owner" });
    await addSpace(api, "stranger");
    const integrationId = await addIntegration(api, "owned", "owner");
    const { repository_id: id } = await makeStack("web", "shop/web", { space: "user", integration: "owned" });
    await makeStack("web at the owner's", "shop/web", { space: "owner", integration: "owned" });
    const { repository_id: unused } = await makeStack("api", "shop/api", {
      space: "owner",
      integration: "owned",
    });
    const failure = { code: "payload_invalid", path: "push", message: "push: is missing" };
    await deliver(integrationId, {
      eventKey: "repo:push",
      at: "2026-01-01T10:00:00Z",
      failure: { ...failure, code: "older" },
    });
    const failed = await deliver(integrationId, {
      eventKey: "repo:push",
      at: "2026-01-01T11:00:00Z",
      failure,
    });
    await deliver(integrationId, { eventKey: "repo:push", at: "2026-01-01T12:00:00Z", repositoryId: id });
    const drift = [
      { kind: "wrong_url", hookId: "{h}", detail: "sends to https://old.example/webhooks/owned" },
    ];
    await api.store.sql`
      INSERT INTO sluice.repository_hooks (repository_id, drift) VALUES (${id}, ${JSON.stringify(drift)}::jsonb)`;
    const keyOf = async (role: "admin" | "read", space: string) =>
      (await makeKey(api, { name: `${role} of ${space}`, role, space })).key;
    const shown = { kind: "wrong_url", hook_id: "{h}" };

    const ofAdmin = await find(id, await keyOf("admin", "owner"));
    expect(ofAdmin.body).toMatchObject({
      targets: { stacks: 2, modules: 0 },
      last_failed_delivery: { delivery_id: failed, event_key: "repo:push", code: "payload_invalid" },
      webhooks: { drift: [{ ...shown, detail: drift[0]?.detail }], unreadable: null },
    });
    const ofReader = await find(id, await keyOf("read", "owner"));
    expect(ofReader.body).toMatchObject({
      last_failed_delivery: { delivery_id: failed },
      webhooks: { drift: [{ ...shown, detail: null }] },
    });
    const user = await keyOf("admin", "user");
    expect((await find(id, user)).body).toMatchObject({
      integration: "owned",
      targets: { stacks: 1, modules: 0 },
      last_failed_delivery: null,
      webhooks: { drift: [{ ...shown, detail: null }] },
    });
    expect(namesOf(await list("", user))).toEqual(["shop/web"]);
    expect((await find(unused, user)).status).toBe(404);
    const stranger = await keyOf("admin", "stranger");
    for (const each of [id, NOBODY, "no-id"]) expect((await find(each, stranger)).status).toBe(404);
    expect(namesOf(await list("", stranger))).toEqual([]);
  });

  test("of the default integration is seen through the stacks within reach alone", async () => {
    await addSpace(api, "tenant");
    await makeStack("mine", "tenants/mine", { space: "tenant" });
    await makeStack("not mine", "tenants/theirs");
    const { key } = await makeKey(api, { name: "tenant", role: "admin", space: "tenant" });
    expect(namesOf(await list("", key))).toEqual(["tenants/mine"]);
    expect(namesOf(await list("name_prefix=tenants/"))).toEqual(["tenants/mine", "tenants/theirs"]);
  });

  test("of a deleted integration stays while a stack names it", async () => {
    const integrationId = await addIntegration(api, "closing", "root");
    const { id: stackId, repository_id: id } = await makeStack("last one", "closed/web", {
      integration: "closing",
    });
    await api.store.sql`UPDATE sluice.integrations SET deleted_at = now() WHERE id = ${integrationId}`;
    expect((await find(id)).status).toBe(200);
    await api.call("DELETE", `/v1/stacks/${stackId}`);
    expect((await find(id)).status).toBe(404);
  });

  test("is listed by integration and by the beginning of its name, page by page", async () => {
    await addIntegration(api, "listing", "root");
    const names = ["List/a", "list/b", "list/c", "list_more/d"];
    for (const name of names) await makeStack(name, name, { integration: "listing" });
    expect(namesOf(await list("integration=listing"))).toEqual(names);
    expect(namesOf(await list("name_prefix=LIST/"))).toEqual(names.slice(0, 3));
    const paged: string[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const page: z.infer<typeof listSchema> = await list(`integration=listing&limit=3${cursor}`);
      paged.push(...namesOf(page));
      cursor = page.next_cursor === null ? null : `&cursor=${page.next_cursor}`;
    }
    expect(paged).toEqual(names);
  });
});
