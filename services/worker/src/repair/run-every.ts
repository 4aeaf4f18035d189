import type { Logger } from "@sluice/runtime/logger";

/** Work that is done again and again until it is stopped. */
export interface Recurring {
  /** Resolves when a run under way has ended. */
  stop(): Promise<void>;
}

/**
 * Runs `work` now, or after `firstAfterMs`, and then `intervalMs` after each end; a failure is logged and does not end it.
 */
export function runEvery(input: {
  readonly name: string;
  readonly intervalMs: number;
  readonly firstAfterMs?: number;
  readonly logger: Logger;
  readonly work: () => Promise<void>;
}): Recurring {
  const { name, intervalMs, firstAfterMs = 0, logger, work } = input;
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let running: Promise<void> = Promise.resolve();

  const run = async (): Promise<void> => {
    try {
      await work();
    } catch (error) {
      logger.warn({ err: error, task: name }, "recurring.failed");
    }
    if (!stopped) timer = setTimeout(start, intervalMs);
  };
  const start = (): void => {
    running = run();
  };
  if (firstAfterMs === 0) start();
  else timer = setTimeout(start, firstAfterMs);
  return {
    stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      return running;
    },
  };
}
