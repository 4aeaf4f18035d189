/** Who changed what, and who looked at which secret. */
import { z, type OpenAPIHono } from "@hono/zod-openapi";
import { listAuditRecords, type AuditRecord } from "@sluice/store/audit-log";

import { accessOf, defineRoute } from "./access/define-route.ts";
import type { ApiEnv } from "./api-env.ts";
import { text } from "./body-text.ts";
import type { ChangeContext } from "./change.ts";
import { pageOf, pageQuery, readCursor, toPage } from "./pages.ts";

const auditSchema = z
  .object({
    id: z.guid(),
    at: z.iso.datetime(),
    actor: z.object({
      kind: z.enum(["api_key", "bootstrap_key", "command_line"]),
      key_id: z.guid().nullable(),
      name: z.string(),
      address: z.string().nullable(),
    }),
    action: z.string().openapi({ example: "webhook_secret.seen" }),
    subject: z.object({ kind: z.string(), id: z.guid().nullable(), name: z.string() }),
    space_id: z.guid().nullable().openapi({ description: "Null: it belongs to the account as a whole." }),
    details: z.record(z.string(), z.unknown()).openapi({ description: "What was changed, without secrets." }),
  })
  .openapi("AuditRecord");

const listRoute = defineRoute("admin", {
  method: "get",
  path: "/v1/audit-log",
  tags: ["Audit log"],
  summary: "List changes, and looks at secrets, in the spaces that you administer",
  request: {
    query: pageQuery.extend({
      subject_id: z.guid().optional().openapi({ description: "Only what was done to this." }),
      action: text(100).optional().openapi({ description: "Only this action." }),
    }),
  },
  responses: {
    200: {
      description: "The newest first.",
      content: { "application/json": { schema: pageOf(auditSchema) } },
    },
  },
});

const cursorSchema = z.object({ id: z.guid() });

/** Adds the route of /v1/audit-log. */
export function addAuditRoutes(app: OpenAPIHono<ApiEnv>, { store }: Pick<ChangeContext, "store">): void {
  app.openapi(listRoute, async (c) => {
    const { limit, cursor, subject_id: subjectId, action } = c.req.valid("query");
    const rows = await listAuditRecords(store, {
      reach: accessOf(c).reach,
      limit: limit + 1,
      before: readCursor(cursor, cursorSchema)?.id ?? null,
      ...(subjectId === undefined ? {} : { subjectId }),
      ...(action === undefined ? {} : { action }),
    });
    return c.json(toPage(rows, { limit, toItem: toDocument, positionOf: ({ id }) => ({ id }) }), 200);
  });
}

function toDocument(record: AuditRecord): z.infer<typeof auditSchema> {
  const { id, at, action, details } = record;
  return {
    id,
    at,
    actor: {
      kind: record.actorKind,
      key_id: record.actorKeyId,
      name: record.actorName,
      address: record.address,
    },
    action,
    subject: { kind: record.subjectKind, id: record.subjectId, name: record.subjectName },
    space_id: record.spaceId,
    details: { ...details },
  };
}
