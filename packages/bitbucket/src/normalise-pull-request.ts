/** Turns the body of a `pullrequest:*` delivery into its event (rules 9 to 11). Pure. */
import type { PullRequestAction, PullRequestEvent } from "@sluice/domain/event";
import type { z } from "zod";

import { invalidPayload, type NormaliseFailure } from "./normalise-failure.ts";
import {
  approvalBodySchema,
  changesRequestBodySchema,
  commentBodySchema,
  endedBodySchema,
  type PullRequestBody,
  pullRequestBodySchema,
} from "./pull-request-payload.ts";

interface Meaning {
  readonly action: PullRequestAction;
  readonly schema: z.ZodType<PullRequestBody>;
}

/** What each key means, and the shape that its body must have: keys are not signed, so a body must bear its key out. */
const KEYS = {
  "pullrequest:created": { action: "opened", schema: pullRequestBodySchema },
  "pullrequest:updated": { action: "updated", schema: pullRequestBodySchema },
  "pullrequest:approved": { action: "approved", schema: approvalBodySchema },
  "pullrequest:unapproved": { action: "unapproved", schema: approvalBodySchema },
  "pullrequest:changes_request_created": { action: "changes_requested", schema: changesRequestBodySchema },
  "pullrequest:changes_request_removed": {
    action: "changes_request_removed",
    schema: changesRequestBodySchema,
  },
  "pullrequest:fulfilled": { action: "merged", schema: endedBodySchema(["MERGED"]) },
  "pullrequest:rejected": { action: "closed", schema: endedBodySchema(["DECLINED", "SUPERSEDED"]) },
  "pullrequest:comment_created": { action: "commented", schema: commentBodySchema },
} satisfies Record<string, Meaning>;

/** The event keys of pull requests that this version acts on (rule 10). */
export type PullRequestKey = keyof typeof KEYS;

/** Whether an event key is one of those. */
export function isPullRequestKey(eventKey: string): eventKey is PullRequestKey {
  return Object.hasOwn(KEYS, eventKey);
}

/**
 * The one event of a body that was sent under `eventKey`, or where the body does not have the shape of that key. Throws
 * for no JSON.
 */
export function normalisePullRequest(
  eventKey: PullRequestKey,
  body: unknown,
): { readonly kind: "events"; readonly events: readonly PullRequestEvent[] } | NormaliseFailure {
  const { action, schema }: Meaning = KEYS[eventKey];
  const parsed = schema.safeParse(body);
  if (!parsed.success) return invalidPayload(parsed.error);
  const { repository, actor, pullrequest: pullRequest, comment = null } = parsed.data;
  return {
    kind: "events",
    events: [{ kind: "pull_request", action, repository, actor, pullRequest, comment }],
  };
}
