/** An answer in bounded time, whatever the other side does. */

/**
 * The outcome of `work`, or `onTimeout()` thrown after `deadlineMs`. The work itself is not stopped; what becomes of it
 * afterwards is ignored.
 */
export async function withDeadline<T>(
  work: Promise<T>,
  deadlineMs: number,
  onTimeout: () => Error,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(onTimeout()), deadlineMs);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether `work` ended, well or badly, within `limitMs`. Never rejects. */
export async function endsWithin(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  const ended = work.then(
    () => true,
    () => true,
  );
  return withDeadline(ended, limitMs, () => new Error("time is up")).catch(() => false);
}
