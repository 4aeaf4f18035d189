/** How routes are defined: each says which permission it needs, and what it answers. */
import { createRoute, z } from "@hono/zod-openapi";
import { mayDo, type Access, type Permission } from "@sluice/domain/access";
import type { Context, MiddlewareHandler } from "hono";

import type { ApiEnv } from "../api-env.ts";
import { ProblemError, PROBLEM_CODES } from "../problem.ts";

/** The extension of an operation in the OpenAPI document that names the permission which it needs. */
export const PERMISSION_EXTENSION = "x-permission";

const problemSchema = z
  .object({
    type: z.string().openapi({
      description: "`urn:sluice:problem:` and one of the codes.",
      example: "urn:sluice:problem:not_found",
    }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    errors: z
      .array(z.object({ field: z.string(), message: z.string() }))
      .optional()
      .openapi({
        description:
          "Of `invalid_request`: each field that is wrong, as a path within the body or the query.",
      }),
  })
  .openapi("Problem", {
    description: `RFC 9457. The codes: ${PROBLEM_CODES.map((code) => `\`${code}\``).join(", ")}.`,
  });

/** An answer that is not a success. */
export function problemResponse(description: string) {
  return { description, content: { "application/problem+json": { schema: problemSchema } } };
}

/** Answers that every route can give. */
const COMMON_RESPONSES = {
  400: problemResponse("Something in the request is not valid; `errors` names each field."),
  401: problemResponse("The key is missing, wrong, expired or revoked."),
  403: problemResponse("The key's role does not allow this."),
  429: problemResponse("Too many requests with this key, or too many wrong keys from this address."),
  503: problemResponse("The database cannot be reached. Ask again."),
};

/** Everything of `createRoute` but what `defineRoute` adds. */
type RouteDefinition = Omit<Parameters<typeof createRoute>[0], "middleware" | "security">;

/**
 * A route that keys with `permission` may use. Which spaces' things it shows or changes is for its handler to see: what is
 * out of reach is not found.
 */
export function defineRoute<
  const Path extends string,
  const Definition extends Omit<RouteDefinition, "path">,
>(permission: Permission, definition: Definition & { readonly path: Path }) {
  return createRoute({
    ...definition,
    responses: { ...COMMON_RESPONSES, ...definition.responses },
    security: [{ apiKey: [] }],
    middleware: [requires(permission)],
    [PERMISSION_EXTENSION]: permission,
  });
}

/** Whose request it is. */
export function accessOf(c: Context<ApiEnv>): Access {
  const access = c.get("access");
  if (access === undefined) throw new Error("the route is not behind authentication");
  return access;
}

function requires(permission: Permission): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const { role, keyName } = accessOf(c);
    if (!mayDo(role, permission)) {
      const detail = `This needs the permission "${permission}", which the role "${role}" of the key "${keyName}" does not have.`;
      throw new ProblemError("forbidden", detail);
    }
    await next();
  };
}
