import { insertAuditEntries } from "@sluice/store/audit-log";
import { findSpaceOfDelivery } from "@sluice/store/delivery-reports";
import type { Transaction } from "@sluice/store/transaction";

import type { Recording } from "./recording.ts";

/** Notes in the audit log that a delivery's replay is written. Only the command line replays. */
export async function recordReplay(tx: Transaction, { delivery }: Recording, by: string): Promise<void> {
  const { id, requestId, eventKey } = delivery;
  const actor = { kind: "command_line", keyId: null, name: by, address: null } as const;
  const subject = { kind: "delivery", id, name: requestId };
  const spaceId = await findSpaceOfDelivery(tx, id);
  const details = { event_key: eventKey };
  await insertAuditEntries(tx, actor, [{ action: "delivery.replayed", subject, spaceId, details }]);
}
