import type { PullRequestKey } from "@sluice/bitbucket/normalise-pull-request";
import type { Actor, PullRequestFacts, PullRequestReview, RepositoryFacts } from "@sluice/domain/event";
import type { RawDelivery } from "@sluice/queue/delivery-codec";

import { toSweepDelivery } from "./sweep-delivery.ts";

/** Something that happened to a pull request, and that no webhook told of. */
export interface MissedPullRequest {
  readonly integrationId: string;
  readonly repository: RepositoryFacts & { readonly id: string };
  readonly eventKey: PullRequestKey;
  /** As Bitbucket has it. */
  readonly pullRequest: PullRequestFacts;
  /** RFC 3339. */
  readonly foundAt: string;
}

/**
 * The delivery that Bitbucket would have sent. Its identity follows from what it says: whoever finds the pull request as it
 * was at that time makes the same delivery.
 */
export function toPullRequestDelivery(missed: MissedPullRequest): RawDelivery {
  const { integrationId, repository, eventKey, pullRequest, foundAt } = missed;
  return toSweepDelivery({
    integrationId,
    identity: `${repository.id}-pull-request-${String(pullRequest.number)}-${pullRequest.updatedOn}`,
    eventKey,
    body: toBody(missed),
    foundAt,
  });
}

/** In the shape of its key. Who did it is not known. */
function toBody({ repository, pullRequest }: MissedPullRequest): object {
  const { source, destination, mergeSha, reviews } = pullRequest;
  return {
    repository: toRepository(repository),
    pullrequest: {
      type: "pullrequest",
      id: pullRequest.number,
      title: pullRequest.title,
      state: pullRequest.state,
      draft: pullRequest.isDraft,
      author: toAccount(pullRequest.author),
      created_on: pullRequest.createdOn,
      updated_on: pullRequest.updatedOn,
      source: {
        branch: { name: source.branch },
        commit: toCommit(source.sha),
        repository: source.repository === null ? null : toRepository(source.repository),
      },
      destination: {
        branch: { name: destination.branch },
        commit: toCommit(destination.sha),
        repository: toRepository(repository),
      },
      merge_commit: toCommit(mergeSha),
      links: pullRequest.url === null ? {} : { html: { href: pullRequest.url } },
      // Lists leave them out, which does not say that there are none.
      ...(reviews === null ? {} : { participants: reviews.map(toParticipant) }),
    },
  };
}

function toRepository({ uuid, fullName }: RepositoryFacts): object {
  return { type: "repository", uuid, full_name: fullName };
}

function toCommit(hash: string | null): object | null {
  return hash === null ? null : { type: "commit", hash };
}

function toAccount(actor: Actor | null): object | null {
  return actor === null ? null : { type: actor.kind, uuid: actor.uuid, display_name: actor.displayName };
}

function toParticipant({ userUuid, state, participatedOn }: PullRequestReview): object {
  return {
    type: "participant",
    user: userUuid === null ? null : { type: "user", uuid: userUuid },
    approved: state === "approved",
    state: state === "none" ? null : state,
    participated_on: participatedOn,
  };
}
