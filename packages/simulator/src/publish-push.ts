/** What a push tells the world: its own webhook, then one for every open pull request whose source it moved. */
import { ownerOf, type RepositoryState } from "./repository-state.ts";
import type { Account } from "./account.ts";
import { markReviewed } from "./pull-request-state.ts";
import type { RefChange } from "./push.ts";
import type { Simulation } from "./simulation.ts";
import { pullRequestBody, pushBody } from "./webhook-body.ts";
import type { WebhookEvent } from "./webhook-delivery.ts";

/** Publishes the push and moves the pull requests along. `by` null = a push without an actor. */
export function publishPush(
  simulation: Simulation,
  repository: RepositoryState,
  push: { readonly changes: readonly RefChange[]; readonly by: Account | null },
): WebhookEvent[] {
  const webhooks = [simulation.publish(repository, "repo:push", pushBody(repository, push.changes, push.by))];
  for (const change of push.changes) {
    if (change.refKind !== "branch" || change.new === null) continue;
    for (const pull of repository.outgoing) {
      if (pull.sourceBranch !== change.name) continue;
      pull.sourceCommit = change.new.commit;
      markReviewed(pull);
      pull.updatedOn = simulation.source.now();
      const body = pullRequestBody(pull, push.by ?? ownerOf(repository));
      // The hooks of the destination hear of it, also when the push was to a fork.
      webhooks.push(simulation.publish(pull.destination, "pullrequest:updated", body));
    }
  }
  return webhooks;
}
