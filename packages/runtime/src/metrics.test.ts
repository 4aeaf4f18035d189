import { describe, expect, it } from "vitest";
import {
  countDeliveries,
  countJobs,
  createMetrics,
  observeBitbucket,
  observeQueues,
  observeTriggerLatency,
  type QueueReading,
} from "./metrics.ts";

const aReading: QueueReading = {
  queue: "events",
  depth: { waiting: 4, active: 1 },
  oldestJobAgeMs: 2_500,
};

describe("createMetrics", () => {
  it("has Node's own metrics under the name of the service, in Prometheus' text format", async () => {
    const metrics = createMetrics({ service: "ingress" });
    expect(await metrics.render()).toMatch(/^process_cpu_user_seconds_total\{service="ingress"\} \S+$/m);
    expect(metrics.contentType).toContain("text/plain");
  });

  it("shares nothing with another registry of the same process", async () => {
    const [one, other] = [createMetrics({ service: "a" }), createMetrics({ service: "b" })];
    countDeliveries(one)(202);
    expect(await other.render()).not.toContain("sluice_deliveries_total");
  });
});

describe("what a process counts", () => {
  it("deliveries: every answer begins at 0", async () => {
    const metrics = createMetrics({ service: "ingress" });
    const count = countDeliveries(metrics);
    count(202);
    count(202);
    count(401);
    const text = await metrics.render();
    expect(text).toContain('sluice_deliveries_total{answer="202",service="ingress"} 2');
    expect(text).toContain('sluice_deliveries_total{answer="401",service="ingress"} 1');
    expect(text).toContain('sluice_deliveries_total{answer="500",service="ingress"} 0');
    expect(text).toContain('sluice_deliveries_total{answer="503",service="ingress"} 0');
  });

  it("jobs by queue and outcome", async () => {
    const metrics = createMetrics({ service: "worker" });
    countJobs(metrics)({ queue: "events", outcome: "retried" });
    expect(await metrics.render()).toContain(
      'sluice_jobs_total{queue="events",outcome="retried",service="worker"} 1',
    );
  });

  it("latency in seconds, in buckets from 5 ms to an hour", async () => {
    const metrics = createMetrics({ service: "worker" });
    observeTriggerLatency(metrics)(40);
    const text = await metrics.render();
    expect(text).toContain('sluice_webhook_to_trigger_seconds_bucket{le="0.005",service="worker"} 0');
    expect(text).toContain('sluice_webhook_to_trigger_seconds_bucket{le="0.05",service="worker"} 1');
    expect(text).toContain('sluice_webhook_to_trigger_seconds_bucket{le="3600",service="worker"} 1');
    expect(text).toContain('sluice_webhook_to_trigger_seconds_sum{service="worker"} 0.04');
  });

  it("calls of Bitbucket and what is left of each credential's budget", async () => {
    const metrics = createMetrics({ service: "worker" });
    const bitbucket = observeBitbucket(metrics);
    bitbucket.called({ endpoint: "diffstat", status: 429 });
    bitbucket.called({ endpoint: "diffstat", status: "error" });
    bitbucket.budgetRemaining({ credentialId: "c1", remaining: 900 });
    const text = await metrics.render();
    expect(text).toContain(
      'sluice_bitbucket_calls_total{endpoint="diffstat",status="429",service="worker"} 1',
    );
    expect(text).toContain(
      'sluice_bitbucket_calls_total{endpoint="diffstat",status="error",service="worker"} 1',
    );
    expect(text).toContain('sluice_bitbucket_budget_remaining{credential_id="c1",service="worker"} 900');
  });
});

describe("observeQueues", () => {
  it("asks once a scrape and shows what is there now", async () => {
    const metrics = createMetrics({ service: "worker" });
    const answers = [[aReading], [{ queue: "checks", depth: { waiting: 1 }, oldestJobAgeMs: null }]];
    let asked = 0;
    observeQueues(metrics, async () => answers[asked++] ?? []);
    const first = await metrics.render();
    expect(asked).toBe(1);
    expect(first).toContain('sluice_queue_depth{queue="events",state="waiting",service="worker"} 4');
    expect(first).toContain('sluice_queue_depth{queue="events",state="active",service="worker"} 1');
    expect(first).toContain('sluice_queue_oldest_job_age_seconds{queue="events",service="worker"} 2.5');
    const second = await metrics.render();
    expect(second).not.toContain("events");
    expect(second).toContain('sluice_queue_oldest_job_age_seconds{queue="checks",service="worker"} 0');
  });

  it("goes on without depths when the queues cannot be read, and counts that", async () => {
    const metrics = createMetrics({ service: "worker" });
    let isAway = false;
    observeQueues(metrics, async () => {
      if (isAway) throw new Error("the queue is away");
      return [aReading];
    });
    await metrics.render();
    isAway = true;
    // The counter may have been rendered before the failure: it shows in the next scrape.
    expect(await metrics.render()).not.toContain("sluice_queue_depth{");
    expect(await metrics.render()).toMatch(/sluice_queue_readings_failed_total\{service="worker"\} [12]/);
  });
});
