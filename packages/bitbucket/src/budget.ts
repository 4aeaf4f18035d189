/**
 * The port through which all workers share what a credential may ask of Bitbucket: 1,000 calls in a rolling hour, up to
 * 10,000 for access tokens of large workspaces
 * (https://support.atlassian.com/bitbucket-cloud/docs/api-request-limits/).
 */

/** What an answer taught about a credential's limit. */
export type BudgetLesson =
  /** A 429: no call before `retryAfterMs` are over; null when Bitbucket did not say how long, which is the rule. */
  | { readonly kind: "limited"; readonly retryAfterMs: number | null }
  /** `X-RateLimit-Limit`, sent for access tokens only. */
  | { readonly kind: "limit"; readonly limitPerHour: number };

/** Asked before every single request, also for a page, a redirect or a repetition. */
export interface CallBudget {
  /** Takes one call from the budget, or says how many ms to wait for one. */
  take(
    credentialId: string,
  ): Promise<{ readonly granted: true } | { readonly granted: false; readonly retryAfterMs: number }>;
  /** Keeps what an answer taught. */
  learn(credentialId: string, lesson: BudgetLesson): Promise<void>;
}
