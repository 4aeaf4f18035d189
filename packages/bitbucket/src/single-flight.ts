/** Makes identical work that is asked for at the same time once. */

/** Shared by whoever may ask for the same thing. */
export interface SingleFlight<T> {
  /**
   * What `work` gives, or what the work that already runs under `key` gives: its value or its error, the same object
   * for all. Nothing is kept once it has settled.
   */
  run(key: string, work: () => Promise<T>): Promise<T>;
}

/** A `SingleFlight` for this process. */
export function createSingleFlight<T>(): SingleFlight<T> {
  const running = new Map<string, Promise<T>>();
  return {
    run(key, work) {
      const present = running.get(key);
      if (present !== undefined) return present;
      const started = Promise.resolve()
        .then(work)
        .finally(() => running.delete(key));
      running.set(key, started);
      return started;
    },
  };
}
