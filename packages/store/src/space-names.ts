import type { Database } from "./client.ts";

/** A space by its name; null when there is none. */
export async function findSpaceNamed(
  db: Database,
  name: string,
): Promise<{ readonly id: string; readonly name: string } | null> {
  const [row] = await db.sql<{ id: string; name: string }[]>`
    SELECT id, name FROM sluice.spaces WHERE name = ${name}`;
  return row ?? null;
}
