/** What has to hold after every fault. */
import { expect } from "vitest";

import type { Installation } from "./installation.ts";
import { probe, type PushDelivery } from "./push-delivery.ts";
import type { ServiceProcess } from "./service-process.ts";
import {
  allWritten,
  countOpenJobs,
  countWritten,
  decisionsOf,
  deliveriesOf,
  NO_OPEN_JOBS,
  readDecisions,
  readDeliveries,
  type TargetsOf,
} from "./written-rows.ts";

/** For polling. Longer than the 10 to 20 s after which the jobs of a dead worker are taken by another. */
export const WAIT = { timeout: 40_000, interval: 50 };

export const ACCEPTED = { status: 202, retryAfter: null };
export const COME_BACK = { status: 503, retryAfter: expect.stringMatching(/^[1-9]\d*$/) };

/** As many integrations, one after another, would take several rounds of five seconds if they were only polled for. */
const NEW_INTEGRATIONS = 5;
const LISTENING_LIMIT_MS = 10_000;

/** Every delivery is recorded once, byte for byte, and every event is decided once for each target; no job is left. */
export async function expectWrittenOnce(
  { store, queues }: Pick<Installation, "store" | "queues">,
  sent: readonly PushDelivery[],
  targetsOf: TargetsOf = () => ["everything"],
): Promise<void> {
  await expect.poll(() => countWritten(store), WAIT).toEqual(allWritten(sent));
  await expect.poll(() => countOpenJobs(queues), WAIT).toEqual(NO_OPEN_JOBS);
  expect(await readDeliveries(store)).toEqual(deliveriesOf(sent));
  expect(await readDecisions(store)).toEqual(decisionsOf(sent, targetsOf));
}

/** `/readyz` names exactly this, or comes to do so. */
export async function expectNotReady(service: ServiceProcess, names: readonly string[]): Promise<void> {
  await expect.poll(() => service.notReady(), WAIT).toEqual(names);
}

/** The ingress hears of integrations when they are made. */
export async function expectListening(installation: Installation, ingress: ServiceProcess): Promise<void> {
  await expect.poll(() => isListening(installation), WAIT).toBe(true);
  const deadline = performance.now() + LISTENING_LIMIT_MS;
  for (let made = 0; made < NEW_INTEGRATIONS; made += 1) {
    const endpoint = installation.endpoint(ingress, await installation.addIntegration());
    await expect.poll(() => probe(endpoint), WAIT).toMatchObject({ status: 400 });
  }
  expect(performance.now()).toBeLessThan(deadline);
}

async function isListening({ store }: Installation): Promise<boolean> {
  const sessions = await store.sql`
    SELECT FROM pg_stat_activity
    WHERE application_name = 'sluice-ingress' AND datname = current_database() AND query ILIKE 'listen %'`;
  return sessions.length > 0;
}
