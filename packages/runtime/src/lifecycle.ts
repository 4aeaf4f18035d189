/** From the start of a process to its end: signals, crashes, exit codes. Only main.ts calls this. */
import { constants } from "node:os";
import { AppError } from "@sluice/domain/app-error";
import { ConfigurationError } from "./configuration.ts";
import type { Logger } from "./logger.ts";
import { describeError } from "./redaction.ts";
import { withTimeout } from "./with-timeout.ts";

/** The codes with which a process ends. A second signal ends it with 128 + the signal's number, as shells have it. */
const EXIT_CODES = {
  /** Stopped when asked, nothing cut off. */
  stopped: 0,
  /** Did not start, crashed, or had to be cut off at the end of its drain time. */
  failed: 1,
  /** Has a wrong configuration: to start it again changes nothing (EX_CONFIG of sysexits.h). */
  misconfigured: 78,
} as const;

const STOP_SIGNALS = ["SIGTERM", "SIGINT"] as const;
type StopSignal = (typeof STOP_SIGNALS)[number];

/** The last part of the drain time, in which connections are cut and the process ends: a fifth of it, at most this. */
const MAX_CUT_OFF_MS = 1_000;

/** What has been started. */
export interface RunningService {
  /** Takes no new work, finishes what is in hand within `graceMs`, then lets go of everything. */
  close(graceMs: number): Promise<void>;
}

/** What is run. */
export interface ServiceOptions {
  /** On the log lines of the lifecycle. */
  readonly name: string;
  readonly logger: Logger;
  /** `signal` is aborted when the process has to stop, also while it still starts. */
  readonly start: (signal: AbortSignal) => Promise<RunningService>;
  /** From the first signal until the process is gone, at the latest. */
  readonly drainTimeoutMs: number;
}

/**
 * Starts a service and sees the process to its end. SIGTERM or SIGINT: one graceful stop, exit 0. A second signal:
 * gone at once. An error that nobody caught: logged as fatal, graceful stop, exit 1. Resolves when it has started or
 * failed; the process ends by itself later.
 */
export async function runService({ name, logger, start, drainTimeoutMs }: ServiceOptions): Promise<void> {
  const stopping = new AbortController();
  const log = logger.child({ process: name });
  const starting = Promise.resolve(stopping.signal).then(start);
  let isStopping = false;
  let hasCrashed = false;

  const stop = async (): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    stopping.abort(new AppError("process_stopping", "the process is stopping", { retry: "never" }));
    const isClosed = await closeInTime(starting, drainTimeoutMs, log);
    process.exit(isClosed && !hasCrashed ? EXIT_CODES.stopped : EXIT_CODES.failed);
  };
  listenToSignals((signal) => {
    if (isStopping) process.exit(128 + constants.signals[signal]);
    log.info({ signal, drainTimeoutMs }, "service.stopping");
    void stop();
  });
  listenToCrashes((err, origin) => {
    hasCrashed = true;
    log.fatal({ err, origin }, "service.crashed");
    void stop();
  });

  try {
    await starting;
    log.info("service.started");
  } catch (error) {
    if (!isStopping) failToStart(error, log);
    // A start that was broken off by a signal ends as a stop.
    log.warn({ err: error }, "service.start_broken_off");
  }
}

/**
 * The configuration that `load` gives. When it is wrong, its list goes to standard error (there is no logger yet)
 * and the process ends with 78.
 */
export function loadOrExit<Loaded>(load: () => Loaded): Loaded {
  try {
    return load();
  } catch (error) {
    if (error instanceof ConfigurationError) exitMisconfigured(error);
    throw error;
  }
}

/** Whether everything was closed, without an error, before the time was over. */
async function closeInTime(
  starting: Promise<RunningService>,
  totalMs: number,
  log: Logger,
): Promise<boolean> {
  const cutOffMs = Math.min(MAX_CUT_OFF_MS, totalMs / 5);
  const close = async (): Promise<void> => {
    // A start that failed has cleaned up behind itself, and has been told already.
    const service = await starting.catch(() => null);
    await service?.close(totalMs - cutOffMs);
  };
  try {
    await withTimeout(close(), totalMs);
    log.info("service.stopped");
    return true;
  } catch (err) {
    log.error({ err, drainTimeoutMs: totalMs }, "service.stop_failed");
    return false;
  }
}

function failToStart(error: unknown, log: Logger): never {
  if (error instanceof ConfigurationError) exitMisconfigured(error);
  const code = codeOf(error);
  // An error with a code of ours says what to do: its line is enough. Of anything else the stack is needed.
  if (code !== null) {
    log.fatal({ code, reason: describeError(error) }, "service.start_failed");
  } else {
    log.fatal({ err: error }, "service.start_failed");
  }
  process.exit(EXIT_CODES.failed);
}

/** The code of an AppError, or of an error of a package that imports nothing of ours; null for any other. */
function codeOf(error: unknown): string | null {
  const code: unknown = error instanceof Error && "code" in error ? error.code : null;
  return typeof code === "string" && /^[a-z]+(?:_[a-z]+)+$/.test(code) ? code : null;
}

function exitMisconfigured(error: ConfigurationError): never {
  process.stderr.write(`${error.message}\n`);
  process.exit(EXIT_CODES.misconfigured);
}

function listenToSignals(onSignal: (signal: StopSignal) => void): void {
  for (const signal of STOP_SIGNALS) process.on(signal, () => onSignal(signal));
}

/** An unhandled rejection arrives here too: Node raises it as an uncaught exception and says so in `origin`. */
function listenToCrashes(onCrash: (error: unknown, origin: NodeJS.UncaughtExceptionOrigin) => void): void {
  process.on("uncaughtException", onCrash);
}
