/** The process that sends webhooks. */
import type { RoleProcess } from "../child-process.ts";
import type { RunningRole } from "../roles.ts";
import { listenForTriggers } from "./committed-triggers.ts";
import { openHttpConnection } from "./http-connection.ts";
import { prepareRequests } from "./requests.ts";
import type { LoadResult } from "./load-log.ts";
import { createLoad, type LoadPlan } from "./run-load.ts";

/** Where to send, and whether to wait for triggers. */
export interface GeneratorInput {
  /** Of the server, without a path. */
  readonly url: string;
  readonly path: string;
  readonly secret: string;
  readonly connections: number;
  /** Whose committed triggers are heard (see `announceTriggers`); null = none are waited for. */
  readonly databaseUrl: string | null;
}

/** The role `generator`. Answers a LoadPlan with its LoadResult. */
export async function startGenerator(input: GeneratorInput): Promise<RunningRole> {
  const { hostname, port, host } = new URL(input.url);
  const nextRequest = prepareRequests({ host, path: input.path, secret: input.secret });
  const connections = await Promise.all(
    Array.from({ length: input.connections }, () => openHttpConnection(hostname, Number(port))),
  );
  const load = createLoad({ connections, nextRequest, waitsForTriggers: input.databaseUrl !== null });
  const stopListening =
    input.databaseUrl === null ? null : await listenForTriggers(input.databaseUrl, load.sawTrigger);
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `askForLoad` is the only one who asks
    answer: (question) => load.run(question as LoadPlan),
    async close() {
      for (const connection of connections) connection.close();
      await stopListening?.();
    },
  };
}

/** A run's margin beyond its own length: the drain of run-load.ts, and the time to start. */
const MARGIN_MS = 60_000;

/**
 * Has a generator carry out a plan. @throws Error when anything was refused, or a trigger did not come: such a run is
 * void.
 */
export async function askForLoad(generator: RoleProcess, plan: LoadPlan): Promise<LoadResult> {
  const answer = await generator.ask(plan, plan.warmUpMs + plan.measureMs + MARGIN_MS);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the role `generator` answers with nothing else
  const result = answer as LoadResult;
  const failures = Object.entries(result.failures).map(([status, count]) => `${count} × ${status}`);
  if (failures.length > 0)
    throw new Error(`the run is void, not every webhook was accepted: ${failures.join(", ")}`);
  if (result.unseen > 0)
    throw new Error(`the run is void, ${result.unseen} webhooks never had their triggers`);
  return result;
}
