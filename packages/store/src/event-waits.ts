import { wantedFacts, type EventWaits } from "@sluice/domain/event-waits";

import type { Database } from "./client.ts";
import { findIntegrationStanding } from "./integration-standing.ts";
import { findPendingEvent } from "./pending-events.ts";
import { listTargetsByRepository } from "./targets.ts";

/** What an event waits for, as far as the store knows; null when there is no such event, or it is decided. */
export async function findEventWaits(db: Database, eventId: string): Promise<EventWaits | null> {
  const pending = await findPendingEvent(db, eventId);
  if (pending === null) return null;
  const { repositoryId, integrationId } = pending;
  if (repositoryId === null) return { for: [], integration: null };
  const targets = (await listTargetsByRepository(db, [repositoryId])).get(repositoryId) ?? [];
  const wanted = wantedFacts(pending, targets);
  return {
    for: wanted,
    integration: wanted.length === 0 ? null : await findIntegrationStanding(db, integrationId),
  };
}
