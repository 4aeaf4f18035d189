/** What every repository of one simulated Bitbucket shares. */
import type { Account } from "./account.ts";
import type { JsonObject } from "./json.ts";
import type { RepositoryState } from "./repository-state.ts";
import type { SeededSource } from "./seeded-source.ts";
import type { WebhookEvent } from "./webhook-delivery.ts";

export interface Simulation {
  readonly source: SeededSource;
  /** Tells the hooks of the repository and of its workspace. */
  publish(repository: RepositoryState, eventKey: string, body: JsonObject): WebhookEvent;
}

/** What every action returns: the webhooks that Bitbucket sends for it, in its order, whether hooks listen or not. */
export interface ActionResult {
  readonly webhooks: readonly WebhookEvent[];
}

/** Who does it. Default: the owner of the repository, or the author of the pull request. */
export interface ActedBy {
  readonly by?: Account;
}
