/** Brings the servers to the state that this release needs. */
import { migrateQueueBackend } from "@sluice/queue/backend";
import { parseQueueUrl } from "@sluice/queue/queue-url";
import { defineConfiguration, type Environment, loadConfiguration } from "@sluice/runtime/configuration";
import { databaseVariables, queueVariables } from "@sluice/runtime/variables";
import { migrateStore } from "@sluice/store/migrate";

const migrateVariables = defineConfiguration({
  databaseUrl: databaseVariables.databaseUrl,
  ...queueVariables,
});

/** Migrates the database, then the queue; `onProgress` is told of each. @throws ConfigurationError, AppError `postgres_too_old`. */
export async function migrate(environment: Environment, onProgress: (line: string) => void): Promise<void> {
  const { databaseUrl, queueUrl, queueNamespace } = loadConfiguration(migrateVariables, environment);
  await migrateStore(databaseUrl);
  onProgress("The database is up to date.");
  await migrateQueueBackend(parseQueueUrl(queueUrl), { namespace: queueNamespace });
  onProgress("The queue is up to date.");
}
