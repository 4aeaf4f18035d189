/** What requests for webhooks say, and what they are answered. */
import { z } from "@hono/zod-openapi";
import { HOOK_DRIFT_KINDS } from "@sluice/domain/webhook-plan";

import { storable } from "./body-text.ts";

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 50;
const MAX_NAME_LENGTH = 256;
const MAX_DIGEST_LENGTH = 60_000;

const named = (pattern: RegExp, shape: string) =>
  storable(
    z
      .string()
      .max(MAX_NAME_LENGTH)
      .regex(pattern, { error: `has to be ${shape}` }),
  );

const scopeSchema = z
  .union([
    z.strictObject({
      repository: named(/^[^/\s]+\/[^/\s]+$/, "workspace/slug").openapi({ example: "acme/infra" }),
    }),
    z.strictObject({
      workspace: named(/^[^/\s]+$/, "the slug of a workspace").openapi({ example: "acme" }),
    }),
    z.literal("targets"),
  ])
  .openapi({
    description:
      "One repository; the webhook of a workspace itself, which fires for all of its repositories, later ones too; or every repository that a stack or module of the integration uses.",
  });

const fields = {
  scope: scopeSchema,
  remove: z.boolean().default(false).openapi({ description: "Delete the webhooks instead." }),
  renew_secret: z
    .boolean()
    .default(false)
    .openapi({ description: "Give each webhook the present secret, as after a rotation." }),
  cursor: z.guid().optional().openapi({ description: "`next_cursor` of the page before, of `targets`." }),
};

/** Of plan. */
export const planRequestSchema = z
  .strictObject({
    ...fields,
    limit: z.int().min(1).max(MAX_LIMIT).default(DEFAULT_LIMIT).openapi({
      description: "Repositories in a page of `targets`. Fewer are answered where Bitbucket is slow.",
    }),
  })
  .refine(({ remove, renew_secret: renews }) => !(remove && renews), {
    path: ["renew_secret"],
    error: "is not to be had together with remove",
  })
  .openapi("WebhookPlanRequest");

/** Of apply. */
export const applyRequestSchema = z
  .strictObject({
    ...fields,
    plan_digest: z
      .string()
      .max(MAX_DIGEST_LENGTH)
      .openapi({ description: "As the plan answered it: what you have seen, and nothing else, is done." }),
  })
  .openapi("WebhookApplyRequest");

const actionSchema = z
  .object({
    kind: z.enum(["create", "update", "delete"]),
    hook_id: z.string().nullable().openapi({ description: "Bitbucket's uid; null: it is to be made." }),
    reasons: z
      .array(z.enum([...HOOK_DRIFT_KINDS, "recommended_events", "secret_renewed", "removed"]))
      .openapi({ description: "The drift that it mends, or what was asked for." }),
    current_url: z.string().nullable(),
    url: z.string().nullable().openapi({ description: "Where it will send to; null: nowhere." }),
    title: z.string().nullable(),
    events: z.array(z.string()),
  })
  .openapi("WebhookAction", {
    description:
      "What is made or changed is active, checks certificates, and gets the secret of the integration.",
  });

const manualSchema = z
  .object({
    page: z.url(),
    title: z.string(),
    url: z.string(),
    boxes: z.array(z.string()).openapi({ description: "To be checked, as Bitbucket's page names them." }),
    recommended_boxes: z.array(z.string()),
    secret_at: z.string().openapi({ description: "Where an admin of the integration reads the secret." }),
    steps: z.array(z.string()),
  })
  .openapi("WebhookManualSteps", {
    description: "For a person, because the credential may not. To be done in this order.",
  });

const itemFields = {
  kind: z.enum(["repository", "workspace"]),
  name: z.string().openapi({ description: "`workspace/slug`, or the workspace." }),
  repository_id: z.guid().nullable(),
  covered_by_workspace: z
    .boolean()
    .openapi({ description: "The webhook of the workspace sends all that is needed." }),
  drift: z
    .array(z.object({ kind: z.enum(HOOK_DRIFT_KINDS), hook_id: z.string().nullable(), detail: z.string() }))
    .openapi({ description: "What is not as it should be." }),
  problem: z
    .object({
      code: z.string().openapi({ example: "bitbucket_forbidden" }),
      message: z.string(),
      retry_after_ms: z.int().nullable().openapi({ description: "Null: Bitbucket did not say." }),
    })
    .nullable(),
  manual: manualSchema.nullable(),
};

const planItemSchema = z
  .object({
    ...itemFields,
    state: z.enum(["read", "unreadable", "failed"]).openapi({
      description:
        "`unreadable`: the credential may not see webhooks, `manual` says what to do. `failed`: ask again.",
    }),
    actions: z.array(actionSchema),
  })
  .openapi("WebhookPlanItem");

/** The answer of plan. */
export const planSchema = z
  .object({
    items: z.array(planItemSchema),
    remaining: z.int().openapi({ description: "Repositories of `targets` after this page." }),
    next_cursor: z.guid().nullable().openapi({ description: "For the next page; null: this is the last." }),
    plan_digest: z.string().openapi({ description: "For apply." }),
  })
  .openapi("WebhookPlan");

const appliedItemSchema = z
  .object({
    ...itemFields,
    state: z.enum(["unchanged", "applied", "incomplete", "unreadable", "failed"]).openapi({
      description:
        "`incomplete`: `left` was not done, for the reason in `problem`; without one there was no time. `failed`: nothing was done. Send the same request again for the rest.",
    }),
    done: z.array(actionSchema),
    left: z.array(actionSchema),
    is_uncertain: z
      .boolean()
      .openapi({ description: "The first of `left` may have been done: Bitbucket's answer was lost." }),
  })
  .openapi("WebhookAppliedItem");

/** The answer of apply. */
export const appliedSchema = z
  .object({
    items: z.array(appliedItemSchema),
    not_reached: z
      .array(z.string())
      .openapi({ description: "There was no time for these. Send the same request again." }),
    is_complete: z.boolean().openapi({ description: "Whether everything that was planned is done." }),
  })
  .openapi("WebhookReport");

export type PlanItem = z.infer<typeof planItemSchema>;
export type AppliedItem = z.infer<typeof appliedItemSchema>;
export type Scope = z.infer<typeof scopeSchema>;
