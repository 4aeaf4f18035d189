/** Repositories: known since a target named them or a delivery came, and what came of each. */
import { z, type OpenAPIHono } from "@hono/zod-openapi";
import type { Access } from "@sluice/domain/access";
import type { Database } from "@sluice/store/client";
import {
  findRepositoryRecord,
  listLastDeliveries,
  listLastFailures,
  listRepositoryRecords,
  type RepositoryRecord,
} from "@sluice/store/repository-records";

import { accessOf, defineRoute, problemResponse } from "./access/define-route.ts";
import type { ApiEnv } from "./api-env.ts";
import { entryName, storable, text } from "./body-text.ts";
import type { ChangeContext } from "./change.ts";
import { pageOf, pageQuery, readCursor, toPage } from "./pages.ts";
import { idParams, parseId } from "./path-id.ts";
import { ProblemError } from "./problem.ts";
import {
  KNOWN_EVENT_KEYS,
  repositorySchema,
  toRepositoryDocument,
  type RepositoryDocument,
} from "./repository-document.ts";

const listRoute = defineRoute("read", {
  method: "get",
  path: "/v1/repositories",
  tags: ["Repositories"],
  summary: "List repositories",
  description: "Those of integrations within your reach, and those of stacks and modules within it.",
  request: {
    query: pageQuery.extend({
      integration: entryName().optional().openapi({ description: "Name of the integration." }),
      name_prefix: text(300)
        .optional()
        .openapi({ description: "The beginning of `full_name`, in any case." }),
    }),
  },
  responses: {
    200: {
      description: "By name.",
      content: { "application/json": { schema: pageOf(repositorySchema) } },
    },
  },
});

const getRoute = defineRoute("read", {
  method: "get",
  path: "/v1/repositories/{id}",
  tags: ["Repositories"],
  summary: "Look at a repository",
  request: { params: idParams },
  responses: {
    200: {
      description: "The repository.",
      content: { "application/json": { schema: repositorySchema } },
    },
    404: problemResponse("There is no such repository within your reach."),
  },
});

const cursorSchema = z.object({ name: storable(z.string()), id: z.guid() });

/** Adds the routes of /v1/repositories. */
export function addRepositoryRoutes(app: OpenAPIHono<ApiEnv>, { store }: Pick<ChangeContext, "store">): void {
  app.openapi(listRoute, async (c) => {
    const { limit, cursor, integration, name_prefix: namePrefix } = c.req.valid("query");
    const rows = await listRepositoryRecords(store, {
      reach: accessOf(c).reach,
      filter: {
        ...(integration === undefined ? {} : { integration }),
        ...(namePrefix === undefined ? {} : { namePrefix }),
      },
      limit: limit + 1,
      after: readCursor(cursor, cursorSchema),
    });
    const documents = await describeRepositories(store, rows, accessOf(c));
    const positionOf = ({ full_name: name, id }: RepositoryDocument) => ({ name: name.toLowerCase(), id });
    return c.json(toPage(documents, { limit, toItem: (each) => each, positionOf }), 200);
  });

  app.openapi(getRoute, async (c) => {
    const access = accessOf(c);
    const id = parseId(c.req.valid("param").id);
    const record = await findRepositoryRecord(store, { id, reach: access.reach });
    const [document] = record === null ? [] : await describeRepositories(store, [record], access);
    if (document !== undefined) return c.json(document, 200);
    throw new ProblemError("not_found", "There is no repository with this id within your reach.");
  });
}

async function describeRepositories(
  db: Database,
  records: readonly RepositoryRecord[],
  access: Access,
): Promise<RepositoryDocument[]> {
  const repositoryIds = records.map(({ id }) => id);
  const [last, failures] = await Promise.all([
    listLastDeliveries(db, { repositoryIds, eventKeys: KNOWN_EVENT_KEYS }),
    listLastFailures(db, [...new Set(records.map(({ integrationId }) => integrationId))]),
  ]);
  return records.map((record) => {
    const failure = failures.find(({ integrationId }) => integrationId === record.integrationId) ?? null;
    const own = last.filter(({ repositoryId }) => repositoryId === record.id);
    return toRepositoryDocument(record, { last: own, failure }, access);
  });
}
