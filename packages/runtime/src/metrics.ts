/**
 * What a process counts, for Prometheus. Each process has a registry of its own and registers only what it can
 * observe; what these functions give back is all that the code which counts has to know.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { withTimeout } from "./with-timeout.ts";

/** The scrape goes on without a source that takes longer. Prometheus itself waits 10 s by default. */
const COLLECT_TIMEOUT_MS = 2_000;
/** From one commit of a group to a worker that is an hour behind. */
const LATENCY_BUCKETS_SECONDS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1_800, 3_600,
];

/** The metrics of one process. */
export interface Metrics {
  readonly registry: Registry;
  /** The value of the Content-Type header that belongs to `render`. */
  readonly contentType: string;
  /** All metrics as Prometheus text; asks the sources of gauges first. */
  render(): Promise<string>;
}

/** The metrics of a process: at first Node's own (CPU, memory, event loop, GC). `service` is a label of each. */
export function createMetrics({ service }: { readonly service: string }): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  return { registry, contentType: registry.contentType, render: () => registry.metrics() };
}

/** Every status with which the ingress answers a POST to the path of a webhook. */
const DELIVERY_ANSWERS = [202, 400, 401, 408, 413, 415, 500, 503] as const;
/** A status with which the ingress answers a delivery. */
export type DeliveryAnswer = (typeof DELIVERY_ANSWERS)[number];

/** `sluice_deliveries_total{answer}`. @returns counts one answered delivery. */
export function countDeliveries({ registry }: Metrics): (answer: DeliveryAnswer) => void {
  const counter = new Counter({
    name: "sluice_deliveries_total",
    help: "Deliveries by the HTTP status of their answer.",
    labelNames: ["answer"],
    registers: [registry],
  });
  // A series that begins with its first error shows no increase for it: each begins at 0.
  for (const answer of DELIVERY_ANSWERS) counter.inc({ answer }, 0);
  return (answer) => counter.inc({ answer });
}

/** How an attempt at a job ended: `retried` will be tried again, `failed` will not. */
export type JobOutcome = "completed" | "retried" | "failed";

/** `sluice_jobs_total{queue,outcome}`. @returns counts one attempt at a job. */
export function countJobs({ registry }: Metrics): (job: { queue: string; outcome: JobOutcome }) => void {
  const counter = new Counter({
    name: "sluice_jobs_total",
    help: "Attempts at jobs by queue and outcome.",
    labelNames: ["queue", "outcome"],
    registers: [registry],
  });
  return (job) => counter.inc(job);
}

/** `sluice_webhook_to_trigger_seconds`. @returns records one trigger: from its delivery's receipt to its commit, in ms. */
export function observeTriggerLatency({ registry }: Metrics): (latencyMs: number) => void {
  const histogram = new Histogram({
    name: "sluice_webhook_to_trigger_seconds",
    help: "Seconds from the receipt of a delivery until its trigger was written.",
    buckets: LATENCY_BUCKETS_SECONDS,
    registers: [registry],
  });
  return (latencyMs) => histogram.observe(latencyMs / 1_000);
}

/** Counts what is asked of Bitbucket. */
export interface BitbucketMetrics {
  /** One answered call. `endpoint` is a template without ids; `status` is "error" when there was no answer. */
  called(call: { readonly endpoint: string; readonly status: number | "error" }): void;
  /** The calls that a credential may still make in the present window. */
  budgetRemaining(budget: { readonly credentialId: string; readonly remaining: number }): void;
}

/** `sluice_bitbucket_calls_total{endpoint,status}` and `sluice_bitbucket_budget_remaining{credential_id}`. */
export function observeBitbucket({ registry }: Metrics): BitbucketMetrics {
  const calls = new Counter({
    name: "sluice_bitbucket_calls_total",
    help: "Calls of Bitbucket's REST API by endpoint and status.",
    labelNames: ["endpoint", "status"],
    registers: [registry],
  });
  const budget = new Gauge({
    name: "sluice_bitbucket_budget_remaining",
    help: "Calls that a credential may still make in the present window.",
    labelNames: ["credential_id"],
    registers: [registry],
  });
  return {
    called: (call) => calls.inc(call),
    budgetRemaining: ({ credentialId, remaining }) => budget.set({ credential_id: credentialId }, remaining),
  };
}

/** What one queue holds now. */
export interface QueueReading {
  readonly queue: string;
  /** Jobs by state: `waiting`, `active`, `delayed`, `failed`. */
  readonly depth: Readonly<Record<string, number>>;
  /** Since the oldest job that is neither completed nor failed was added; null when there is none. */
  readonly oldestJobAgeMs: number | null;
}

/**
 * `sluice_queue_depth{queue,state}`, `sluice_queue_oldest_job_age_seconds{queue}` and
 * `sluice_queue_readings_failed_total`. `readQueues` is called once a scrape; when it fails or takes too long, the
 * scrape has no depths (rather than old ones) and the failure is counted.
 */
export function observeQueues(
  { registry }: Metrics,
  readQueues: () => Promise<readonly QueueReading[]>,
): void {
  const failures = new Counter({
    name: "sluice_queue_readings_failed_total",
    help: "Scrapes in which the queues could not be read.",
    registers: [registry],
  });
  const readOnce = shareInFlight(async () => {
    try {
      return await withTimeout(readQueues(), COLLECT_TIMEOUT_MS);
    } catch {
      failures.inc();
      return [];
    }
  });
  observeDepth(registry, readOnce);
  observeOldestAge(registry, readOnce);
}

type ReadQueues = () => Promise<readonly QueueReading[]>;

function observeDepth(registry: Registry, readQueues: ReadQueues): void {
  const gauge = new Gauge({
    name: "sluice_queue_depth",
    help: "Jobs by queue and state.",
    labelNames: ["queue", "state"],
    registers: [],
    async collect() {
      const readings = await readQueues();
      this.reset();
      for (const { queue, depth } of readings) {
        for (const [state, jobs] of Object.entries(depth)) this.set({ queue, state }, jobs);
      }
    },
  });
  registry.registerMetric(gauge);
}

function observeOldestAge(registry: Registry, readQueues: ReadQueues): void {
  const gauge = new Gauge({
    name: "sluice_queue_oldest_job_age_seconds",
    help: "Seconds since the oldest job that is neither completed nor failed was added, whether it waits, is postponed or runs; 0 when there is none.",
    labelNames: ["queue"],
    registers: [],
    async collect() {
      const readings = await readQueues();
      this.reset();
      for (const { queue, oldestJobAgeMs } of readings) this.set({ queue }, (oldestJobAgeMs ?? 0) / 1_000);
    },
  });
  registry.registerMetric(gauge);
}

/** One call for all who ask while it runs: a scrape collects its gauges at the same time. */
function shareInFlight<Value>(read: () => Promise<Value>): () => Promise<Value> {
  let inFlight: Promise<Value> | null = null;
  return () => {
    inFlight ??= read().finally(() => {
      inFlight = null;
    });
    return inFlight;
  };
}
