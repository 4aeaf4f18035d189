/** Keys of the API: made, shown once, listed, revoked. */
import { z, type OpenAPIHono } from "@hono/zod-openapi";
import { isWithinReach, mayGrant, ROLES, type Access } from "@sluice/domain/access";
import { lineProblem } from "@sluice/domain/target-values";
import {
  findApiKey,
  insertApiKey,
  listApiKeys,
  lockApiKeys,
  revokeApiKey,
  type ApiKeyRecord,
} from "@sluice/store/api-keys";
import { lockDeclaredState } from "@sluice/store/declared-state";
import { findSpaceNamed } from "@sluice/store/space-names";
import type { Transaction } from "@sluice/store/transaction";

import { makeApiKey } from "./access/api-key.ts";
import { accessOf, defineRoute, problemResponse } from "./access/define-route.ts";
import type { ApiEnv } from "./api-env.ts";
import { checkedText, storable, storableTime, text } from "./body-text.ts";
import { change, idempotencyHeaders, type ChangeContext } from "./change.ts";
import { pageOf, pageQuery, readCursor, toPage } from "./pages.ts";
import { idParams, parseId } from "./path-id.ts";
import { invalidRequest, ProblemError } from "./problem.ts";

const apiKeySchema = z
  .object({
    id: z.guid(),
    name: z.string(),
    prefix: z.string().openapi({ description: "The beginning of the key, by which to tell it from others." }),
    role: z.enum(ROLES),
    space_id: z.guid(),
    space: z.string().openapi({ description: "Name of the space that the role is held on." }),
    expires_at: z.iso.datetime().nullable(),
    revoked_at: z.iso.datetime().nullable(),
    last_used_at: z.iso.datetime().nullable().openapi({ description: "Exact to a minute." }),
    created_at: z.iso.datetime(),
  })
  .openapi("ApiKey");

const newKeySchema = z
  .strictObject({
    name: checkedText(100, lineProblem).openapi({ example: "terraform runner" }),
    role: z.enum(ROLES),
    space: text(100).openapi({ description: "Name of the space that the role is held on.", example: "root" }),
    expires_at: storableTime().optional().openapi({ description: "Left out: without an end." }),
  })
  .openapi("NewApiKey");

const madeKeySchema = apiKeySchema
  .extend({ key: z.string().openapi({ description: "The key itself. It is shown this once." }) })
  .openapi("MadeApiKey");

const listRoute = defineRoute("admin", {
  method: "get",
  path: "/v1/api-keys",
  tags: ["API keys"],
  summary: "List the keys of the spaces that you administer",
  request: { query: pageQuery },
  responses: {
    200: { description: "By name.", content: { "application/json": { schema: pageOf(apiKeySchema) } } },
  },
});

const createKeyRoute = defineRoute("admin", {
  method: "post",
  path: "/v1/api-keys",
  tags: ["API keys"],
  summary: "Make a key",
  request: {
    headers: idempotencyHeaders,
    body: { required: true, content: { "application/json": { schema: newKeySchema } } },
  },
  responses: {
    201: { description: "Made.", content: { "application/json": { schema: madeKeySchema } } },
    404: problemResponse("There is no such space, or you do not administer it."),
    409: problemResponse("The space has a key of this name."),
    422: problemResponse("The `Idempotency-Key` belongs to another request."),
  },
});

const getRoute = defineRoute("admin", {
  method: "get",
  path: "/v1/api-keys/{id}",
  tags: ["API keys"],
  summary: "Look at a key",
  request: { params: idParams },
  responses: {
    200: {
      description: "The key, without itself.",
      content: { "application/json": { schema: apiKeySchema } },
    },
    404: problemResponse("There is no such key."),
  },
});

const revokeRoute = defineRoute("admin", {
  method: "delete",
  path: "/v1/api-keys/{id}",
  tags: ["API keys"],
  summary: "Revoke a key",
  description:
    "It is refused from the next request on. Revoked ones stay listed; revoking one again changes nothing.",
  request: { params: idParams },
  responses: {
    200: { description: "Revoked.", content: { "application/json": { schema: apiKeySchema } } },
    404: problemResponse("There is no such key."),
  },
});

const cursorSchema = z.object({ name: storable(z.string()), id: z.guid() });

/** Adds the routes of /v1/api-keys. */
export function addApiKeyRoutes(app: OpenAPIHono<ApiEnv>, context: ChangeContext): void {
  const { store } = context;

  app.openapi(listRoute, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const after = readCursor(cursor, cursorSchema);
    const rows = await listApiKeys(store, { reach: accessOf(c).reach, limit: limit + 1, after });
    return c.json(
      toPage(rows, { limit, toItem: toDocument, positionOf: ({ name, id }) => ({ name, id }) }),
      200,
    );
  });

  app.openapi(createKeyRoute, async (c) => {
    const body = c.req.valid("json");
    const answer = await change(
      c,
      context,
      // Spaces stay as they are found.
      { permission: "admin", status: 201, schema: madeKeySchema, lock: lockDeclaredState },
      async (tx, access) => {
        const space = await findSpaceNamed(tx, body.space);
        if (space === null || !mayGrant(access, { role: body.role, spaceId: space.id })) throw noSuchSpace();
        const { key, prefix, digest } = makeApiKey();
        const { name, role, expires_at: expiresAt = null } = body;
        await refuseLongerLife(tx, access, expiresAt);
        const made = await insertApiKey(tx, { name, prefix, digest, role, spaceId: space.id, expiresAt });
        if (made === null) {
          throw new ProblemError("name_taken", `The space "${space.name}" has a key "${name}" already.`);
        }
        const subject = { kind: "api_key", id: made.id, name };
        const details = { role, prefix, expires_at: expiresAt };
        return {
          body: { ...toDocument(made), key },
          audit: [{ action: "api_key.created", subject, spaceId: space.id, details }],
        };
      },
    );
    return c.json(answer, 201);
  });

  app.openapi(getRoute, async (c) => {
    const key = await findApiKey(store, parseId(c.req.valid("param").id));
    if (key === null || !isWithinReach(accessOf(c).reach, key.spaceId)) throw noSuchKey();
    return c.json(toDocument(key), 200);
  });

  app.openapi(revokeRoute, async (c) => {
    const id = parseId(c.req.valid("param").id);
    const ids = [id, accessOf(c).keyId].filter((each) => each !== null);
    const lock = (tx: Transaction) => lockApiKeys(tx, ids);
    const options = { permission: "admin", status: 200, schema: apiKeySchema, lock } as const;
    const answer = await change(c, context, options, async (tx, access) => {
      const key = await findApiKey(tx, id);
      if (key === null || !isWithinReach(access.reach, key.spaceId)) throw noSuchKey();
      const isRevoked = await revokeApiKey(tx, id);
      const subject = { kind: "api_key", id, name: key.name };
      return {
        body: toDocument((await findApiKey(tx, id)) ?? key),
        audit: isRevoked ? [{ action: "api_key.revoked", subject, spaceId: key.spaceId }] : [],
      };
    });
    return c.json(answer, 200);
  });
}

/** A key that ends makes none that lives longer: it would not end at all. @throws ProblemError `invalid_request`. */
async function refuseLongerLife(tx: Transaction, { keyId }: Access, expiresAt: string | null): Promise<void> {
  const maker = keyId === null ? null : await findApiKey(tx, keyId);
  const end = maker?.expiresAt ?? null;
  if (end === null || (expiresAt !== null && Date.parse(expiresAt) <= Date.parse(end))) return;
  throw invalidRequest([
    { field: "expires_at", message: `has to be there, and not after the end of your own key, ${end}` },
  ]);
}

function toDocument(key: ApiKeyRecord): z.infer<typeof apiKeySchema> {
  const { spaceId, expiresAt, revokedAt, lastUsedAt, createdAt, ...same } = key;
  return {
    ...same,
    space_id: spaceId,
    expires_at: expiresAt,
    revoked_at: revokedAt,
    last_used_at: lastUsedAt,
    created_at: createdAt,
  };
}

function noSuchKey(): ProblemError {
  return new ProblemError("not_found", "There is no key with this id.");
}

function noSuchSpace(): ProblemError {
  return new ProblemError("not_found", "There is no such space, or you do not administer it.");
}
