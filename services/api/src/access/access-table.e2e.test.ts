import { type Permission, type Role, ROLES } from "@sluice/domain/access";
import { createTestDatabase } from "@sluice/embedded/test-database";
import { compressBody } from "@sluice/store/delivery-bodies";
import { insertTrigger } from "@sluice/store/test-trigger-fixtures";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";

import { addSpace, makeKey } from "../test-access.ts";
import { createTestApi, migrateForApi, type Answer, type TestApi } from "../test-api.ts";
import { fillPath, listOperations, SAMPLE_BODIES } from "../test-operations.ts";
import { addPullRequest } from "../test-read-models.ts";
import { addIntegration, aTarget } from "../test-targets.ts";

/** Who may use what. Written by hand, so that a route that asks for less than it should is seen. */
const TABLE: Readonly<Record<string, Permission>> = {
  "GET /v1/api-keys": "admin",
  "POST /v1/api-keys": "admin",
  "GET /v1/api-keys/{id}": "admin",
  "DELETE /v1/api-keys/{id}": "admin",
  "GET /v1/audit-log": "admin",
  "GET /v1/spaces": "read",
  "POST /v1/spaces": "admin",
  "GET /v1/spaces/{id}": "read",
  "PUT /v1/spaces/{id}": "admin",
  "DELETE /v1/spaces/{id}": "admin",
  "GET /v1/integrations": "any",
  "POST /v1/integrations": "admin",
  "GET /v1/integrations/{id}": "any",
  "PUT /v1/integrations/{id}": "admin",
  "DELETE /v1/integrations/{id}": "admin",
  "POST /v1/integrations/{id}/check": "admin",
  "PUT /v1/integrations/{id}/credential": "admin",
  "GET /v1/integrations/{id}/webhook": "admin",
  "POST /v1/integrations/{id}/webhook-secret/rotate": "admin",
  "POST /v1/integrations/{id}/webhooks/plan": "admin",
  "POST /v1/integrations/{id}/webhooks/apply": "admin",
  "GET /v1/repositories": "read",
  "GET /v1/repositories/{id}": "read",
  "GET /v1/stacks": "read",
  "POST /v1/stacks": "write",
  "POST /v1/stacks/bulk": "write",
  "GET /v1/stacks/{id}": "read",
  "PUT /v1/stacks/{id}": "write",
  "DELETE /v1/stacks/{id}": "write",
  "GET /v1/modules": "read",
  "POST /v1/modules": "write",
  "POST /v1/modules/bulk": "write",
  "GET /v1/modules/{id}": "read",
  "PUT /v1/modules/{id}": "write",
  "DELETE /v1/modules/{id}": "write",
  "GET /v1/deliveries": "read",
  "GET /v1/deliveries/{id}": "read",
  "GET /v1/deliveries/{id}/body": "admin",
  "GET /v1/events": "read",
  "GET /v1/events/{id}": "read",
  "GET /v1/decisions": "read",
  "GET /v1/decisions/{id}": "read",
  "GET /v1/pull-requests": "read",
  "GET /v1/pull-requests/{repository_id}/{number}": "read",
  "GET /v1/triggers": "read",
  "GET /v1/triggers/{id}": "read",
  "GET /v1/triggers/{id}/history": "read",
  "POST /v1/triggers/claim": "claim",
  "POST /v1/triggers/{id}/start": "claim",
  "POST /v1/triggers/{id}/wait": "claim",
  "POST /v1/triggers/{id}/heartbeat": "claim",
  "POST /v1/triggers/{id}/finish": "claim",
  "POST /v1/triggers/{id}/cancel": "write",
  "POST /v1/triggers/{id}/end": "write",
};

const ALLOWED: Readonly<Record<Permission, readonly Role[]>> = {
  any: ["read", "write", "admin", "scheduler"],
  read: ["read", "write", "admin", "scheduler"],
  write: ["write", "admin"],
  admin: ["admin"],
  claim: ["admin", "scheduler"],
};

/** `below` is in `middle`, which is in the root, as `apart` is, which does not inherit. */
const SPACES = ["root", "middle", "below", "apart"] as const;

/** What keys see of a thing, by the place of the thing; in the order of `SPACES`. */
type Sight = Readonly<Record<"middle" | "apart", Readonly<Record<Role, readonly number[]>>>>;

/** What everybody looks at who has it in his spaces. Admins of the root see everything. */
const SEEN: Sight = {
  middle: {
    read: [200, 200, 404, 404],
    write: [200, 200, 404, 404],
    admin: [200, 200, 404, 404],
    scheduler: [200, 200, 404, 404],
  },
  apart: {
    read: [404, 404, 404, 200],
    write: [404, 404, 404, 200],
    admin: [200, 404, 404, 200],
    scheduler: [404, 404, 404, 200],
  },
};

/** What admins alone look at. */
const ADMINS_SEE: Sight = {
  middle: {
    read: [403, 403, 403, 403],
    write: [403, 403, 403, 403],
    admin: [200, 200, 404, 404],
    scheduler: [403, 403, 403, 403],
  },
  apart: {
    read: [403, 403, 403, 403],
    write: [403, 403, 403, 403],
    admin: [200, 404, 404, 200],
    scheduler: [403, 403, 403, 403],
  },
};

/** Who sees one thing. */
const ONE: Readonly<Record<string, Sight>> = {
  "GET /v1/api-keys/{id}": ADMINS_SEE,
  "GET /v1/spaces/{id}": SEEN,
  "GET /v1/integrations/{id}": SEEN,
  "GET /v1/integrations/{id}/webhook": ADMINS_SEE,
  "GET /v1/repositories/{id}": SEEN,
  "GET /v1/stacks/{id}": SEEN,
  "GET /v1/modules/{id}": SEEN,
  "GET /v1/deliveries/{id}": SEEN,
  "GET /v1/deliveries/{id}/body": ADMINS_SEE,
  "GET /v1/events/{id}": SEEN,
  "GET /v1/decisions/{id}": SEEN,
  "GET /v1/pull-requests/{repository_id}/{number}": SEEN,
  "GET /v1/triggers/{id}": SEEN,
  "GET /v1/triggers/{id}/history": SEEN,
};

/** Who finds it in its list: 404 stands for a list without it. */
const LISTED: Readonly<Record<string, Sight>> = {
  "GET /v1/api-keys": ADMINS_SEE,
  "GET /v1/audit-log": ADMINS_SEE,
  "GET /v1/spaces": SEEN,
  "GET /v1/integrations": SEEN,
  "GET /v1/repositories": SEEN,
  "GET /v1/stacks": SEEN,
  "GET /v1/modules": SEEN,
  "GET /v1/deliveries": SEEN,
  "GET /v1/events": SEEN,
  "GET /v1/decisions": SEEN,
  "GET /v1/pull-requests": SEEN,
  "GET /v1/triggers": SEEN,
};

let api: TestApi;
const keys = new Map<string, { readonly id: string; readonly key: string }>();
/** One thing of each kind in each of two places, by the word that its path has. */
let things: Readonly<Record<"middle" | "apart", Readonly<Record<string, string>>>>;

beforeAll(async () => {
  const serverUrl = inject("postgresUrl");
  api = await createTestApi(await createTestDatabase({ serverUrl, migrate: migrateForApi, key: "api" }));
  const spaceIds = {
    middle: await addSpace(api, "middle"),
    below: await addSpace(api, "below", { parent: "middle" }),
    apart: await addSpace(api, "apart", { inherits: false }),
  };
  for (const space of SPACES) {
    for (const role of ROLES) keys.set(`${role} ${space}`, await makeKey(api, { name: role, role, space }));
  }
  things = {
    middle: await addThings("middle", spaceIds.middle, 1),
    apart: await addThings("apart", spaceIds.apart, 2),
  };
});

afterAll(() => api.close());

async function addThings(space: string, spaceId: string, position: number): Promise<Record<string, string>> {
  const { store } = api;
  const integrations = await addIntegration(api, `of ${space}`, space);
  const make = async (path: string) => {
    const body = aTarget("network", { space, integration: `of ${space}`, repository: `acme/${space}` });
    const answer = await api.call("POST", path, body);
    return z.object({ id: z.string(), repository_id: z.string() }).parse(answer.body);
  };
  const stack = await make("/v1/stacks");
  const { id: modules } = await make("/v1/modules");
  const triggers = await insertTrigger(store, { targetId: stack.id, position });
  const [row] = await store.sql<{ events: string; deliveries: string; decisions: string }[]>`
    SELECT events.id AS events, delivery_id AS deliveries, decisions.id AS decisions
    FROM sluice.decisions JOIN sluice.events ON events.id = decisions.event_id WHERE trigger_id = ${triggers}`;
  await store.sql`
    INSERT INTO sluice.delivery_bodies (delivery_id, headers, encoding, body)
    VALUES (${row!.deliveries}, '{}', 'brotli', decode(${compressBody(Buffer.from("{}")).base64}, 'base64'))`;
  await addPullRequest(store, { repositoryId: stack.repository_id, number: 1 });
  return {
    ...row!,
    "api-keys": keys.get(`read ${space}`)!.id,
    "pull-requests": stack.repository_id,
    repositories: stack.repository_id,
    spaces: spaceId,
    stacks: stack.id,
    integrations,
    modules,
    triggers,
  };
}

/** A request of every role in every space. */
async function askAll(
  ask: (headers: Readonly<Record<string, string>>) => Promise<number>,
): Promise<Record<Role, number[]>> {
  const answers: Record<Role, number[]> = { read: [], write: [], admin: [], scheduler: [] };
  for (const role of ROLES) {
    for (const space of SPACES) answers[role].push(await ask(headersOf(role, space)));
  }
  return answers;
}

function headersOf(role: Role, space: string): Record<string, string> {
  return { authorization: `Bearer ${keys.get(`${role} ${space}`)?.key ?? ""}`, "if-match": "*" };
}

describe("what each role may use", () => {
  test("every operation of the description is in the table, and asks for what the table says", async () => {
    const described = (await listOperations(api)).map(({ name, permission }) => [name, permission] as const);
    expect(Object.fromEntries(described)).toEqual(TABLE);
  });

  test.each(ROLES.flatMap((role) => SPACES.map((space) => [role, space] as const)))(
    "%s of the space %s: 403 for what the role may not, whatever the path names, and for nothing else",
    async (role, space) => {
      const wrong: string[] = [];
      for (const { name, method, path } of await listOperations(api)) {
        const permission = TABLE[name] ?? "admin";
        const isAllowed = ALLOWED[permission].includes(role);
        const body = ["POST", "PUT"].includes(method) ? {} : undefined;
        const { status } = await api.call(method, fillPath(path), body, headersOf(role, space));
        if ((status === 403) === isAllowed || status === 401 || status >= 500)
          wrong.push(`${name}: ${String(status)}`);
      }
      expect(wrong).toEqual([]);
    },
  );

  test("without a key there is nothing but 401", async () => {
    for (const { method, path } of await listOperations(api)) {
      const body = ["POST", "PUT"].includes(method) ? {} : undefined;
      const answer = await api.call(method, fillPath(path), body, { authorization: "" });
      expect(answer).toMatchObject({ status: 401, body: { type: "urn:sluice:problem:unauthorized" } });
    }
  });
});

describe.each(["middle", "apart"] as const)("who sees what is in the space %s", (place) => {
  test("every operation that shows something is in one of the tables", async () => {
    const shows = (await listOperations(api)).filter(({ method }) => method === "GET");
    expect(shows.map(({ name }) => name).toSorted()).toEqual(
      [...Object.keys(ONE), ...Object.keys(LISTED)].toSorted(),
    );
  });

  test.each(Object.keys(ONE))("%s", async (name) => {
    const path = fillPath(name.slice("GET ".length), things[place]);
    expect(await askAll(async (headers) => (await api.call("GET", path, undefined, headers)).status)).toEqual(
      ONE[name]?.[place],
    );
  });

  test.each(Object.keys(LISTED))("%s", async (name) => {
    const path = name.slice("GET ".length);
    const isListed = async (headers: Readonly<Record<string, string>>) => {
      const answer = await api.call("GET", `${path}?limit=200`, undefined, headers);
      return answer.status !== 200 || itemsOf(answer).some((item) => isOf(place, path, item))
        ? answer.status
        : 404;
    };
    expect(await askAll(isListed)).toEqual(LISTED[name]?.[place]);
  });

  test("out of reach is not found, whatever is done to it, and stays as it is", async () => {
    const strangers = place === "middle" ? ["below", "apart"] : ["middle", "below"];
    const wrong: string[] = [];
    for (const { name, method, path } of await listOperations(api)) {
      if (!path.includes("{")) continue;
      for (const space of strangers) {
        for (const role of ROLES) {
          const expected = ALLOWED[TABLE[name] ?? "admin"].includes(role) ? 404 : 403;
          const headers = headersOf(role, space);
          const { status } = await api.call(
            method,
            fillPath(path, things[place]),
            SAMPLE_BODIES[name],
            headers,
          );
          if (status !== expected) wrong.push(`${role} of ${space}: ${name}: ${String(status)}`);
        }
      }
    }
    expect(wrong).toEqual([]);
    for (const name of Object.keys(ONE)) {
      expect(await api.call("GET", fillPath(name.slice("GET ".length), things[place]))).toMatchObject({
        status: 200,
      });
    }
  });
});

test("the default integration is seen by everybody, and its details by admins of the root alone", async () => {
  const path = `/v1/integrations/${await addIntegration(api, "account", null)}`;
  const withDetails: string[] = [];
  const answers = await askAll(async (headers) => {
    const { status, body } = await api.call("GET", path, undefined, headers);
    const { details } = z.object({ details: z.unknown() }).parse(body);
    if (details !== null) withDetails.push(headers["authorization"] ?? "");
    return status;
  });
  expect(answers).toEqual({
    read: [200, 200, 200, 200],
    write: [200, 200, 200, 200],
    admin: [200, 200, 200, 200],
    scheduler: [200, 200, 200, 200],
  });
  expect(withDetails).toEqual([headersOf("admin", "root")["authorization"]]);
});

function itemsOf({ body }: Answer): readonly Readonly<Record<string, unknown>>[] {
  return z.object({ items: z.array(z.record(z.string(), z.unknown())) }).parse(body).items;
}

/** Whether an item of a list is the thing of a place. */
function isOf(place: "middle" | "apart", path: string, item: Readonly<Record<string, unknown>>): boolean {
  const ids = things[place];
  switch (path) {
    case "/v1/pull-requests":
      return JSON.stringify(item).includes(ids["repositories"] ?? "");
    case "/v1/audit-log":
      return item["space_id"] === ids["spaces"];
    default:
      return item["id"] === ids[path.split("/")[2] ?? ""];
  }
}
