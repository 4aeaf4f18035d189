/** The credential of an integration: written, tried, never read (rules 2 and 3). */
import { z, type OpenAPIHono } from "@hono/zod-openapi";
import { saveIntegrations } from "@sluice/store/declared-integrations";
import { lockDeclaredState } from "@sluice/store/declared-state";

import { accessOf, defineRoute, problemResponse } from "./access/define-route.ts";
import type { ApiEnv } from "./api-env.ts";
import { change } from "./change.ts";
import { findAdministered } from "./integrations-access.ts";
import { checkAgainst, newCredentialSchema, placeOf } from "./integrations-body.ts";
import { checkStoredCredential, credentialCheckSchema } from "./integrations-check.ts";
import { credentialSchema, toCredentialDocument } from "./integrations-document.ts";
import { encryptCredential, toRow } from "./integrations-secrets.ts";
import { auditEntry, type IntegrationContext } from "./integrations-writes.ts";
import { idParams, parseId } from "./path-id.ts";

const savedSchema = z.object({ credential: credentialSchema });

const checkedSchema = savedSchema.extend({ check: credentialCheckSchema }).openapi("SavedCredential");

const noIntegration = problemResponse("There is no such integration within your reach.");

const putRoute = defineRoute("admin", {
  method: "put",
  path: "/v1/integrations/{id}/credential",
  tags: ["Integrations"],
  summary: "Replace the credential",
  description:
    "It is saved, encrypted, and then tried: a check that fails undoes nothing. Nobody is shown it again, so that there is no version to name in an `If-Match`.",
  request: {
    params: idParams,
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z
            .strictObject({ credential: newCredentialSchema, check_against: checkAgainst })
            .openapi("NewCredential"),
        },
      },
    },
  },
  responses: {
    200: {
      description: "Saved, and what it may do.",
      content: { "application/json": { schema: checkedSchema } },
    },
    404: noIntegration,
  },
});

const checkRoute = defineRoute("admin", {
  method: "post",
  path: "/v1/integrations/{id}/check",
  tags: ["Integrations"],
  summary: "Try the credential",
  description:
    "Asks Bitbucket three or four times, which counts as calls of the integration. What Bitbucket refuses is part of the answer.",
  request: {
    params: idParams,
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z.strictObject({ against: checkAgainst }).openapi("CheckRequest"),
        },
      },
    },
  },
  responses: {
    200: {
      description: "What it may do.",
      content: { "application/json": { schema: credentialCheckSchema } },
    },
    404: noIntegration,
  },
});

/** Adds the routes of an integration's credential. */
export function addIntegrationCredentialRoutes(app: OpenAPIHono<ApiEnv>, context: IntegrationContext): void {
  const { store, keyring } = context;

  app.openapi(putRoute, async (c) => {
    const id = parseId(c.req.valid("param").id);
    const { credential, check_against: against } = c.req.valid("json");
    const options = {
      permission: "admin",
      status: 200,
      schema: savedSchema,
      lock: lockDeclaredState,
    } as const;
    const saved = await change(c, context, options, async (tx, access) => {
      const was = await findAdministered(tx, id, access, { lock: true });
      const row = { ...toRow(was), ...encryptCredential(keyring, id, credential) };
      await saveIntegrations(tx, [row]);
      const details = {
        credential_kind: row.credentialKind,
        email: row.credentialEmail,
        expires_at: row.credentialExpiresAt,
      };
      return {
        body: { credential: toCredentialDocument(row) },
        audit: [auditEntry("integration.credential_replaced", was, details)],
      };
    });
    return c.json({ ...saved, check: await checkStoredCredential(context, id, placeOf(against)) }, 200);
  });

  app.openapi(checkRoute, async (c) => {
    const { id } = await findAdministered(store, parseId(c.req.valid("param").id), accessOf(c));
    return c.json(await checkStoredCredential(context, id, placeOf(c.req.valid("json").against)), 200);
  });
}
