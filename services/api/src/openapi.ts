/** The API's description, and the page to read it on. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Hono } from "hono";

import type { ApiEnv } from "./api-env.ts";

/** Where the description is. */
const OPENAPI_PATH = "/openapi.json";
/** Where it is read as a page. */
export const REFERENCE_PATH = "/reference";

const DESCRIPTION = `Sets Sluice up, and tells what became of every event.

**Keys.** Every request carries \`Authorization: Bearer <key>\`. A key has a role on a space: \`read\`, \`write\`, \`admin\` or
\`scheduler\`, which holds below that space too, through an unbroken chain of spaces that inherit. An admin of the root
space may do everything everywhere. What is outside of a key's spaces is not found (404); what its role does not allow is
forbidden (403). \`x-permission\` of each operation says what it needs.

**Lists** have \`items\` and \`next_cursor\`. **Errors** are \`application/problem+json\` (RFC 9457) with a stable \`type\`.
**POST** with an \`Idempotency-Key\` is done once. **PUT** needs \`If-Match\` with the \`ETag\` of what it replaces.
Times are RFC 3339 in UTC, ids are UUIDs.`;

/** The description of the routes that `app` has. */
export function openApiDocument(app: OpenAPIHono<ApiEnv>): object {
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Sluice",
      version: "1",
      description: DESCRIPTION,
      license: { name: "Apache 2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    servers: [{ url: "/" }],
  });
}

/** The description as JSON, and a page to read it on; both for everybody, since they tell nothing of this installation. */
export function addReference(app: Hono<ApiEnv>, document: object): void {
  app.get(OPENAPI_PATH, (c) => c.json(document));
  app.get(REFERENCE_PATH, (c) => c.html(PAGE));
  for (const [name, type] of ASSETS) {
    app.get(`${REFERENCE_PATH}/${name}`, async (c) =>
      c.body(await readFile(join(ASSETS_DIRECTORY, name), "utf8"), 200, {
        "content-type": type,
        "cache-control": "max-age=3600",
      }),
    );
  }
  app.get(`${REFERENCE_PATH}/start.js`, (c) => c.body(START, 200, { "content-type": "text/javascript" }));
}

const ASSETS_DIRECTORY = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));

const ASSETS: readonly (readonly [string, string])[] = [
  ["swagger-ui.css", "text/css"],
  ["swagger-ui-bundle.js", "text/javascript"],
];

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Sluice API</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="${REFERENCE_PATH}/swagger-ui.css" />
  </head>
  <body>
    <main id="reference"></main>
    <script src="${REFERENCE_PATH}/swagger-ui-bundle.js"></script>
    <script src="${REFERENCE_PATH}/start.js"></script>
  </body>
</html>
`;

/** The key is kept by nobody: closing the page forgets it. Extensions are shown for the sake of `x-permission`. */
const START = `SwaggerUIBundle({
  url: "${OPENAPI_PATH}",
  dom_id: "#reference",
  deepLinking: true,
  persistAuthorization: false,
  showExtensions: true,
});
`;
