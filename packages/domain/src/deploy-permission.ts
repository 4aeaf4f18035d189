/** Who may have a pull request's head applied by a comment (rule 24). Whatever is not known is a no. */
import { compareTimes } from "./pull-request.ts";

/** Somebody's approval of the present head. */
export interface Approval {
  /** Null for an account that Bitbucket names without one: it cannot be shown to be somebody else's. */
  readonly userUuid: string | null;
  /** RFC 3339, by Bitbucket's clock; null when not sent. */
  readonly at: string | null;
}

/** What is known about a wish to deploy. */
export interface DeployRequest {
  /** Who wrote the comment; null: not known. */
  readonly commenterUuid: string | null;
  /** Account uuids that the target names; empty: nobody. */
  readonly deployers: readonly string[];
  /** Of the pull request; null: not known. */
  readonly authorUuid: string | null;
  /** Who pushed the present head; null: not known. */
  readonly pusherUuid: string | null;
  /** When the present head was first told, RFC 3339 by Bitbucket's clock; null: not known. */
  readonly headSeenAt: string | null;
  readonly approvals: readonly Approval[];
}

/**
 * Why a deploy is refused, as a clause without a full stop; null when it may run. It may when the target names the
 * commenter, and the present head was approved, after it was seen, by somebody other than its author and its pusher: a
 * head that was pushed onto an approved pull request has been read by nobody.
 */
export function refuseDeploy(request: DeployRequest): string | null {
  const { commenterUuid, deployers, authorUuid, pusherUuid, headSeenAt, approvals } = request;
  if (deployers.length === 0) return "the target has no deployers, so nobody may deploy it by a comment";
  if (!deployers.some((deployer) => isSameAccount(deployer, commenterUuid))) {
    return "the commenter is not among the target's deployers";
  }
  if (authorUuid === null) return "Bitbucket does not say who the author of the pull request is";
  if (pusherUuid === null) return "it is not known who pushed the present head";
  if (headSeenAt === null) return "it is not known when the present head was pushed";
  const isIndependent = ({ userUuid, at }: Approval): boolean =>
    userUuid !== null &&
    !isSameAccount(userUuid, authorUuid) &&
    !isSameAccount(userUuid, pusherUuid) &&
    at !== null &&
    isAfter(at, headSeenAt);
  return approvals.some(isIndependent)
    ? null
    : "nobody but its author or its pusher has approved the present head since it was pushed";
}

/** False for times that cannot be read, which `compareTimes` would not tell. */
function isAfter(later: string, earlier: string): boolean {
  return (
    [later, earlier].every((time) => !Number.isNaN(Date.parse(time))) && compareTimes(later, earlier) > 0
  );
}

/** Whether two uuids are of one account. One that is not known is never the same as another. */
export function isSameAccount(a: string | null, b: string | null): boolean {
  return a !== null && b !== null && bare(a) === bare(b);
}

function bare(uuid: string): string {
  return uuid.replaceAll(/[{}]/g, "").toLowerCase();
}
