/** Integrations, and requests that meet each other, for tests of spaces and of what is in them. Not for anything else. */
import { lockDeclaredState } from "@sluice/store/declared-state";
import { withTransaction, type Transaction } from "@sluice/store/transaction";
import { expect } from "vitest";
import { z } from "zod";

import type { TestApi } from "./test-api.ts";

/** Makes an integration in the database of a test; `space` null: the default one. @returns its id. */
export async function addIntegration(
  { store }: Pick<TestApi, "store">,
  name: string,
  space: string | null,
): Promise<string> {
  const [row] = await store.sql<{ id: string }[]>`
    INSERT INTO sluice.integrations (name, slug, space_id, credential_kind)
    SELECT ${name}, ${name}, (SELECT id FROM sluice.spaces WHERE name = ${space}), 'access_token'
    RETURNING id`;
  if (row === undefined) throw new Error("nothing was inserted");
  return row.id;
}

/** How a key is sent. */
export function bearer(key: string): Record<string, string> {
  return { authorization: `Bearer ${key}` };
}

/** A stack or a module to send, of the default integration. */
export function aTarget(name: string, more: object = {}) {
  return { name, repository: "acme/infrastructure", tracked_branch: "main", ...more };
}

/** Both resources, for `describe.each`. */
export const TARGET_PATHS = [
  { kind: "stack", path: "/v1/stacks" },
  { kind: "module", path: "/v1/modules" },
] as const;

/** The statuses of requests that were sent at once, the lowest first. */
export function statusesOf(answers: readonly { readonly status: number }[]): number[] {
  return answers.map(({ status }) => status).toSorted((a, b) => a - b);
}

/** The names in a page of a list. */
export function namesOf(body: unknown): string[] {
  const { items } = z.object({ items: z.array(z.object({ name: z.string() })) }).parse(body);
  return items.map(({ name }) => name);
}

/** Sends a change, and does something else to the database once it has come as far as the lock: it is done before it. */
export async function overtake<Answer>(
  { store }: Pick<TestApi, "store">,
  send: () => Promise<Answer>,
  overtaking: (tx: Transaction) => Promise<unknown>,
): Promise<Answer> {
  return withTransaction(store, async (tx) => {
    await lockDeclaredState(tx);
    const answered = send();
    const countWaiting = async () => {
      const [row] = await store.sql<{ waiting: number }[]>`
        SELECT count(*)::int AS waiting FROM pg_locks
        WHERE locktype = 'advisory' AND NOT granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
      return row?.waiting;
    };
    await expect.poll(countWaiting).toBe(1);
    await overtaking(tx);
    return { answered };
  }).then(({ answered }) => answered);
}
