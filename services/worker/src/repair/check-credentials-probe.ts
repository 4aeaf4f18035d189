import { BitbucketError } from "@sluice/bitbucket/bitbucket-error";
import type { BitbucketClient } from "@sluice/bitbucket/client";
import type { ProbedRepository } from "@sluice/store/credential-checks";

/** What asking Bitbucket with a credential showed of it. */
export type Probe =
  | { readonly kind: "accepted" }
  | { readonly kind: "refused"; readonly httpStatus: 401 | 403; readonly message: string }
  /** No answer that tells, as in an outage. `retryAfterMs` null: nobody said when to ask again. */
  | { readonly kind: "unknown"; readonly because: string; readonly retryAfterMs: number | null };

/** Nobody answers, or everybody is answered so: to ask for another repository would not help. */
const NO_ANSWER: ReadonlySet<string> = new Set([
  "bitbucket_rate_limited",
  "bitbucket_budget_exhausted",
  "bitbucket_unavailable",
  "bitbucket_timeout",
  "bitbucket_unreachable",
] satisfies BitbucketError["code"][]);

/**
 * Asks for repositories one after the other, until an answer tells. A 401 does, and so does a 404, which somebody who is
 * not known would not get. A 403 is about one repository, unless all are answered so: as when a token has lost its scopes,
 * its owner was suspended, or a workspace admits other addresses only.
 * @throws what is no failure of a call.
 */
export async function probeCredential(
  client: Pick<BitbucketClient, "getRepository">,
  repositories: readonly ProbedRepository[],
): Promise<Probe> {
  const because = "the integration has no repository to ask for";
  let last: Probe = { kind: "unknown", because, retryAfterMs: null };
  let isForbidden = repositories.length > 0;
  for (const repository of repositories) {
    const { probe, isFinal } = await probeWith(client, repository);
    if (isFinal) return probe;
    isForbidden &&= probe.kind === "refused";
    if (isForbidden || probe.kind === "unknown") last = probe;
  }
  return last;
}

async function probeWith(
  client: Pick<BitbucketClient, "getRepository">,
  repository: ProbedRepository,
): Promise<{ readonly probe: Probe; readonly isFinal: boolean }> {
  try {
    await client.getRepository(repository);
    return { probe: { kind: "accepted" }, isFinal: true };
  } catch (error) {
    if (!(error instanceof BitbucketError)) throw error;
    const { code, message, retry } = error;
    if (code === "bitbucket_not_found") return { probe: { kind: "accepted" }, isFinal: true };
    if (code === "bitbucket_unauthorized") {
      return { probe: { kind: "refused", httpStatus: 401, message }, isFinal: true };
    }
    if (code === "bitbucket_forbidden") {
      return { probe: { kind: "refused", httpStatus: 403, message }, isFinal: false };
    }
    const retryAfterMs = typeof retry === "object" ? retry.afterMs : null;
    return { probe: { kind: "unknown", because: message, retryAfterMs }, isFinal: NO_ANSWER.has(code) };
  }
}
