/** Repositories as the API shows them: what came from each, what never did, and what a person can mend. */
import { z } from "@hono/zod-openapi";
import { isWithinReach, mayDo, type Access } from "@sluice/domain/access";
import { adviseOnCommitLinks } from "@sluice/domain/commit-links";
import { RECOMMENDED_BOXES, REQUIRED_BOXES } from "@sluice/domain/webhook-events";
import type { LastDelivery, LastFailure, RepositoryRecord } from "@sluice/store/repository-records";

const time = z.iso.datetime();

const boxShape = {
  event_key: z.string(),
  box: z.string().openapi({
    description: "What is written beside the box on Bitbucket's page of a webhook.",
    example: "Approval removed",
  }),
};

export const repositorySchema = z
  .object({
    id: z.guid(),
    uuid: z
      .string()
      .nullable()
      .openapi({ description: "Bitbucket's, with braces; null: nothing has come from it yet." }),
    full_name: z.string().openapi({ description: "`workspace/slug`, as Bitbucket last wrote it." }),
    integration: z.string(),
    integration_id: z.guid(),
    targets: z
      .object({ stacks: z.int(), modules: z.int() })
      .openapi({ description: "How many of it are within your reach." }),
    commit_links: z.object({
      state: z.enum(["available", "not_installed", "not_known"]).openapi({
        description: "Whether Bitbucket can tell the pull requests of a commit.",
      }),
      checked_at: time.nullable(),
      advice: z.string().nullable().openapi({ description: "What to click; null: nothing." }),
    }),
    sweep: z
      .object({
        swept_at: time.nullable().openapi({ description: "Null: never." }),
        found: z.int().openapi({
          description:
            "What the last sweep recovered, since no webhook had told it: a hint that one is missing.",
        }),
        failure: z
          .object({ code: z.string(), message: z.string(), since: time })
          .nullable()
          .openapi({ description: "Why the last sweep could not look; null: it could." }),
      })
      .openapi({ description: "The last comparison with what Bitbucket has." }),
    last_deliveries: z
      .array(z.object({ ...boxShape, at: time, delivery_id: z.guid() }))
      .openapi({ description: "The last webhook delivery of each kind, as far as deliveries are kept." }),
    never_seen: z.array(z.object({ ...boxShape, is_required: z.boolean() })).openapi({
      description:
        "What no webhook has told. It may just not have happened; `webhooks` says whether the box is checked.",
    }),
    last_failed_delivery: z
      .object({
        delivery_id: z.guid(),
        event_key: z.string(),
        at: time,
        code: z.string(),
        message: z.string(),
      })
      .nullable()
      .openapi({
        description:
          "The last one of its integration that could not be read, among the last thousand; null also where the integration is out of your reach.",
      }),
    webhooks: z
      .object({
        checked_at: time,
        drift: z.array(
          z.object({
            kind: z.string(),
            hook_id: z.string().nullable(),
            detail: z.string().nullable().openapi({
              description: "Null for everybody but admins of the integration: it may name the endpoint.",
            }),
          }),
        ),
        unreadable: z
          .string()
          .nullable()
          .openapi({ description: "Why they could not be read; null: they were." }),
      })
      .nullable()
      .openapi({ description: "What was last seen of its webhooks at Bitbucket; null: nobody has looked." }),
  })
  .openapi("Repository");

export type RepositoryDocument = z.infer<typeof repositorySchema>;

const BOXES = [
  ...REQUIRED_BOXES.map((box) => ({ ...box, isRequired: true })),
  ...RECOMMENDED_BOXES.map((box) => ({ ...box, isRequired: false })),
];

/** The keys that Sluice makes something of. */
export const KNOWN_EVENT_KEYS: readonly string[] = BOXES.map(({ key }) => key);

/** A repository as somebody sees it. `last`: its deliveries; `failure`: the last one of its integration. */
export function toRepositoryDocument(
  record: RepositoryRecord,
  { last, failure }: { readonly last: readonly LastDelivery[]; readonly failure: LastFailure | null },
  { reach, role }: Access,
): RepositoryDocument {
  const isOwner = isWithinReach(reach, record.integrationSpaceId);
  const byKey = new Map(last.map((each) => [each.eventKey, each]));
  return {
    id: record.id,
    uuid: record.uuid,
    full_name: record.fullName,
    integration: record.integration,
    integration_id: record.integrationId,
    targets: { stacks: record.stacks, modules: record.modules },
    commit_links: {
      state: record.commitLinks ?? "not_known",
      checked_at: record.commitLinksCheckedAt,
      advice: record.commitLinks === "not_installed" ? adviseOnCommitLinks(record.fullName) : null,
    },
    sweep: { swept_at: record.sweptAt, found: record.found, failure: record.sweepFailure },
    last_deliveries: BOXES.flatMap(({ key, box }) => {
      const seen = byKey.get(key);
      if (seen === undefined) return [];
      return [{ event_key: key, box, at: seen.receivedAt, delivery_id: seen.deliveryId }];
    }),
    never_seen: BOXES.filter(({ key }) => !byKey.has(key)).map(({ key, box, isRequired }) => ({
      event_key: key,
      box,
      is_required: isRequired,
    })),
    last_failed_delivery: isOwner && failure !== null ? toFailureDocument(failure) : null,
    webhooks: toHooksDocument(record.hooks, isOwner && mayDo(role, "admin")),
  };
}

function toFailureDocument({ deliveryId, eventKey, receivedAt, failure }: LastFailure) {
  const { code, message } = failure;
  return { delivery_id: deliveryId, event_key: eventKey, at: receivedAt, code, message };
}

function toHooksDocument(
  hooks: RepositoryRecord["hooks"],
  isDetailed: boolean,
): RepositoryDocument["webhooks"] {
  if (hooks === null) return null;
  return {
    checked_at: hooks.checkedAt,
    drift: hooks.drift.map(({ kind, hookId, detail }) => ({
      kind,
      hook_id: hookId,
      detail: isDetailed ? detail : null,
    })),
    unreadable: hooks.unreadable,
  };
}
