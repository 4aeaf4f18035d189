/** What is open, so that it is closed in the reverse order: at the end of a run, on a failure, and on Ctrl-C. */

/** A list of things to close. */
export interface Resources {
  /** Registers what closes something that was just opened. */
  defer(close: () => unknown): void;
  /** Resources of a part, closed with the whole at the latest. */
  nested(): Resources;
  /** Whether `close` was called: nothing can be opened any more. */
  readonly isClosed: boolean;
  /** Closes everything, the newest first. A failure does not keep the rest open. Safe to call again. */
  close(): Promise<void>;
}

/** Nothing is open yet. */
export function createResources(): Resources {
  const open: (() => unknown)[] = [];
  let isClosed = false;
  const resources: Resources = {
    get isClosed() {
      return isClosed;
    },
    defer(close) {
      open.push(close);
      if (!isClosed) return;
      void resources.close();
      throw new Error("the benchmark was stopped");
    },
    nested() {
      const part = createResources();
      resources.defer(() => part.close());
      return part;
    },
    async close() {
      isClosed = true;
      for (let close = open.pop(); close !== undefined; close = open.pop()) {
        await Promise.resolve(close)
          .then((run) => run())
          .catch(() => undefined);
      }
    },
  };
  return resources;
}

/** Runs `work` with resources of its own, which are closed when it ends, however that is. */
export async function withResources<R>(parent: Resources, work: (own: Resources) => Promise<R>): Promise<R> {
  const own = parent.nested();
  try {
    return await work(own);
  } finally {
    await own.close();
  }
}
