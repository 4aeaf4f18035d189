/** An event in words. */
import type { PullRequestAction } from "@sluice/domain/event";
import type {
  EventExplanation,
  ExplainedEvent,
  ExplainedPullRequest,
} from "@sluice/store/event-explanations";

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
  if (event.kind === "push") return describePush(event);
  return event.pullRequest === null
    ? `${eventKey}, on which Sluice does not act`
    : describePullRequest(event, event.pullRequest);
}

const ACTIONS: Readonly<Record<PullRequestAction, string>> = {
  opened: "opened",
  updated: "updated",
  synchronize: "came to another head or base",
  edited: "edited",
  approved: "approved",
  unapproved: "no longer approved",
  changes_requested: "sent back with a request for changes",
  changes_request_removed: "no longer asked for changes",
  merged: "merged",
  closed: "declined",
  commented: "commented on",
};

function describePullRequest(event: ExplainedEvent, { title, ...rest }: ExplainedPullRequest): string {
  const { pullRequestNumber, repository, action, actor } = event;
  const { fork, source, destination } = rest;
  const which = `pull request ${String(pullRequestNumber)} of ${repository ?? "an unknown repository"}`;
  const what = action === null ? "told of" : ACTIONS[action];
  const from =
    fork === null ? source.branch : `${source.branch} of the fork ${fork.fullName ?? "that is gone"}`;
  return `${which} ${what}${describeActor(actor)}: ${JSON.stringify(title)}, ${from} → ${destination.branch}`;
}

/** What a pull request event told, and what is known of the pull request by now; none for any other event. */
export function describePullRequestFacts({ pullRequest, comment }: ExplainedEvent): string[] {
  if (pullRequest === null) return [];
  const { source, mergeSha, state } = pullRequest;
  const merge = mergeSha === null ? "" : `, merged as ${shorten(mergeSha)}`;
  return [
    ...(comment === null ? [] : [`comment ${String(comment.id)}: ${quote(comment.text)}`]),
    `told: ${state}, head ${shorten(source.sha)}${merge}`,
    describePresent(pullRequest),
    ...describeLinks(pullRequest),
  ];
}

function describePresent({ present }: ExplainedPullRequest): string {
  if (present === null) return "now: not kept any more";
  const { state, headSha, mergeSha, isApproved } = present;
  const head = headSha === null ? "its branch is gone" : `head ${shorten(headSha)}`;
  const merge = mergeSha === null ? "" : `, merged as ${shorten(mergeSha)}`;
  return `now: ${state}, ${head}${merge}, ${isApproved ? "approved" : "not approved by anybody but its author"}`;
}

function describeLinks({ linkedCommits, hasMoreLinkedCommits }: ExplainedPullRequest): string[] {
  if (linkedCommits.length === 0) return [];
  const more = hasMoreLinkedCommits ? " and more" : "";
  return [`commits linked to it: ${linkedCommits.map(shorten).join(", ")}${more}`];
}

/** As much of a comment as a line has room for. */
const MAX_COMMENT_CHARACTERS = 200;

function quote(text: string): string {
  const characters = Array.from(text.slice(0, 2 * MAX_COMMENT_CHARACTERS));
  const isWhole = characters.length <= MAX_COMMENT_CHARACTERS;
  return JSON.stringify(isWhole ? text : `${characters.slice(0, MAX_COMMENT_CHARACTERS).join("")}…`);
}

function describeActor(actor: ExplainedEvent["actor"]): string {
  return actor === null ? "" : ` by ${actor.displayName ?? actor.uuid ?? "an unnamed account"}`;
}

function describePush(push: ExplainedEvent): string {
  const { refKind, refName, repository, change, forced, actor } = push;
  const by = describeActor(actor);
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
