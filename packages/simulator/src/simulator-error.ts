/** What a caller of the simulator did that Bitbucket (or git) would have refused. */
export type SimulatorErrorCode =
  | "already_exists"
  | "unknown_revision"
  | "unknown_ref"
  | "push_rejected"
  | "merge_conflict"
  | "not_mergeable"
  | "wrong_state"
  | "too_many_hooks";

/** A mistake in a test or a story: the message names the thing and what to do. `code` is stable. */
export class SimulatorError extends Error {
  readonly code: SimulatorErrorCode;

  constructor(code: SimulatorErrorCode, message: string) {
    super(message);
    this.name = "SimulatorError";
    this.code = code;
  }
}
