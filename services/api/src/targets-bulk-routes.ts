/** Thousands of stacks or modules in one request, for orchestrators that bring theirs along: all of them, or none. */
import { z, type OpenAPIHono } from "@hono/zod-openapi";
import { lockDeclaredState } from "@sluice/store/declared-state";
import { listTargetsOfSpaces, type TargetRecord } from "@sluice/store/target-records";
import type { Transaction } from "@sluice/store/transaction";

import { defineRoute, problemResponse } from "./access/define-route.ts";
import type { ApiEnv } from "./api-env.ts";
import { entryName } from "./body-text.ts";
import { change, idempotencyHeaders, type Changed, type ChangeContext } from "./change.ts";
import { type FieldError, invalidRequest } from "./problem.ts";
import {
  readTargetBody,
  TARGET_RESOURCES,
  type TargetResource,
  type WantedTarget,
} from "./target-document.ts";
import {
  lookAround,
  NO_SPACE,
  resolveTarget,
  type ResolvedTarget,
  type Surroundings,
} from "./target-references.ts";
import { writeTargets } from "./target-writes.ts";

const MAX_ITEMS = 10_000;

/** What is read of one body with thousands of targets. */
export const MAX_BULK_BODY_BYTES = 16 * 1024 * 1024;

/** The paths whose bodies may be so large. */
export const BULK_PATHS: ReadonlySet<string> = new Set(TARGET_RESOURCES.map(({ path }) => `${path}/bulk`));

const countSchema = z.int().nonnegative();
const resultSchema = z.object({
  counts: z.object({
    created: countSchema,
    updated: countSchema,
    unchanged: countSchema,
    removed: countSchema,
  }),
  items: z
    .array(
      z.object({
        space: z.string(),
        name: z.string(),
        id: z.guid(),
        result: z.enum(["created", "updated", "unchanged"]),
      }),
    )
    .openapi({ description: "In the order of the request." }),
  removed: z.array(z.object({ space: z.string(), name: z.string(), id: z.guid() })),
});

type BulkResult = z.infer<typeof resultSchema>;

/** Adds the route of /v1/stacks/bulk, or of /v1/modules/bulk. */
export function addBulkTargetRoutes(
  app: OpenAPIHono<ApiEnv>,
  context: ChangeContext,
  resource: TargetResource,
): void {
  const { kind } = resource;
  const options = {
    permission: "write",
    status: 200,
    schema: resultSchema,
    lock: lockDeclaredState,
  } as const;
  app.openapi(defineBulkRoute(resource), async (c) => {
    const { items, remove_missing_in: removeMissingIn = null } = c.req.valid("json");
    const wanted = items.map((item) => readTargetBody(kind, item));
    const answer = await change(c, context, options, async (tx, { reach }) =>
      writeAll(tx, { kind, wanted, removeMissingIn, around: await lookAround(tx, reach) }),
    );
    c.set("facts", { kind, ...answer.counts });
    return c.json(answer, 200);
  });
}

function defineBulkRoute({ kind, path, tag, bodySchema }: TargetResource) {
  const schema = z.strictObject({
    items: z.array(bodySchema).max(MAX_ITEMS),
    remove_missing_in: entryName()
      .optional()
      .openapi({
        description: `Name of a space, whose ${kind}s that are not among the items are removed. Left out: none is.`,
      }),
  });
  return defineRoute("write", {
    method: "post",
    path: `${path}/bulk`,
    tags: [tag],
    summary: `Make or change up to ${MAX_ITEMS.toLocaleString("en")} ${kind}s`,
    description:
      "All of them, or none. Each is known by its space and name: what is there becomes what the item says, what is not is made. `errors` names what is wrong as `items.4711.project_root`, the first hundred of it. Sent again it changes nothing.",
    request: {
      headers: idempotencyHeaders,
      body: { required: true, content: { "application/json": { schema } } },
    },
    responses: {
      200: {
        description: "What became of each.",
        content: { "application/json": { schema: resultSchema } },
      },
      413: problemResponse("The body is larger than 16 MiB."),
      422: problemResponse("The `Idempotency-Key` belongs to another request."),
    },
  });
}

async function writeAll(
  tx: Transaction,
  input: {
    readonly kind: TargetResource["kind"];
    readonly wanted: readonly WantedTarget[];
    readonly removeMissingIn: string | null;
    readonly around: Surroundings;
  },
): Promise<Changed<BulkResult>> {
  const { kind, wanted, removeMissingIn, around } = input;
  const resolved = resolveAll(wanted, removeMissingIn, around);
  const emptied = around.spaces.get(removeMissingIn ?? "")?.id ?? null;
  const spaceIds = new Set(resolved.map(({ space }) => space.id));
  if (emptied !== null) spaceIds.add(emptied);
  const stored = new Map<string, TargetRecord>();
  for (const target of await listTargetsOfSpaces(tx, { kind, spaceIds: [...spaceIds] })) {
    stored.set(identity(target), target);
  }
  const writes = resolved.map((target) => ({
    wanted: target,
    was: stored.get(identity(target.state)) ?? null,
  }));
  for (const { state } of resolved) stored.delete(identity(state));
  const remove = [...stored.values()].filter(({ spaceId }) => spaceId === emptied);
  const { written, audit } = await writeTargets(tx, { writes, remove });
  const items = written.map(({ id, result }, index) => {
    const { space = "", name = "" } = resolved[index]?.state ?? {};
    return { space, name, id, result };
  });
  const count = (result: string) => items.filter((item) => item.result === result).length;
  return {
    body: {
      counts: {
        created: count("created"),
        updated: count("updated"),
        unchanged: count("unchanged"),
        removed: remove.length,
      },
      items,
      removed: remove.map(({ space, name, id }) => ({ space, name, id })),
    },
    audit,
  };
}

/** @throws ProblemError `invalid_request` with everything that is wrong with any of them. */
function resolveAll(
  wanted: readonly WantedTarget[],
  removeMissingIn: string | null,
  around: Surroundings,
): ResolvedTarget[] {
  const errors: FieldError[] = [];
  const first = new Map<string, number>();
  const found: ResolvedTarget[] = [];
  for (const [index, target] of wanted.entries()) {
    const earlier = first.get(identity(target));
    if (earlier === undefined) {
      first.set(identity(target), index);
    } else {
      const message = `is the same ${target.kind} as items.${String(earlier)}`;
      errors.push({ field: `items.${String(index)}.name`, message });
    }
    const resolved = resolveTarget(target, around);
    if ("field" in resolved) {
      errors.push({ field: `items.${String(index)}.${resolved.field}`, message: resolved.message });
    } else {
      found.push(resolved);
    }
  }
  if (removeMissingIn !== null && !around.spaces.has(removeMissingIn)) {
    errors.push({ field: "remove_missing_in", message: NO_SPACE });
  }
  if (errors.length > 0) throw invalidRequest(errors);
  return found;
}

/** Of targets of one kind. */
function identity({ space, name }: { readonly space: string; readonly name: string }): string {
  return JSON.stringify([space, name]);
}
