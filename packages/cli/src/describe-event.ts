/** An event in words. */
import type { EventExplanation, ExplainedEvent } from "@sluice/store/event-explanations";

/** As many digits as Bitbucket's pages show are enough to find it. */
const SHORT_SHA_LENGTH = 12;

/** What came, as a heading. */
export function describeEvent({ delivery, event }: Pick<EventExplanation, "delivery" | "event">): string {
  const { eventKey, failure } = delivery;
  if (failure !== null) {
    const where = failure.path === "" ? "the body" : failure.path;
    return `${eventKey} that cannot be read: ${failure.code} at ${where}: ${failure.message}`;
  }
  if (event === null) return `${eventKey} that moved no branch and no tag`;
  return event.kind === "push" ? describePush(event) : `${eventKey}, on which Sluice does not act`;
}

function describePush(push: ExplainedEvent): string {
  const { refKind, refName, repository, change, forced, actor } = push;
  const by = actor === null ? "" : ` by ${actor.displayName ?? actor.uuid ?? "an unnamed account"}`;
  const where = `${refName ?? ""} of ${repository ?? "an unknown repository"}`;
  const moved = describeMove(push);
  if (refKind === "branch" && change === "updated") {
    return `${forced ? "force push" : "push"} to ${where}, ${moved}${by}`;
  }
  const kind = refKind === "other" ? "ref of a kind that Sluice does not know," : (refKind ?? "ref");
  const verb = change === "updated" ? (forced ? "moved by force" : "moved") : (change ?? "pushed");
  return `${kind} ${where} ${verb}, ${moved}${by}`;
}

function describeMove({ change, oldSha, newSha }: ExplainedEvent): string {
  switch (change) {
    case "created":
      return `at ${shorten(newSha)}`;
    case "deleted":
      return `was at ${shorten(oldSha)}`;
    default:
      return `${shorten(oldSha)}..${shorten(newSha)}`;
  }
}

function shorten(sha: string | null): string {
  return sha === null ? "unknown" : sha.slice(0, SHORT_SHA_LENGTH);
}

/** A text in which every hash of 40 digits is cut to its first 12. */
export function shortenHashes(text: string): string {
  return text.replaceAll(/\b[0-9a-f]{40}\b/g, (sha) => sha.slice(0, SHORT_SHA_LENGTH));
}
