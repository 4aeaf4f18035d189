/** The queue: whether it takes jobs, keeps them, and whether somebody works on them. */
import { openQueueBackend } from "@sluice/queue/backend";
import { createQueueReader, type QueueReading } from "@sluice/queue/queue-reader";
import { parseQueueUrl } from "@sluice/queue/queue-url";

import { fail, type Finding, ok, warn } from "./finding.ts";

const OLD_JOB_MS = 10 * 60_000;

/** Looks at the queue. @throws AppError `queue_unavailable`. */
export async function checkQueue({
  queueUrl,
  queueNamespace,
}: {
  readonly queueUrl: string;
  readonly queueNamespace: string;
}): Promise<readonly Finding[]> {
  const backend = openQueueBackend(parseQueueUrl(queueUrl), { namespace: queueNamespace });
  const reader = createQueueReader(backend);
  try {
    await backend.check();
    const warnings = await backend.durabilityWarnings();
    const kind = backend.kind === "redis" ? "Redis or Valkey" : "PostgreSQL";
    return [
      ok("queue", `${kind} takes jobs`),
      ...(warnings.length === 0
        ? [ok("queue_settings", "an accepted job is on the disk")]
        : warnings.map(toFinding)),
      ...(await reader.read()).flatMap(checkReading),
    ];
  } finally {
    await reader.close();
    await backend.close();
  }
}

/** "What may be lost: why. Run: what mends it" */
function toFinding(warning: string): Finding {
  const [message = warning, command] = warning.split(/\. Run: /);
  // Of a server that does not tell its settings nothing is known to be wrong.
  if (command === undefined) return warn("queue_settings", message, "see docs/deployment.md");
  return fail("queue_settings", message, `run: ${command}`);
}

function checkReading({ queue, depth, oldestJobAgeMs }: QueueReading): Finding[] {
  const check = `queue_${queue.replaceAll("-", "_")}`;
  const { waiting, active, delayed, failed } = depth;
  const counts = `${String(waiting)} wait, ${String(active)} are worked on, ${String(delayed)} are postponed`;
  const minutes = Math.floor((oldestJobAgeMs ?? 0) / 60_000);
  const isStuck = waiting > 0 && active === 0 && (oldestJobAgeMs ?? 0) > OLD_JOB_MS;
  return [
    ...(isStuck
      ? [
          warn(
            check,
            `${queue}: ${counts}, the oldest for ${String(minutes)} minutes`,
            "see that a worker runs, and its log",
          ),
        ]
      : [ok(check, `${queue}: ${counts}`)]),
    ...(failed === 0
      ? []
      : [
          warn(
            check,
            `${queue}: ${String(failed)} have failed for good`,
            `see them: sluice queue failed ${queue}`,
          ),
        ]),
  ];
}
