/** Spaces: the tree that integrations, stacks, modules and keys belong to. A space is changed by admins of its parent. */
import { z, type OpenAPIHono } from "@hono/zod-openapi";
import { isWithinReach, type Access } from "@sluice/domain/access";
import { ROOT_SPACE } from "@sluice/domain/space-tree";
import { deleteSpaces, drawIds, saveSpaces } from "@sluice/store/declared-spaces";
import { lockDeclaredState } from "@sluice/store/declared-state";
import { listSpaceRecords, type SpaceRecord } from "@sluice/store/space-records";

import { accessOf, defineRoute, problemResponse } from "./access/define-route.ts";
import type { ApiEnv } from "./api-env.ts";
import { entryName } from "./body-text.ts";
import { change, idempotencyHeaders, type ChangeContext } from "./change.ts";
import { checkMatch, entityTag, matchHeaders } from "./entity-tag.ts";
import { pageOf, pageQuery, readCursor, toPage } from "./pages.ts";
import { idParams, parseId } from "./path-id.ts";
import { invalidRequest, ProblemError } from "./problem.ts";
import { describeSpaceUpdate, spaceEntry } from "./space-audit.ts";
import { arrangeSpaces, comparePaths, spaceSchema, type SpaceDocument } from "./space-document.ts";
import { refuseCircle, refuseLostIntegrations, refuseUsedSpace } from "./space-refusals.ts";

const newSpaceSchema = z
  .strictObject({
    name: entryName().openapi({ description: "Unique, and never changed.", example: "payments" }),
    parent: entryName()
      .default(ROOT_SPACE)
      .openapi({ description: "Name of the space that it is in, which you administer." }),
    inherit_entities: z.boolean().default(false).openapi({
      description:
        "Whether integrations of its parent can be used in it too, and keys of its parent reach it. Without, only keys of its own and admins of the root do.",
    }),
  })
  .openapi("NewSpace");

const replacementSchema = z
  .strictObject({
    name: entryName().optional().openapi({ description: "The present one, if at all." }),
    parent: entryName().openapi({ description: "You administer the present parent and this one." }),
    inherit_entities: z.boolean(),
  })
  .openapi("SpaceReplacement");

const noSpaceResponse = problemResponse("There is no such space within your reach.");
const oneSpace = { content: { "application/json": { schema: spaceSchema } } };

const listRoute = defineRoute("read", {
  method: "get",
  path: "/v1/spaces",
  tags: ["Spaces"],
  summary: "List the spaces within reach",
  request: {
    query: pageQuery.extend({
      parent: entryName()
        .optional()
        .openapi({ description: "Only those directly in the space of this name." }),
    }),
  },
  responses: {
    200: {
      description: "Each after its parent, those of one parent by name.",
      content: { "application/json": { schema: pageOf(spaceSchema) } },
    },
  },
});

const createSpaceRoute = defineRoute("admin", {
  method: "post",
  path: "/v1/spaces",
  tags: ["Spaces"],
  summary: "Make a space in one that you administer",
  request: {
    headers: idempotencyHeaders,
    body: { required: true, content: { "application/json": { schema: newSpaceSchema } } },
  },
  responses: {
    201: { description: "Made.", ...oneSpace },
    404: problemResponse("There is no such parent, or you do not administer it."),
    409: problemResponse("There is a space of this name."),
    422: problemResponse("The `Idempotency-Key` belongs to another request."),
  },
});

const getRoute = defineRoute("read", {
  method: "get",
  path: "/v1/spaces/{id}",
  tags: ["Spaces"],
  summary: "Look at a space",
  request: { params: idParams },
  responses: { 200: { description: "The space, with its `ETag`.", ...oneSpace }, 404: noSpaceResponse },
});

const replaceRoute = defineRoute("admin", {
  method: "put",
  path: "/v1/spaces/{id}",
  tags: ["Spaces"],
  summary: "Move a space, or change what it inherits",
  description:
    "Needs an admin of its parent, and of the new one. Refused while a stack or a module would lose the integration that it uses: give it another one first. The root is not changed.",
  request: {
    params: idParams,
    headers: matchHeaders,
    body: { required: true, content: { "application/json": { schema: replacementSchema } } },
  },
  responses: {
    200: { description: "As it is now, with its `ETag`.", ...oneSpace },
    404: noSpaceResponse,
    409: problemResponse("Targets would lose their integration; `used_by` names them."),
    412: problemResponse("It was changed since you have seen it."),
    428: problemResponse("There is no `If-Match`."),
  },
});

const deleteRoute = defineRoute("admin", {
  method: "delete",
  path: "/v1/spaces/{id}",
  tags: ["Spaces"],
  summary: "Delete an empty space",
  description:
    "Needs an admin of its parent. What is left of removed targets, deleted integrations and revoked keys goes to the root.",
  request: { params: idParams },
  responses: {
    200: { description: "Deleted; this is how it was.", ...oneSpace },
    404: noSpaceResponse,
    409: problemResponse("Something is in it; `used_by` says what."),
  },
});

const cursorSchema = z.object({ path: z.array(z.string()) });

/** Adds the routes of /v1/spaces. */
export function addSpaceRoutes(app: OpenAPIHono<ApiEnv>, context: ChangeContext): void {
  const { store } = context;

  app.openapi(listRoute, async (c) => {
    const { limit, cursor, parent } = c.req.valid("query");
    const after = readCursor(cursor, cursorSchema)?.path ?? [];
    const spaces = arrangeSpaces(await listSpaceRecords(store), accessOf(c).reach).filter(
      (space) => (parent === undefined || space.parent === parent) && comparePaths(space.path, after) > 0,
    );
    const positionOf = ({ path }: SpaceDocument) => ({ path });
    return c.json(toPage(spaces, { limit, toItem: (space) => space, positionOf }), 200);
  });

  app.openapi(createSpaceRoute, async (c) => {
    const { name, parent, inherit_entities: inheritEntities } = c.req.valid("json");
    const answer = await change(c, context, optionsOf(201), async (tx, access) => {
      const spaces = await listSpaceRecords(tx);
      const parentId = administeredSpace(spaces, parent, access).id;
      if (spaces.some((space) => space.name === name)) {
        throw new ProblemError("name_taken", `There is a space "${name}" already.`);
      }
      const [id = ""] = await drawIds(tx, 1);
      await saveSpaces(tx, [{ id, name, parentId, inheritEntities }]);
      const details = { parent, inherit_entities: inheritEntities };
      // Shown to whoever made it, also where only keys of its own will reach it.
      const body = showSpace(await listSpaceRecords(tx), id, access);
      return { body, audit: [spaceEntry("space.created", { id, name, parentId }, details)] };
    });
    return c.json(answer, 201);
  });

  app.openapi(getRoute, async (c) => {
    const id = parseId(c.req.valid("param").id);
    const space = findReached(await listSpaceRecords(store), id, accessOf(c));
    c.header("etag", entityTag(space));
    return c.json(space, 200);
  });

  app.openapi(replaceRoute, async (c) => {
    const id = parseId(c.req.valid("param").id);
    const body = c.req.valid("json");
    const ifMatch = c.req.valid("header")["if-match"];
    const answer = await change(c, context, optionsOf(200), async (tx, access) => {
      const spaces = await listSpaceRecords(tx);
      const was = findReached(spaces, id, access);
      checkMatch(ifMatch, was);
      const parent = changeableParent(was, access);
      if (body.name !== undefined && body.name !== was.name) throw immutableName();
      const wanted = {
        id,
        name: was.name,
        parentId: administeredSpace(spaces, body.parent, access).id,
        inheritEntities: body.inherit_entities,
      };
      if (body.parent === parent && wanted.inheritEntities === was.inherit_entities) {
        return { body: was, audit: [] };
      }
      const after = spaces.map((space) =>
        space.id === id ? { ...space, ...wanted, parent: body.parent } : space,
      );
      refuseCircle(after, was.name);
      await refuseLostIntegrations(tx, { before: spaces, after });
      await saveSpaces(tx, [wanted]);
      const shown = showSpace(await listSpaceRecords(tx), id, access);
      return { body: shown, audit: describeSpaceUpdate(was, { ...wanted, parent: body.parent }) };
    });
    c.header("etag", entityTag(answer));
    return c.json(answer, 200);
  });

  app.openapi(deleteRoute, async (c) => {
    const id = parseId(c.req.valid("param").id);
    const answer = await change(c, context, optionsOf(200), async (tx, access) => {
      const was = findReached(await listSpaceRecords(tx), id, access);
      const parent = changeableParent(was, access);
      await refuseUsedSpace(tx, was, access.reach);
      await deleteSpaces(tx, [id]);
      const deleted = { id, name: was.name, parentId: was.parent_id };
      return { body: was, audit: [spaceEntry("space.deleted", deleted, { parent })] };
    });
    return c.json(answer, 200);
  });
}

/** Of two changes at once, one waits and sees the other's. */
function optionsOf(status: number) {
  return { permission: "admin", status, schema: spaceSchema, lock: lockDeclaredState } as const;
}

function findReached(spaces: readonly SpaceRecord[], id: string, { reach }: Access): SpaceDocument {
  const space = arrangeSpaces(spaces, reach).find((each) => each.id === id);
  if (space === undefined) throw new ProblemError("not_found", "There is no such space within your reach.");
  return space;
}

/** A space that was changed, for whoever did it: also where only keys of its own reach it from now on. */
function showSpace(spaces: readonly SpaceRecord[], id: string, access: Access): SpaceDocument {
  const { reach } = access;
  if (reach.kind === "everywhere") return findReached(spaces, id, access);
  return findReached(spaces, id, { ...access, reach: { ...reach, spaceIds: [...reach.spaceIds, id] } });
}

function administeredSpace(spaces: readonly SpaceRecord[], name: string, { reach }: Access): SpaceRecord {
  const space = spaces.find((each) => each.name === name && isWithinReach(reach, each.id));
  if (space !== undefined) return space;
  throw new ProblemError("not_found", `There is no space "${name}", or you do not administer it.`);
}

/** The parent of a space that may be changed. What a space inherits, and whether it is there, is its parent's to say. */
function changeableParent({ name, parent }: SpaceDocument, { keyName }: Access): string {
  if (name === ROOT_SPACE) throw new ProblemError("forbidden", "The root space is always there, as it is.");
  if (parent !== null) return parent;
  const detail = `A space is changed by admins of its parent, which the key "${keyName}" does not reach.`;
  throw new ProblemError("forbidden", detail);
}

function immutableName(): ProblemError {
  return invalidRequest([{ field: "name", message: "cannot be changed: make another space" }]);
}
