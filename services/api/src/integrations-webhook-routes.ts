/** Where Bitbucket sends an integration's webhooks, and what it signs them with (rules 2 and 4). */
import { z, type OpenAPIHono } from "@hono/zod-openapi";
import { saveIntegrations } from "@sluice/store/declared-integrations";
import { lockDeclaredState } from "@sluice/store/declared-state";
import { findLastVerified, SECRET_ROTATED, type IntegrationRecord } from "@sluice/store/integration-records";
import { toRfc3339 } from "@sluice/store/rfc3339";
import type { Transaction } from "@sluice/store/transaction";

import { defineRoute, problemResponse } from "./access/define-route.ts";
import type { ApiEnv } from "./api-env.ts";
import { change, idempotencyHeaders } from "./change.ts";
import { findAdministered } from "./integrations-access.ts";
import { endpointSchema, toEndpoint } from "./integrations-document.ts";
import { makeWebhookSecret, readSecrets, rotateSecret, toRow } from "./integrations-secrets.ts";
import { auditEntry, type IntegrationContext } from "./integrations-writes.ts";
import { idParams, parseId } from "./path-id.ts";

const HOUR_MS = 3_600_000;
const DEFAULT_OVERLAP_HOURS = 24;
const MAX_OVERLAP_HOURS = 30 * 24;

const webhookSchema = z
  .object({
    endpoint: endpointSchema,
    secret: z.string().nullable().openapi({ description: "Null: none is stored; rotate to make one." }),
    previous_secret: z
      .object({
        secret: z.string(),
        expires_at: z.iso.datetime().nullable().openapi({ description: "Null: without an end." }),
      })
      .nullable()
      .openapi({ description: "The secret before, for as long as it still verifies." }),
    last_delivery: z
      .object({
        id: z.guid(),
        received_at: z.iso.datetime(),
        verified_by: z
          .enum(["current", "previous", "older"])
          .openapi({ description: "`older`: neither of those above; it was before they were rotated." }),
      })
      .nullable()
      .openapi({ description: "The last webhook that was verified; null: none is known." }),
  })
  .openapi("IntegrationWebhook");

const oneWebhook = { content: { "application/json": { schema: webhookSchema } } };
const noIntegration = problemResponse("There is no such integration within your reach.");

const getRoute = defineRoute("admin", {
  method: "get",
  path: "/v1/integrations/{id}/webhook",
  tags: ["Integrations"],
  summary: "Look at the webhook endpoint and its secret",
  description: "The look is in the audit log before the secret is answered.",
  request: { params: idParams },
  responses: { 200: { description: "What is entered at Bitbucket.", ...oneWebhook }, 404: noIntegration },
});

const rotateRoute = defineRoute("admin", {
  method: "post",
  path: "/v1/integrations/{id}/webhook-secret/rotate",
  tags: ["Integrations"],
  summary: "Make a new webhook secret",
  description:
    "The one before still verifies for a while, so that it can be replaced at Bitbucket; one that was before that does no longer. With an overlap of 0 hours webhooks are refused until Bitbucket has the new one.",
  request: {
    params: idParams,
    headers: idempotencyHeaders,
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z
            .strictObject({
              overlap_hours: z
                .int()
                .min(0)
                .max(MAX_OVERLAP_HOURS)
                .default(DEFAULT_OVERLAP_HOURS)
                .openapi({ description: "For how long the secret before still verifies." }),
            })
            .openapi("SecretRotation"),
        },
      },
    },
  },
  responses: {
    200: { description: "As `GET …/webhook`, with the new secret.", ...oneWebhook },
    404: noIntegration,
    422: problemResponse("The `Idempotency-Key` belongs to another request."),
  },
});

/** Adds the routes of an integration's webhook endpoint and secret. */
export function addIntegrationWebhookRoutes(app: OpenAPIHono<ApiEnv>, context: IntegrationContext): void {
  const { keyring } = context;

  const show = async (tx: Transaction, record: IntegrationRecord): Promise<z.infer<typeof webhookSchema>> => {
    const { secret, previous } = readSecrets(keyring, record, Date.now());
    const last = await findLastVerified(tx, record.id);
    const expiresAt = record.previousSecretExpiresAt;
    return {
      endpoint: toEndpoint(record.slug, context.publicUrl),
      secret,
      previous_secret:
        previous === null
          ? null
          : { secret: previous, expires_at: expiresAt === null ? null : toRfc3339(expiresAt) },
      last_delivery:
        last === null
          ? null
          : { id: last.deliveryId, received_at: last.receivedAt, verified_by: last.verifiedBy },
    };
  };

  app.openapi(getRoute, async (c) => {
    const id = parseId(c.req.valid("param").id);
    const options = { permission: "admin", status: 200, schema: webhookSchema } as const;
    const answer = await change(c, context, options, async (tx, access) => {
      const record = await findAdministered(tx, id, access);
      return { body: await show(tx, record), audit: [auditEntry("webhook_secret.seen", record, {})] };
    });
    c.header("cache-control", "no-store");
    return c.json(answer, 200);
  });

  app.openapi(rotateRoute, async (c) => {
    const id = parseId(c.req.valid("param").id);
    const { overlap_hours: overlapHours } = c.req.valid("json");
    const options = {
      permission: "admin",
      status: 200,
      schema: webhookSchema,
      lock: lockDeclaredState,
    } as const;
    const answer = await change(c, context, options, async (tx, access) => {
      const was = await findAdministered(tx, id, access, { lock: true });
      const rotation = { secret: makeWebhookSecret(), overlapMs: overlapHours * HOUR_MS };
      await saveIntegrations(tx, [{ ...toRow(was), ...rotateSecret(keyring, was, rotation) }]);
      const is = await findAdministered(tx, id, access);
      const audit = [auditEntry(SECRET_ROTATED, is, { overlap_hours: overlapHours })];
      return { body: await show(tx, is), audit };
    });
    c.header("cache-control", "no-store");
    return c.json(answer, 200);
  });
}
