import type { Database } from "./client.ts";

/** Whose a trigger is. */
export interface TriggerOwner {
  readonly spaceId: string;
  readonly targetName: string;
}

/** The space of a trigger's target; null when there is no such trigger. */
export async function findTriggerOwner(db: Database, id: string): Promise<TriggerOwner | null> {
  const [row] = await db.sql<TriggerOwner[]>`
    SELECT targets.space_id, targets.name AS target_name
    FROM sluice.triggers JOIN sluice.targets ON targets.id = triggers.target_id
    WHERE triggers.id = ${id}`;
  return row ?? null;
}
