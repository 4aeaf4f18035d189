/** Stacks and modules, one by one: listed, made, looked at, changed, removed. */
import { z, type OpenAPIHono } from "@hono/zod-openapi";
import { isWithinReach, type Access } from "@sluice/domain/access";
import { lockDeclaredState } from "@sluice/store/declared-state";
import {
  findTargetNamed,
  findTargetRecord,
  listTargetRecords,
  type TargetFilter,
  type TargetRecord,
} from "@sluice/store/target-records";
import type { Database } from "@sluice/store/client";
import type { Transaction } from "@sluice/store/transaction";

import { accessOf, defineRoute, problemResponse } from "./access/define-route.ts";
import type { ApiEnv } from "./api-env.ts";
import { entryLabel, entryName, storable, text } from "./body-text.ts";
import { change, idempotencyHeaders, type ChangeContext } from "./change.ts";
import { checkMatch, entityTag, matchHeaders } from "./entity-tag.ts";
import { pageOf, pageQuery, readCursor, toPage } from "./pages.ts";
import { idParams, parseId } from "./path-id.ts";
import { type FieldError, invalidRequest, ProblemError } from "./problem.ts";
import {
  readTargetBody,
  toTargetDocument,
  type TargetReplacement,
  type TargetResource,
  type WantedTarget,
} from "./target-document.ts";
import { lookAround, resolveTarget, type ResolvedTarget } from "./target-references.ts";
import { writeTargets } from "./target-writes.ts";

const filterQuery = pageQuery.extend({
  space: entryName().optional().openapi({ description: "Name of the space; not of those below." }),
  name_prefix: text(100)
    .normalize("NFC")
    .optional()
    .openapi({ description: "The beginning of the name, in its case." }),
  label: entryLabel().optional().openapi({ description: "One of its labels." }),
  repository: text(300).optional().openapi({ description: "`workspace/slug`, in any case." }),
  integration: entryName().optional().openapi({ description: "Name of the integration." }),
  state: z.enum(["active", "detached", "disabled"]).optional(),
  external_id: text(1_000).optional(),
});

const cursorSchema = z.object({ name: storable(z.string()), id: z.guid() });

/** Adds the routes of /v1/stacks, or of /v1/modules. */
export function addTargetRoutes(
  app: OpenAPIHono<ApiEnv>,
  context: ChangeContext,
  resource: TargetResource,
): void {
  const { store } = context;
  const { kind } = resource;
  const routes = defineRoutes(resource);
  const optionsOf = (status: number) => ({
    permission: "write" as const,
    status,
    schema: resource.schema,
    // Spaces and integrations stay as they are found.
    lock: lockDeclaredState,
  });
  const findReached = async (db: Database, id: string, { reach }: Access): Promise<TargetRecord> => {
    const target = await findTargetRecord(db, { id: parseId(id), kind });
    if (target !== null && isWithinReach(reach, target.spaceId)) return target;
    throw new ProblemError("not_found", `There is no ${kind} with this id within your reach.`);
  };

  app.openapi(routes.list, async (c) => {
    const { limit, cursor, ...query } = c.req.valid("query");
    const after = readCursor(cursor, cursorSchema);
    const page = { kind, reach: accessOf(c).reach, filter: toFilter(query), limit: limit + 1, after };
    const rows = await listTargetRecords(store, page);
    const positionOf = ({ name, id }: TargetRecord) => ({ name, id });
    return c.json(toPage(rows, { limit, toItem: toTargetDocument, positionOf }), 200);
  });

  app.openapi(routes.create, async (c) => {
    const wanted = readTargetBody(kind, c.req.valid("json"));
    const answer = await change(c, context, optionsOf(201), async (tx, access) => {
      const resolved = await resolveOne(tx, wanted, access);
      const { space } = resolved;
      if ((await findTargetNamed(tx, { kind, spaceId: space.id, name: wanted.name })) !== null) {
        const detail = `The space "${space.name}" has ${resource.noun} "${wanted.name}" already.`;
        throw new ProblemError("name_taken", detail);
      }
      const { written, audit } = await writeTargets(tx, {
        writes: [{ wanted: resolved, was: null }],
        remove: [],
      });
      return { body: toTargetDocument(await findReached(tx, written[0]?.id ?? "", access)), audit };
    });
    c.header("etag", entityTag(answer));
    return c.json(answer, 201);
  });

  app.openapi(routes.get, async (c) => {
    const target = toTargetDocument(await findReached(store, c.req.valid("param").id, accessOf(c)));
    c.header("etag", entityTag(target));
    return c.json(target, 200);
  });

  app.openapi(routes.replace, async (c) => {
    const { id } = c.req.valid("param");
    const body = c.req.valid("json");
    const ifMatch = c.req.valid("header")["if-match"];
    const answer = await change(c, context, optionsOf(200), async (tx, access) => {
      const was = await findReached(tx, id, access);
      checkMatch(ifMatch, toTargetDocument(was));
      refuseOtherIdentity(body, was);
      const wanted = readTargetBody(kind, { ...body, name: was.name, space: was.space });
      const writes = [{ wanted: await resolveOne(tx, wanted, access), was }];
      const { audit } = await writeTargets(tx, { writes, remove: [] });
      return { body: toTargetDocument(await findReached(tx, id, access)), audit };
    });
    c.header("etag", entityTag(answer));
    return c.json(answer, 200);
  });

  app.openapi(routes.remove, async (c) => {
    const { id } = c.req.valid("param");
    const answer = await change(c, context, optionsOf(200), async (tx, access) => {
      const was = await findReached(tx, id, access);
      const { audit } = await writeTargets(tx, { writes: [], remove: [was] });
      return { body: toTargetDocument(was), audit };
    });
    return c.json(answer, 200);
  });
}

function defineRoutes({ kind, path, tag, noun, ...schemas }: TargetResource) {
  const { schema, bodySchema, replacementSchema } = schemas;
  const tags = [tag];
  const one = { content: { "application/json": { schema } } };
  const missing = problemResponse(`There is no such ${kind} within your reach.`);
  return {
    list: defineRoute("read", {
      method: "get",
      path,
      tags,
      summary: `List ${kind}s`,
      description: "Removed ones are left out.",
      request: { query: filterQuery },
      responses: {
        200: { description: "By name.", content: { "application/json": { schema: pageOf(schema) } } },
      },
    }),
    create: defineRoute("write", {
      method: "post",
      path,
      tags,
      summary: `Make ${noun}`,
      description:
        "A repository need not have sent anything yet: its first delivery tells its identity, and from then on it is followed also when it is renamed.",
      request: {
        headers: idempotencyHeaders,
        body: { required: true, content: { "application/json": { schema: bodySchema } } },
      },
      responses: {
        201: { description: "Made, with its `ETag`.", ...one },
        404: problemResponse("There is no such space within your reach."),
        409: problemResponse(`The space has ${noun} of this name.`),
        422: problemResponse("The `Idempotency-Key` belongs to another request."),
      },
    }),
    get: defineRoute("read", {
      method: "get",
      path: `${path}/{id}`,
      tags,
      summary: `Look at ${noun}`,
      request: { params: idParams },
      responses: { 200: { description: "With its `ETag`.", ...one }, 404: missing },
    }),
    replace: defineRoute("write", {
      method: "put",
      path: `${path}/{id}`,
      tags,
      summary: `Change ${noun}`,
      description:
        "What is left out has its default from now on, also where it had another value. Name and space are what it is known by, and stay.",
      request: {
        params: idParams,
        headers: matchHeaders,
        body: { required: true, content: { "application/json": { schema: replacementSchema } } },
      },
      responses: {
        200: { description: "As it is now, with its `ETag`.", ...one },
        404: missing,
        412: problemResponse("It was changed since you have seen it."),
        428: problemResponse("There is no `If-Match`."),
      },
    }),
    remove: defineRoute("write", {
      method: "delete",
      path: `${path}/{id}`,
      tags,
      summary: `Remove ${noun}`,
      description: "Its history stays: events, decisions and triggers still name it. Its name is free again.",
      request: { params: idParams },
      responses: { 200: { description: "Removed; this is how it was.", ...one }, 404: missing },
    }),
  };
}

/** @throws ProblemError `not_found` for the space, `invalid_request` for the integration. */
async function resolveOne(tx: Transaction, wanted: WantedTarget, { reach }: Access): Promise<ResolvedTarget> {
  const resolved = resolveTarget(wanted, await lookAround(tx, reach));
  if (!("field" in resolved)) return resolved;
  if (resolved.field !== "space") throw invalidRequest([resolved]);
  throw new ProblemError("not_found", `space: ${resolved.message}`, { errors: [resolved] });
}

/** @throws ProblemError `invalid_request` when a body says another name or space than the target has. */
function refuseOtherIdentity(body: TargetReplacement, was: TargetRecord): void {
  const errors: FieldError[] = [];
  const message = "cannot be changed: with another one it would be another entry";
  if (body.name !== undefined && body.name !== was.name) errors.push({ field: "name", message });
  if (body.space !== undefined && body.space !== was.space) errors.push({ field: "space", message });
  if (errors.length > 0) throw invalidRequest(errors);
}

function toFilter(query: Omit<z.infer<typeof filterQuery>, "limit" | "cursor">): TargetFilter {
  const { name_prefix: namePrefix, external_id: externalId, ...same } = query;
  const given = Object.entries({ ...same, namePrefix, externalId }).filter(
    ([, value]) => value !== undefined,
  );
  return Object.fromEntries(given);
}
