/** The events that a webhook has to send us, by their keys and by the boxes of Bitbucket's page (rule 10). */

/** An event of Bitbucket as people choose it. */
export interface HookBox {
  /** As `X-Event-Key` has it. */
  readonly key: string;
  /** The heading that the box is under, on the page of a webhook. */
  readonly section: "Repository" | "Pull request";
  /** What is written beside the box. */
  readonly box: string;
}

/** Without these a trigger would be missed. */
export const REQUIRED_BOXES: readonly HookBox[] = [
  { key: "repo:push", section: "Repository", box: "Push" },
  { key: "pullrequest:created", section: "Pull request", box: "Created" },
  { key: "pullrequest:updated", section: "Pull request", box: "Updated" },
  { key: "pullrequest:approved", section: "Pull request", box: "Approved" },
  { key: "pullrequest:unapproved", section: "Pull request", box: "Approval removed" },
  { key: "pullrequest:fulfilled", section: "Pull request", box: "Merged" },
  { key: "pullrequest:comment_created", section: "Pull request", box: "Comment created" },
];

/**
 * Without `Declined`, closed pull requests stay open for us until a sweep finds them; the others tell policies of reviews
 * (https://developer.atlassian.com/cloud/bitbucket/announcement-new-request-changes-webhooks/).
 */
export const RECOMMENDED_BOXES: readonly HookBox[] = [
  { key: "pullrequest:rejected", section: "Pull request", box: "Declined" },
  {
    key: "pullrequest:changes_request_created",
    section: "Pull request",
    box: "Changes Request created",
  },
  {
    key: "pullrequest:changes_request_removed",
    section: "Pull request",
    box: "Changes Request removed",
  },
];

/** Boxes as a sentence has them: `Push, Created`. */
export function nameBoxes(boxes: readonly HookBox[]): string {
  return boxes.map(({ box }) => box).join(", ");
}
