import { lockReplay, removeDelivery } from "@sluice/store/replayed-deliveries";
import { lockKnownRepositories } from "@sluice/store/repositories";
import type { Transaction } from "@sluice/store/transaction";
import { lockOutClaims } from "@sluice/store/triggers";

import { recordAndDecide } from "../record/record-and-decide.ts";
import type { ReplayOptions } from "./decide-again.ts";
import { recordReplay } from "./record-replay.ts";
import { refuseChanged, type Recording } from "./recording.ts";
import { readOutcome, reportReplay, type ReplayReport } from "./replay-report.ts";
import { tryInTransaction, type Trial } from "./trial-transaction.ts";

/**
 * Records a delivery that gave no event that was acted on, as if it came now; when it was received stays. Events about
 * which Bitbucket is to be asked, and those of other deliveries that are to be decided anew, are left undecided: a worker
 * finds them.
 */
export async function recordAgain(recording: Recording, options: ReplayOptions): Promise<ReplayReport> {
  return tryInTransaction(options.store, (tx) => replace(tx, recording, options));
}

async function replace(
  tx: Transaction,
  recording: Recording,
  { apply, by, maxTriggersPerEvent }: ReplayOptions,
): Promise<Trial<ReplayReport>> {
  const { delivery, read } = recording;
  const deliveryId = delivery.id;
  await lockReplay(tx, deliveryId);
  const repositories = await lockKnownRepositories(tx, repositoriesOf(recording));
  const repositoryIds = [...repositories.values()].map(({ id }) => id);
  // So that whatever becomes of other triggers is the replay's doing.
  await lockOutClaims(tx);
  await refuseChanged(tx, recording);
  const before = await readOutcome(tx, deliveryId, repositoryIds);
  await removeDelivery(tx, deliveryId);
  const { waiting } = await recordAndDecide(tx, [read], { maxTriggersPerEvent });
  const after = await readOutcome(tx, deliveryId, repositoryIds);
  const report = await reportReplay(tx, {
    deliveryId,
    before,
    after,
    outlived: new Map(),
    waiting: new Set(waiting.map(({ id }) => id)),
  });
  if (apply) await recordReplay(tx, recording, by);
  return { keep: apply, result: { ...report, isApplied: apply } };
}

function repositoriesOf({ delivery: { integrationId }, read: { events } }: Recording) {
  return events.flatMap((event) => {
    if (event.kind === "unsupported") return [];
    const source = event.kind === "pull_request" ? event.pullRequest.source.repository : null;
    return [event.repository, ...(source === null ? [] : [source])].map((one) => ({ integrationId, ...one }));
  });
}
