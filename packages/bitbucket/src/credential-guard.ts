/** The port through which all workers know that Bitbucket refuses a credential, so that nobody goes on calling with it. */

/** An answer that may be about the credential itself, and not about what was asked for. */
export interface CredentialRefusal {
  /** 401 is about the credential; 403 may be about the one repository, or about one scope. */
  readonly status: 401 | 403;
  /** What failed, what Bitbucket said and what to do; without secrets. */
  readonly message: string;
}

/** The guard of one credential. Whatever it throws, the call fails with. */
export interface CredentialGuard {
  /** Asked before every single request. @throws when the credential is not to be used for now: nothing is sent. */
  admit(): Promise<void>;
  /** Told of a refusal. When it does not throw, the call fails with what the answer means. */
  refused(refusal: CredentialRefusal): Promise<void>;
}

/** Lets everything pass: for who asks whether a credential is refused. */
export const noGuard: CredentialGuard = {
  admit: () => Promise.resolve(),
  refused: () => Promise.resolve(),
};
