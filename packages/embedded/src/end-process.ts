/** Ends a process without awaiting anything, for the moment in which our own process exits. */
import { isProcessAlive, type ProcessIdentity } from "./process-identity.ts";

/** How long a process may take to end, in ms; after that we leave it. */
const END_TIMEOUT_MS = 5_000;
const POLL_INTERVAL_MS = 10;

/** Sends the signal and blocks until the process is gone. Does nothing when it is not that process any more. */
export function endProcessNow(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  const deadline = performance.now() + END_TIMEOUT_MS;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  if (isProcessAlive(identity)) process.kill(identity.pid, signal);
  while (isProcessAlive(identity) && performance.now() < deadline)
    Atomics.wait(sleeper, 0, 0, POLL_INTERVAL_MS);
}
