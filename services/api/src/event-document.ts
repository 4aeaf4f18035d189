/** Events as the API shows them. */
import { z } from "@hono/zod-openapi";
import { describeWaits, type EventWaits } from "@sluice/domain/event-waits";
import type { EventReport } from "@sluice/store/delivery-reports";
import type { EventExplanation, ExplainedDecision, ExplainedEvent } from "@sluice/store/event-explanations";
import type { EventRecord } from "@sluice/store/event-records";

import { decisionSchema, toDecisionDocument } from "./decision-document.ts";

/** What an event can be. */
export const EVENT_KINDS = ["push", "pull_request", "unsupported"] as const;

/** What is shown of every event. */
export const eventFields = {
  id: z.guid(),
  index: z.int().openapi({ description: "Its place within the delivery, from 0." }),
  kind: z.enum(EVENT_KINDS),
  repository: z
    .string()
    .nullable()
    .openapi({ description: "`workspace/slug`; null: its key is not acted on, and its body not read." }),
  ref_kind: z.string().nullable().openapi({ description: "`branch`, `tag` or `other`; null: no push." }),
  ref_name: z.string().nullable(),
  change: z.string().nullable().openapi({ description: "`created`, `updated` or `deleted`; null: no push." }),
  old_sha: z.string().nullable(),
  new_sha: z
    .string()
    .nullable()
    .openapi({ description: "What a push came to; of a pull request its head, 12 digits as a rule." }),
  action: z
    .string()
    .nullable()
    .openapi({ description: "What happened to a pull request, `opened` say; null: another event." }),
  pull_request_number: z.int().nullable(),
  decided_at: z.iso.datetime().nullable().openapi({ description: "Null: not yet." }),
  url: z.string(),
} as const;

const recordFields = {
  delivery_id: z.guid(),
  event_key: z.string().openapi({ example: "repo:push" }),
  repository_id: z.guid().nullable(),
  received_at: z.iso.datetime(),
} as const;

export const eventSchema = z.object({ ...eventFields, ...recordFields }).openapi("Event");

const actorSchema = z.object({ uuid: z.string().nullable(), display_name: z.string().nullable() });

const pullRequestSchema = z.object({
  title: z.string(),
  url: z.string().nullable().openapi({ description: "Its page at Bitbucket." }),
  state: z.string(),
  source_branch: z.string(),
  source_sha: z.string().nullable(),
  destination_branch: z.string(),
  destination_sha: z.string().nullable(),
  merge_sha: z.string().nullable(),
  fork: z
    .object({ full_name: z.string().nullable() })
    .nullable()
    .openapi({ description: "Null: it comes from the repository itself." }),
  pull_request_url: z.string().nullable().openapi({ description: "What is known of it by now." }),
});

const waitsSchema = z.object({
  for: z
    .array(z.string())
    .openapi({ description: "What Bitbucket has to tell first; none: a worker has not come to it." }),
  blocked_until: z.iso
    .datetime()
    .nullable()
    .openapi({ description: "Bitbucket is not asked before; null: nothing is known to forbid it." }),
  sentence: z.string(),
});

export const explainedEventSchema = z
  .object({
    ...eventFields,
    ...recordFields,
    forced: z.boolean(),
    actor: actorSchema.nullable(),
    commit: z
      .object({
        sha: z.string(),
        message: z.string(),
        author: z.string().nullable(),
        url: z.string().nullable(),
      })
      .nullable(),
    pull_request: pullRequestSchema
      .nullable()
      .openapi({ description: "As the event told of it; null: it is about none." }),
    comment: z
      .object({ id: z.int(), text: z.string() })
      .nullable()
      .openapi({ description: "Of a comment its command line." }),
    decisions: z
      .array(decisionSchema)
      .openapi({ description: "About stacks and modules within your reach: what runs first." }),
    has_more_decisions: z.boolean().openapi({ description: "`GET /v1/decisions?event_id=` has them all." }),
    waits: waitsSchema.nullable().openapi({ description: "Why it is not decided; null: it is." }),
  })
  .openapi("ExplainedEvent");

/** What is shown of every event. */
export function toEventFields(event: Omit<EventReport, "decisions">) {
  const { id, index, repository, change, action } = event;
  return {
    id,
    index,
    kind: z.enum(EVENT_KINDS).parse(event.kind),
    repository,
    ref_kind: event.refKind,
    ref_name: event.refName,
    change,
    old_sha: event.oldSha,
    new_sha: event.newSha,
    action,
    pull_request_number: event.pullRequestNumber,
    decided_at: event.decidedAt,
    url: `/v1/events/${id}`,
  };
}

/** An event without its decisions. */
export function toEventDocument(event: EventRecord): z.infer<typeof eventSchema> {
  return {
    ...toEventFields(event),
    delivery_id: event.deliveryId,
    event_key: event.eventKey,
    repository_id: event.repositoryId,
    received_at: event.receivedAt,
  };
}

/** An event with what it meant, or with what it waits for. */
export function toExplainedEvent(
  { delivery, decisions, hasMoreDecisions }: EventExplanation,
  event: ExplainedEvent,
  waits: EventWaits | null,
): z.infer<typeof explainedEventSchema> {
  const { forced, actor, commit, comment } = event;
  const toDocument = ({ trigger, ...decision }: ExplainedDecision) =>
    toDecisionDocument({
      ...decision,
      eventId: event.id,
      deliveryId: delivery.id,
      triggerId: trigger?.id ?? null,
    });
  return {
    ...toEventFields(event),
    delivery_id: delivery.id,
    event_key: delivery.eventKey,
    repository_id: event.repositoryId,
    received_at: delivery.receivedAt,
    forced,
    actor: actor === null ? null : { uuid: actor.uuid, display_name: actor.displayName },
    commit:
      commit === null
        ? null
        : { sha: commit.sha, message: commit.message, author: commit.author, url: commit.url },
    pull_request: toPullRequest(event),
    comment: comment === null ? null : { id: comment.id, text: comment.text },
    decisions: decisions.map(toDocument),
    has_more_decisions: hasMoreDecisions,
    waits:
      waits === null
        ? null
        : {
            for: [...waits.for],
            blocked_until: waits.integration?.refused?.nextCheckAt ?? waits.integration?.blockedUntil ?? null,
            sentence: describeWaits(waits),
          },
  };
}

function toPullRequest({ pullRequest, repositoryId, pullRequestNumber }: ExplainedEvent) {
  if (pullRequest === null) return null;
  const { title, url, state, source, destination, mergeSha, fork, present } = pullRequest;
  return {
    title,
    url,
    state,
    source_branch: source.branch,
    source_sha: source.sha,
    destination_branch: destination.branch,
    destination_sha: destination.sha,
    merge_sha: mergeSha,
    fork: fork === null ? null : { full_name: fork.fullName },
    pull_request_url:
      present === null || repositoryId === null || pullRequestNumber === null
        ? null
        : pullRequestUrl(repositoryId, pullRequestNumber),
  };
}

/** Where a pull request is found here. */
export function pullRequestUrl(repositoryId: string, number: number): string {
  return `/v1/pull-requests/${repositoryId}/${String(number)}`;
}
