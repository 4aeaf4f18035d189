/** `sluice queue`: what has failed, and its way back. */
import { createQueueAdministration, type QueueAdministration } from "@sluice/queue/administration";
import { openQueueBackend } from "@sluice/queue/backend";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { allQueues } from "@sluice/queue/queues";
import { loadConfiguration } from "@sluice/runtime/configuration";
import { queueVariables } from "@sluice/runtime/variables";

import { type CliContext, EXIT_CODES, type ExitCode } from "./cli-context.ts";
import type { FailedOptions, RetryOptions } from "./commands/queue.ts";
import { findEnvironment } from "./running-environment.ts";
import { usageInvalid } from "./usage-error.ts";

type Queue = (typeof allQueues)[number];

/** Lists failed jobs; `name` null: of every queue. @throws AppError `usage_invalid`, `queue_unavailable`. */
export async function listFailedJobs(
  { name, limit, json }: FailedOptions & { readonly name: string | null },
  context: CliContext,
): Promise<ExitCode> {
  const queues = name === null ? allQueues : [findQueue(name)];
  const failed = await administer(context, (administration) =>
    Promise.all(
      queues.map(async (queue) =>
        (await administration.listFailed(queue, { limit })).map((job) => ({ queue: queue.name, ...job })),
      ),
    ),
  );
  const jobs = failed.flat();
  if (json) {
    context.print(`${JSON.stringify(jobs, null, 2)}\n`);
  } else if (jobs.length === 0) {
    context.print("No job has failed.\n");
  } else {
    for (const { queue, jobId, failedAt, attempts, reason } of jobs) {
      const tries = attempts === 1 ? "1 attempt" : `${String(attempts)} attempts`;
      context.print(`${queue} ${jobId}  ${failedAt.toISOString()}  after ${tries}: ${reason}\n`);
    }
  }
  return EXIT_CODES.done;
}

/** Puts failed jobs back. Exit code 1 when not all that were named could be. @throws as listFailedJobs. */
export async function retryFailedJobs(
  { name, jobs, all, json }: RetryOptions & { readonly name: string; readonly jobs: readonly string[] },
  context: CliContext,
): Promise<ExitCode> {
  if (all === jobs.length > 0) {
    throw usageInvalid("name the jobs to retry, or give --all");
  }
  const queue = findQueue(name);
  const retried = await administer(context, (administration) =>
    administration.retryFailed(queue, all ? "all" : jobs),
  );
  context.print(
    json ? `${JSON.stringify({ queue: name, retried })}\n` : `${String(retried)} put back into ${name}.\n`,
  );
  if (all || retried === jobs.length) return EXIT_CODES.done;
  context.report(`${String(jobs.length - retried)} are not among the failed jobs (any more).\n`);
  return EXIT_CODES.failed;
}

function findQueue(name: string): Queue {
  const queue = allQueues.find((one) => one.name === name);
  if (queue !== undefined) return queue;
  const names = allQueues.map((one) => one.name).join(", ");
  throw usageInvalid(`there is no queue ${name} (there are ${names})`);
}

async function administer<Result>(
  context: CliContext,
  work: (administration: QueueAdministration) => Promise<Result>,
): Promise<Result> {
  const { queueUrl, queueNamespace } = loadConfiguration(queueVariables, findEnvironment(context));
  const backend = openQueueBackend(parseQueueUrl(queueUrl), { namespace: queueNamespace });
  const administration = createQueueAdministration(backend);
  try {
    return await work(administration);
  } finally {
    await administration.close();
    await backend.close();
  }
}
