/** What came of three spaces, for tests of what the API tells of it. Not for anything else. */
import { randomUUID } from "node:crypto";

import type { Store } from "@sluice/store/client";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";
import { insertTrigger, shaOf } from "@sluice/store/test-trigger-fixtures";
import { expect } from "vitest";
import { z } from "zod";

import { addSpace, makeKey } from "./test-access.ts";
import type { Answer, TestApi } from "./test-api.ts";

/** Spaces: `middle` is below the root and has `below`; `beside` is below the root too. */
export type SpaceName = "root" | "middle" | "below" | "beside";

export interface ReadModels {
  /** The space-level integration of `middle`, and the default one. */
  readonly integrations: { readonly ofMiddle: string; readonly default: string };
  /** `middle` has `network` of acme/infra; `below` has `dns`, and `beside` has `web`, both of acme/dns at the default one. */
  readonly targets: { readonly network: string; readonly dns: string; readonly web: string };
  readonly repositories: { readonly infra: string; readonly dns: string };
  /** One trigger of each target, of an event and a delivery of its own. */
  readonly triggers: { readonly network: string; readonly dns: string; readonly web: string };
  /** Those that the triggers came of. */
  readonly events: { readonly network: string; readonly dns: string; readonly web: string };
  readonly deliveries: { readonly network: string; readonly dns: string; readonly web: string };
  /** A request with a `read` key of a space. */
  as(space: SpaceName, path: string): Promise<Answer>;
}

/** The positions of the triggers of the three targets, and so `shaOf` their commits. */
export const POSITION = { network: 101, dns: 102, web: 103 } as const;

/** Fills the database of an API that has nothing yet. */
export async function arrangeReadModels(api: TestApi): Promise<ReadModels> {
  const { store } = api;
  const middle = await addSpace(api, "middle");
  const below = await addSpace(api, "below", { parent: "middle" });
  const beside = await addSpace(api, "beside");
  const ofMiddle = await addIntegration(store, "of-middle", middle);
  const byDefault = await addIntegration(store, "by-default", null);
  const target = async (name: string, spaceId: string, integrationId: string, repository: string) => {
    const id = await insertStack(store, { integrationId, repository, name });
    await store.sql`UPDATE sluice.targets SET space_id = ${spaceId} WHERE id = ${id}`;
    return id;
  };
  const targets = {
    network: await target("network", middle, ofMiddle, "acme/infra"),
    dns: await target("dns", below, byDefault, "acme/dns"),
    web: await target("web", beside, byDefault, "acme/dns"),
  };
  const triggers = {
    network: await insertTrigger(store, { targetId: targets.network, position: POSITION.network }),
    dns: await insertTrigger(store, { targetId: targets.dns, position: POSITION.dns }),
    web: await insertTrigger(store, { targetId: targets.web, position: POSITION.web }),
  };
  const keys = new Map<SpaceName, string>();
  for (const space of ["root", "middle", "below", "beside"] as const) {
    keys.set(space, (await makeKey(api, { name: `reader of ${space}`, role: "read", space })).key);
  }
  return {
    integrations: { ofMiddle, default: byDefault },
    targets,
    repositories: {
      infra: await repositoryOf(store, targets.network),
      dns: await repositoryOf(store, targets.dns),
    },
    triggers,
    events: {
      network: (await eventOf(store, triggers.network)).id,
      dns: (await eventOf(store, triggers.dns)).id,
      web: (await eventOf(store, triggers.web)).id,
    },
    deliveries: {
      network: (await eventOf(store, triggers.network)).deliveryId,
      dns: (await eventOf(store, triggers.dns)).deliveryId,
      web: (await eventOf(store, triggers.web)).deliveryId,
    },
    as: (space, path) =>
      api.call("GET", path, undefined, { authorization: `Bearer ${keys.get(space) ?? ""}` }),
  };
}

/** What the target's event meant for another one too: nothing. @returns the decision's id. */
export async function addDecision(
  store: Store,
  decision: {
    readonly eventId: string;
    readonly targetId: string | null;
    readonly reason: string;
    readonly outcome?: "ignore" | "hold";
  },
): Promise<string> {
  const { eventId, targetId, reason, outcome = "ignore" } = decision;
  const [row] = await store.sql<{ id: string }[]>`
    INSERT INTO sluice.decisions (event_id, target_id, outcome, run_type, reason, evidence)
    VALUES (${eventId}, ${targetId}, ${outcome}, ${outcome === "hold" ? "tracked" : null}, ${reason}, '{}')
    RETURNING id`;
  return only(row).id;
}

/** A pull request as the store has it. */
export async function addPullRequest(
  store: Store,
  pullRequest: {
    readonly repositoryId: string;
    readonly number: number;
    readonly state?: string;
    readonly sourceBranch?: string;
    readonly reviews?: readonly object[];
  },
): Promise<void> {
  const { repositoryId, number, state = "OPEN", sourceBranch = "feature", reviews = [] } = pullRequest;
  await store.sql`
    INSERT INTO sluice.pull_requests
      (repository_id, number, title, state, author, url, created_on, updated_on, source_repository_id, source_branch, source_sha,
       destination_branch, destination_sha, reviews, head_arrival)
    VALUES (${repositoryId}, ${number}, 'Wider subnets', ${state}, '{"uuid": "{author}", "displayName": "Ada", "kind": "user"}',
            NULL, now(), now(), ${repositoryId}, ${sourceBranch}, ${shaOf(number)}, 'main', NULL,
            ${JSON.stringify(reviews)}::text::jsonb, 1)`;
}

const pageSchema = z.object({
  items: z.array(z.record(z.string(), z.unknown())),
  next_cursor: z.string().nullable(),
});

/** The items of the one page that a list is asked for. */
export async function itemsOf(answer: Promise<Answer>): Promise<readonly Record<string, unknown>[]> {
  return pageSchema.parse((await answer).body).items;
}

/** The ids of the same. */
export async function idsOf(answer: Promise<Answer>): Promise<unknown[]> {
  return (await itemsOf(answer)).map(({ id }) => id);
}

/** The items of all pages of a list; `meanwhile` is done after each page. `path` has a query. */
export async function readPages(
  api: TestApi,
  path: string,
  meanwhile: () => Promise<unknown> = () => Promise.resolve(),
): Promise<readonly Record<string, unknown>[]> {
  const items: Record<string, unknown>[] = [];
  for (let next: string | null = ""; next !== null; await meanwhile()) {
    const { body } = await api.call("GET", `${path}${next === "" ? "" : `&cursor=${next}`}`);
    const page = pageSchema.parse(body);
    items.push(...page.items);
    next = page.next_cursor;
  }
  return items;
}

/** Each is a query, and the one field that is wrong with it. */
export async function expectRefused(
  api: TestApi,
  path: string,
  queries: readonly (readonly [query: string, field: string])[],
): Promise<void> {
  for (const [query, field] of queries) {
    const { status, body } = await api.call("GET", `${path}?${query}`);
    expect({ query, status, body }).toMatchObject({
      query,
      status: 400,
      body: { type: "urn:sluice:problem:invalid_request", errors: [{ field }] },
    });
  }
}

/** Cursors that are of no list. */
export const BAD_CURSORS = [
  ["cursor=x", "cursor"],
  [`cursor=${Buffer.from('{"id":"x"}').toString("base64url")}`, "cursor"],
  [`cursor=${Buffer.from('{"id":null}').toString("base64url")}`, "cursor"],
  ["limit=0", "limit"],
  ["limit=201", "limit"],
  ["unknown=1", "unknown"],
] as const;

async function addIntegration(store: Store, slug: string, spaceId: string | null): Promise<string> {
  const id = randomUUID();
  await insertIntegration(store, { id, slug, webhookSecretCiphertext: "-" });
  await store.sql`UPDATE sluice.integrations SET space_id = ${spaceId} WHERE id = ${id}`;
  return id;
}

async function repositoryOf(store: Store, targetId: string): Promise<string> {
  const [row] = await store.sql<{ repositoryId: string }[]>`
    SELECT repository_id FROM sluice.targets WHERE id = ${targetId}`;
  return only(row).repositoryId;
}

async function eventOf(store: Store, triggerId: string): Promise<{ id: string; deliveryId: string }> {
  const [row] = await store.sql<{ id: string; deliveryId: string }[]>`
    SELECT events.id, delivery_id FROM sluice.events JOIN sluice.triggers ON triggers.event_id = events.id
    WHERE triggers.id = ${triggerId}`;
  return only(row);
}

function only<Row>(row: Row | undefined): Row {
  if (row === undefined) throw new Error("there is no such row");
  return row;
}
