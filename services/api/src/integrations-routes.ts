/** Integrations: listed, made, changed, deleted (rules 1 to 6). */
import { z, type OpenAPIHono } from "@hono/zod-openapi";
import { isWithinReach } from "@sluice/domain/access";
import { findCredentialHealth, listCredentialHealth } from "@sluice/store/credential-health";
import { lockDeclaredState } from "@sluice/store/declared-state";
import { listIntegrationRecords } from "@sluice/store/integration-records";

import { accessOf, defineRoute, problemResponse } from "./access/define-route.ts";
import type { ApiEnv } from "./api-env.ts";
import { storable } from "./body-text.ts";
import { change, idempotencyHeaders } from "./change.ts";
import { checkMatch, entityTag, matchHeaders } from "./entity-tag.ts";
import { findVisible } from "./integrations-access.ts";
import { integrationReplacementSchema, newIntegrationSchema, placeOf } from "./integrations-body.ts";
import { checkStoredCredential, credentialCheckSchema } from "./integrations-check.ts";
import { addIntegrationCredentialRoutes } from "./integrations-credential-routes.ts";
import { integrationSchema, toIntegrationDocument, versionOf } from "./integrations-document.ts";
import { addIntegrationWebhookRoutes } from "./integrations-webhook-routes.ts";
import {
  createIntegration,
  deleteIntegration,
  replaceIntegration,
  type IntegrationContext,
} from "./integrations-writes.ts";
import { pageOf, pageQuery, readCursor, toPage } from "./pages.ts";
import { idParams, parseId } from "./path-id.ts";

const savedSchema = integrationSchema.extend({
  webhook_secret: z
    .string()
    .openapi({ description: "What Bitbucket signs webhooks with. Later `GET …/webhook` shows it." }),
});

const madeSchema = savedSchema.extend({ check: credentialCheckSchema }).openapi("MadeIntegration");

const deletedSchema = z
  .object({
    id: z.guid(),
    name: z.string(),
    detached_count: z.int().openapi({ description: "How many stacks and modules have no integration now." }),
    detached: z
      .array(
        z.object({
          id: z.guid(),
          kind: z.enum(["stack", "module"]),
          name: z.string(),
          space_id: z.guid(),
        }),
      )
      .openapi({ description: "The first hundred of those within your reach." }),
  })
  .openapi("DeletedIntegration");

const oneIntegration = { content: { "application/json": { schema: integrationSchema } } };
const noIntegration = problemResponse("There is no such integration within your reach.");

const listRoute = defineRoute("any", {
  method: "get",
  path: "/v1/integrations",
  tags: ["Integrations"],
  summary: "List the default integration and those of your spaces",
  request: { query: pageQuery },
  responses: {
    200: {
      description: "By name.",
      content: { "application/json": { schema: pageOf(integrationSchema) } },
    },
  },
});

const createIntegrationRoute = defineRoute("admin", {
  method: "post",
  path: "/v1/integrations",
  tags: ["Integrations"],
  summary: "Make an integration",
  description:
    "It is saved, and then its credential is tried: a check that fails undoes nothing. The default one needs an admin of the root space. Repeated with its `Idempotency-Key`, the answer is the first one with a new check.",
  request: {
    headers: idempotencyHeaders,
    body: { required: true, content: { "application/json": { schema: newIntegrationSchema } } },
  },
  responses: {
    201: { description: "Made.", content: { "application/json": { schema: madeSchema } } },
    404: problemResponse("There is no such space, or you do not administer it."),
    409: problemResponse("The name, its endpoint or the place of the default is taken."),
    422: problemResponse("The `Idempotency-Key` belongs to another request."),
  },
});

const getRoute = defineRoute("any", {
  method: "get",
  path: "/v1/integrations/{id}",
  tags: ["Integrations"],
  summary: "Look at an integration",
  request: { params: idParams },
  responses: {
    200: { description: "The integration, with its `ETag`.", ...oneIntegration },
    404: noIntegration,
  },
});

const replaceRoute = defineRoute("admin", {
  method: "put",
  path: "/v1/integrations/{id}",
  tags: ["Integrations"],
  summary: "Change an integration",
  description: "All but its name, its place, its credential and its webhook secret.",
  request: {
    params: idParams,
    headers: matchHeaders,
    body: { required: true, content: { "application/json": { schema: integrationReplacementSchema } } },
  },
  responses: {
    200: { description: "As it is now, with its `ETag`.", ...oneIntegration },
    404: noIntegration,
    412: problemResponse("It was changed since you have seen it."),
    428: problemResponse("There is no `If-Match`."),
  },
});

const deleteRoute = defineRoute("admin", {
  method: "delete",
  path: "/v1/integrations/{id}",
  tags: ["Integrations"],
  summary: "Delete an integration",
  description:
    "Its secrets are wiped, and its endpoint answers 401. Stacks and modules that use it are detached: they ignore events until they are given another, also when an integration of the same name is made again.",
  request: { params: idParams },
  responses: {
    200: { description: "Deleted.", content: { "application/json": { schema: deletedSchema } } },
    404: noIntegration,
  },
});

const cursorSchema = z.object({ name: storable(z.string()), id: z.guid() });
/** Of two changes at once, one waits and sees the other's. */
const lock = lockDeclaredState;
/** How many detached targets are answered. */
const MAX_SHOWN = 100;

/** Adds the routes of /v1/integrations. */
export function addIntegrationRoutes(app: OpenAPIHono<ApiEnv>, context: IntegrationContext): void {
  const { store, publicUrl } = context;

  app.openapi(listRoute, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const access = accessOf(c);
    const after = readCursor(cursor, cursorSchema);
    const rows = await listIntegrationRecords(store, { reach: access.reach, limit: limit + 1, after });
    const health = await listCredentialHealth(
      store,
      rows.map(({ id }) => id),
    );
    const page = toPage(rows, {
      limit,
      toItem: (row) => toIntegrationDocument(row, { access, health: health.get(row.id) ?? null, publicUrl }),
      positionOf: ({ name, id }) => ({ name, id }),
    });
    return c.json(page, 200);
  });

  app.openapi(createIntegrationRoute, async (c) => {
    const body = c.req.valid("json");
    const options = { permission: "admin", status: 201, schema: savedSchema, lock } as const;
    const saved = await change(c, context, options, (tx, access) =>
      createIntegration(tx, { context, access, body }),
    );
    const check = await checkStoredCredential(context, saved.id, placeOf(body.check_against));
    c.header("cache-control", "no-store");
    return c.json({ ...saved, check }, 201);
  });

  app.openapi(getRoute, async (c) => {
    const access = accessOf(c);
    const record = await findVisible(store, parseId(c.req.valid("param").id), access);
    const health = await findCredentialHealth(store, record.id);
    const document = toIntegrationDocument(record, { access, health, publicUrl });
    c.header("etag", entityTag(versionOf(document)));
    return c.json(document, 200);
  });

  app.openapi(replaceRoute, async (c) => {
    const id = parseId(c.req.valid("param").id);
    const body = c.req.valid("json");
    const ifMatch = c.req.valid("header")["if-match"];
    const options = { permission: "admin", status: 200, schema: integrationSchema, lock } as const;
    const answer = await change(c, context, options, (tx, access) =>
      replaceIntegration(tx, {
        context,
        access,
        id,
        body,
        check: (document) => checkMatch(ifMatch, versionOf(document)),
      }),
    );
    c.header("etag", entityTag(versionOf(answer)));
    return c.json(answer, 200);
  });

  app.openapi(deleteRoute, async (c) => {
    const id = parseId(c.req.valid("param").id);
    const options = { permission: "admin", status: 200, schema: deletedSchema, lock } as const;
    const answer = await change(c, context, options, async (tx, access) => {
      const { record, detached, audit } = await deleteIntegration(tx, { access, id });
      const shown = detached.filter(({ spaceId }) => isWithinReach(access.reach, spaceId));
      const body = {
        id,
        name: record.name,
        detached_count: detached.length,
        detached: shown
          .slice(0, MAX_SHOWN)
          .map(({ spaceId, ...target }) => ({ ...target, space_id: spaceId })),
      };
      return { body, audit };
    });
    return c.json(answer, 200);
  });

  addIntegrationCredentialRoutes(app, context);
  addIntegrationWebhookRoutes(app, context);
}
