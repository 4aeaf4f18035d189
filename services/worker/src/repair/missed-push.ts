import type { CommitFacts } from "@sluice/domain/event";
import type { RawDelivery } from "@sluice/queue/delivery-codec";

import { toSweepDelivery } from "./sweep-delivery.ts";

/** A push that no webhook told of, as far as it can be told from both its ends. */
export interface MissedPush {
  readonly integrationId: string;
  readonly repository: { readonly id: string; readonly uuid: string; readonly fullName: string };
  readonly branch: string;
  /** Where we have the branch; null: nowhere. */
  readonly oldSha: string | null;
  /** By which it came there. */
  readonly arrivalSequence: number;
  /** Where Bitbucket has it; null: it is gone. */
  readonly head: CommitFacts | null;
  /** RFC 3339. */
  readonly foundAt: string;
}

/**
 * The delivery that Bitbucket would have sent. Its identity follows from what it says: whoever finds the same push, from the
 * same arrival of the branch, makes the same delivery.
 */
export function toDelivery(push: MissedPush): RawDelivery {
  const { integrationId, repository, branch, oldSha, arrivalSequence, head } = push;
  const ends = `${oldSha ?? "absent"}-${head?.sha ?? "absent"}`;
  return toSweepDelivery({
    integrationId,
    identity: `${repository.id}-${branch}-${ends}-${String(arrivalSequence)}`,
    eventKey: "repo:push",
    body: toBody(push),
    foundAt: push.foundAt,
  });
}

/** In the shape of `repo:push`. Who pushed is not known, nor whether by force. */
function toBody({ repository, branch, oldSha, head }: MissedPush): object {
  const ref = { type: "branch", name: branch };
  const change = {
    old: oldSha === null ? null : { ...ref, target: { type: "commit", hash: oldSha } },
    new: head === null ? null : { ...ref, target: toTarget(head) },
    created: oldSha === null,
    closed: head === null,
    forced: false,
  };
  return {
    repository: { type: "repository", uuid: repository.uuid, full_name: repository.fullName },
    push: { changes: [change] },
  };
}

function toTarget({ sha, message, author, date, url }: CommitFacts): object {
  return {
    type: "commit",
    hash: sha,
    message,
    date,
    ...(author === null ? {} : { author: { raw: author } }),
    ...(url === null ? {} : { links: { html: { href: url } } }),
  };
}
