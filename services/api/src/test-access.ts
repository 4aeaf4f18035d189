/** Spaces and keys for tests of the API. Not for anything else. */
import type { Role } from "@sluice/domain/access";
import { z } from "zod";

import type { TestApi } from "./test-api.ts";

/** Makes a space in the database of a test. @returns its id. */
export async function addSpace(
  { store }: Pick<TestApi, "store">,
  name: string,
  { parent = "root", inherits = true }: { readonly parent?: string; readonly inherits?: boolean } = {},
): Promise<string> {
  const [row] = await store.sql<{ id: string }[]>`
    INSERT INTO sluice.spaces (name, parent_id, inherit_entities)
    SELECT ${name}, id, ${inherits} FROM sluice.spaces WHERE name = ${parent}
    RETURNING id`;
  if (row === undefined) throw new Error(`there is no space ${parent}`);
  return row.id;
}

/** Makes a key through the API. */
export async function makeKey(
  api: Pick<TestApi, "call">,
  key: { readonly name: string; readonly role: Role; readonly space: string },
): Promise<{ readonly id: string; readonly key: string }> {
  const { status, body } = await api.call("POST", "/v1/api-keys", key);
  if (status !== 201) throw new Error(`a key could not be made: ${JSON.stringify(body)}`);
  return z.object({ id: z.string(), key: z.string() }).parse(body);
}
