/** Pull requests: what is known of each by now. */
import { z, type OpenAPIHono } from "@hono/zod-openapi";
import type { Database } from "@sluice/store/client";
import { listEventRecords } from "@sluice/store/event-records";
import {
  findPullRequestRecord,
  listLinkedCommits,
  listPullRequestRecords,
} from "@sluice/store/pull-request-records";

import { accessOf, defineRoute, problemResponse } from "./access/define-route.ts";
import type { ApiEnv } from "./api-env.ts";
import { text } from "./body-text.ts";
import { pageOf, pageQuery, readCursor, toPage } from "./pages.ts";
import { parseId } from "./path-id.ts";
import { ProblemError } from "./problem.ts";
import {
  pullRequestDetailsSchema,
  pullRequestNumber,
  pullRequestSchema,
  toPullRequestDetails,
  toPullRequestDocument,
} from "./pull-request-document.ts";

const MAX_LINKED_COMMITS = 100;
const MAX_LAST_EVENTS = 20;

const listRoute = defineRoute("read", {
  method: "get",
  path: "/v1/pull-requests",
  tags: ["Pull requests"],
  summary: "List pull requests",
  description:
    "Those into repositories of integrations within your reach, and into repositories with a stack or module within it.",
  request: {
    query: pageQuery
      .extend({
        repository_id: z.guid().optional().openapi({ description: "Only those into this repository." }),
        state: text(50)
          .optional()
          .openapi({ description: "Bitbucket's word, in any case.", example: "open" }),
        source_branch: text(500)
          .optional()
          .openapi({ description: "Only those from a branch of this name." }),
      })
      .strict(),
  },
  responses: {
    200: {
      description: "Repository by repository, the highest number of each first.",
      content: { "application/json": { schema: pageOf(pullRequestSchema) } },
    },
  },
});

const params = z.object({
  repository_id: z
    .string()
    .openapi({ param: { name: "repository_id", in: "path" }, format: "uuid", description: "A UUID." }),
  number: z.string().openapi({ param: { name: "number", in: "path" }, description: "Its number there." }),
});

const getRoute = defineRoute("read", {
  method: "get",
  path: "/v1/pull-requests/{repository_id}/{number}",
  tags: ["Pull requests"],
  summary: "Look at a pull request, with its approvals, commits and last events",
  request: { params },
  responses: {
    200: {
      description: "The pull request.",
      content: { "application/json": { schema: pullRequestDetailsSchema } },
    },
    404: problemResponse("There is no such pull request within your reach."),
  },
});

const cursorSchema = z.object({
  repositoryId: z.guid(),
  number: z
    .int()
    .min(1)
    .max(2 ** 31 - 1),
});

/** Adds the routes of /v1/pull-requests. */
export function addPullRequestRoutes(
  app: OpenAPIHono<ApiEnv>,
  { store }: { readonly store: Database },
): void {
  app.openapi(listRoute, async (c) => {
    const { limit, cursor, repository_id, state, source_branch } = c.req.valid("query");
    const rows = await listPullRequestRecords(store, {
      reach: accessOf(c).reach,
      filter: { repositoryId: repository_id, state, sourceBranch: source_branch },
      limit: limit + 1,
      after: readCursor(cursor, cursorSchema),
    });
    const page = toPage(rows, {
      limit,
      toItem: toPullRequestDocument,
      positionOf: ({ repositoryId, number }) => ({ repositoryId, number }),
    });
    return c.json(page, 200);
  });

  app.openapi(getRoute, async (c) => {
    const { reach } = accessOf(c);
    const name = parseName(c.req.valid("param"));
    const record = await findPullRequestRecord(store, { ...name, reach });
    if (record === null) throw noSuchPullRequest();
    const [commits, events] = await Promise.all([
      listLinkedCommits(store, { ...name, limit: MAX_LINKED_COMMITS + 1 }),
      listEventRecords(store, {
        reach,
        filter: { repositoryId: name.repositoryId, pullRequest: name.number, isUndecided: false },
        limit: MAX_LAST_EVENTS,
        before: null,
      }),
    ]);
    const details = toPullRequestDetails(record, {
      commits: commits.slice(0, MAX_LINKED_COMMITS),
      hasMoreCommits: commits.length > MAX_LINKED_COMMITS,
      events,
    });
    return c.json(details, 200);
  });
}

/** What is no number names nothing here, as with ids. */
function parseName(path: z.infer<typeof params>) {
  const number = pullRequestNumber().safeParse(path.number);
  if (!number.success) throw noSuchPullRequest();
  return { repositoryId: parseId(path.repository_id), number: number.data };
}

function noSuchPullRequest(): ProblemError {
  return new ProblemError("not_found", "There is no pull request of this number in this repository.");
}
