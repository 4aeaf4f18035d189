/** The record that BullMQ keeps of what happens to jobs, for QueueEvents, which nothing here uses. */

/** BullMQ's `streams` option: the last hundred events instead of ten thousand. */
export const EVENT_STREAM = { events: { maxLen: 100 } };
