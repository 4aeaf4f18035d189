/** Turns a verified delivery into events of the domain (rules 9 to 11). Pure: the same bytes give the same events. */
import type { Event, PushEvent, RefKind } from "@sluice/domain/event";

import { invalidPayload, type NormaliseFailure } from "./normalise-failure.ts";
import { isPullRequestKey, normalisePullRequest } from "./normalise-pull-request.ts";
import { changeKindSchema, deletedRefSchema, movedRefSchema, pushSchema } from "./payload.ts";
import { storableText } from "./storable-text.ts";

/** What a delivery says: zero or more events in the order of the body, or why it is set aside. */
export type NormaliseResult =
  { readonly kind: "events"; readonly events: readonly Event[] } | NormaliseFailure;

/**
 * The events of a delivery. A key that this version does not act on gives one `unsupported` event, whatever the body.
 * A body that lacks something a rule needs is `failed` as a whole, never guessed. Throws for no input.
 */
export function normaliseDelivery(delivery: {
  readonly eventKey: string;
  readonly body: Uint8Array;
}): NormaliseResult {
  const normalise = findNormaliser(delivery.eventKey);
  if (normalise === null) {
    return { kind: "events", events: [{ kind: "unsupported", eventKey: storableText(delivery.eventKey) }] };
  }
  const body = parseBody(delivery.body);
  return body.kind === "failed" ? body : normalise(body.value);
}

/** What reads the bodies of an event key; null for one that this version does not act on. */
function findNormaliser(eventKey: string): ((body: unknown) => NormaliseResult) | null {
  if (eventKey === "repo:push") return normalisePush;
  if (isPullRequestKey(eventKey)) return (body) => normalisePullRequest(eventKey, body);
  return null;
}

function parseBody(body: Uint8Array): { readonly kind: "json"; readonly value: unknown } | NormaliseFailure {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    return unreadable("invalid_utf8", "the body is not UTF-8");
  }
  try {
    return { kind: "json", value: JSON.parse(text) };
  } catch {
    // The parser's own message quotes the body, which may hold personal data.
    return unreadable("invalid_json", "the body is not JSON");
  }
}

function unreadable(code: "invalid_utf8" | "invalid_json", message: string): NormaliseFailure {
  return { kind: "failed", code, path: "", message };
}

function normalisePush(body: unknown): NormaliseResult {
  const parsed = pushSchema.safeParse(body);
  if (!parsed.success) return invalidPayload(parsed.error);
  const { repository, actor, push } = parsed.data;
  const events: PushEvent[] = [];
  for (const [index, raw] of push.changes.entries()) {
    const change = normaliseChange(raw, ["push", "changes", index]);
    if (change.kind === "failed") return change;
    events.push({ kind: "push", repository, actor, ...change.facts });
  }
  return { kind: "events", events };
}

type ChangeFacts = Omit<PushEvent, "kind" | "repository" | "actor">;
type NormalisedChange = { readonly kind: "change"; readonly facts: ChangeFacts } | NormaliseFailure;

function normaliseChange(raw: unknown, path: readonly PropertyKey[]): NormalisedChange {
  const parsed = changeKindSchema.safeParse(raw);
  if (!parsed.success) return invalidPayload(parsed.error, path);
  const isDeletion = parsed.data.new === undefined || parsed.data.new === null;
  return isDeletion ? normaliseDeletedRef(raw, path) : normaliseMovedRef(raw, path);
}

function normaliseMovedRef(raw: unknown, path: readonly PropertyKey[]): NormalisedChange {
  const parsed = movedRefSchema.safeParse(raw);
  if (!parsed.success) return invalidPayload(parsed.error, path);
  const { old, new: moved, forced } = parsed.data;
  const facts: ChangeFacts = {
    refKind: refKindOf(moved.type),
    refName: moved.name,
    change: old === undefined || old === null ? "created" : "updated",
    oldSha: old?.target ?? null,
    newSha: moved.target.sha,
    forced,
    commit: moved.target,
  };
  return { kind: "change", facts };
}

function normaliseDeletedRef(raw: unknown, path: readonly PropertyKey[]): NormalisedChange {
  const parsed = deletedRefSchema.safeParse(raw);
  if (!parsed.success) return invalidPayload(parsed.error, path);
  const { old, forced } = parsed.data;
  const facts: ChangeFacts = {
    refKind: refKindOf(old.type),
    refName: old.name,
    change: "deleted",
    oldSha: old.target,
    newSha: null,
    forced,
    commit: null,
  };
  return { kind: "change", facts };
}

/** `named_branch` is what Mercurial's branches were called, `annotated_tag` what some clients call a tag. */
function refKindOf(type: string): RefKind {
  switch (type) {
    case "branch":
    case "named_branch":
      return "branch";
    case "tag":
    case "annotated_tag":
      return "tag";
    default:
      return "other";
  }
}
