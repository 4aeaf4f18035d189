/**
 * A process of its own for the tests. Its arguments: the queue's URL, its namespace, and the name of a queue, of which
 * it takes one job after the other and never finishes one. It tells its parent each job's id; told anything, it closes
 * whatever it has opened, and then nothing is left that would keep it from ending.
 */
import { createQueueAdministration } from "./administration.ts";
import { openQueueBackend } from "./backend.ts";
import { createConsumer } from "./consumer.ts";
import { createProducer } from "./producer.ts";
import { parseQueueUrl } from "./queue-url.ts";
import { eventsQueue } from "./queues.ts";

const [url = "", namespace = "", name = ""] = process.argv.slice(2);
const queue = { ...eventsQueue, name };
const backend = openQueueBackend(parseQueueUrl(url), { namespace });
const producer = createProducer(backend, { ...queue, name: `${name}_next` });
const administration = createQueueAdministration(backend);

const consumer = createConsumer(
  backend,
  queue,
  async ({ jobId, payload }) => {
    await producer.add(payload);
    await administration.queueCounts(queue);
    await backend.check();
    process.send?.(jobId);
    await new Promise(() => undefined);
  },
  { concurrency: 2 },
);

process.once("message", () => void close());

async function close(): Promise<void> {
  await consumer.close(200);
  await producer.close();
  await administration.close();
  await backend.close();
  process.disconnect();
}
