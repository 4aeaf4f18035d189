/** What it costs to delete a third of a million rows, and what that costs the pushes that are recorded meanwhile. */
import type { RetentionPolicy } from "@sluice/worker/repair/retention";
import type { Bench, Figures, SuiteReport } from "../bench.ts";
import { startRole } from "../child-process.ts";
import { seedDatabase, withDatabase } from "../database.ts";
import { withResources, type Resources } from "../resources.ts";
import { headOf, type WebhookTemplate } from "../webhooks.ts";
import { fillDatabase, type LiveRepository } from "./old-database.ts";
import type { RowCounts } from "./old-deliveries.ts";
import type { PushRecorderInput } from "./push-recorder.ts";
import { assertRetained } from "./retained-rows.ts";
import type { RetentionJobInput } from "./retention-job.ts";
import { measurePhases, type RetentionFigures } from "./retention-phases.ts";
import { allGone, assertNoScan, countReadings, readBetween } from "./table-readings.ts";

const QUIET = "without";
const BESIDE = "beside-retention";
const SUBJECTS = [
  { name: QUIET, description: "The worker's recorder alone, before the job and again after it." },
  {
    name: BESIDE,
    description: "The same while the worker's retention job runs once, from its start to its end.",
  },
];
/** The defaults of the configuration. */
const POLICY: RetentionPolicy = { rawDays: 30, decisionsDays: 90 };
/** Of the 512 repositories, those that are pushed to. */
const LIVE_REPOSITORIES = 63;
const RECORDER = "bench-recorder";
const JOB = "bench-retention";
const APPLICATIONS = [RECORDER, JOB];

/** Measures once: the job's own length is that of the measurement. */
export async function runRetentionSuite(bench: Bench): Promise<SuiteReport> {
  const report = {
    suite: "retention",
    title: "A million rows, and what is old deleted beside live pushes",
    subjects: SUBJECTS,
    columns: [
      { key: "p50", title: "record p50 ms", digits: 1 },
      { key: "p99", title: "p99", digits: 1 },
      { key: "late50", title: "late p50 ms", digits: 1 },
      { key: "late99", title: "p99", digits: 1 },
      { key: "lockWaitMs", title: "longest lock wait ms", digits: 0 },
      { key: "rowsPerSecond", title: "rows deleted/s", digits: 0 },
      { key: "jobSeconds", title: "job s", digits: 0 },
      { key: "longestTransactionMs", title: "its longest transaction ms", digits: 0 },
      { key: "againSeconds", title: "next run s", digits: 1 },
      { key: "tableScans", title: "table scans", digits: 0 },
      { key: "entriesPerRow", title: "index entries/row", digits: 1 },
      { key: "peakMiB", title: "peak RSS MiB", digits: 0 },
      { key: "growthMiB", title: "more than at rest", digits: 0 },
    ],
    ratios: [
      { title: "× p50 without", key: "p50", to: QUIET },
      { title: "× p99 without", key: "p99", to: QUIET },
    ],
    bars: [
      {
        title: "recording takes at most 2 × as long at the median beside retention",
        key: "p50",
        of: BESIDE,
        to: QUIET,
        atMost: 2,
      },
    ],
  } as const;
  try {
    const { quiet, beside, extent } = await withResources(bench.resources, (own) => measure(bench, own));
    const measurements = [
      { subject: QUIET, round: 1, figures: quiet },
      { subject: BESIDE, round: 1, figures: beside },
    ];
    return { ...report, extent, measurements, voidRuns: [] };
  } catch (error) {
    if (bench.resources.isClosed) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    bench.say(`retention: VOID: ${reason}`);
    return { ...report, measurements: [], voidRuns: [{ subject: BESIDE, round: 1, reason }] };
  }
}

interface Measured {
  readonly quiet: Figures;
  readonly beside: Figures;
  readonly extent: string;
}

async function measure(bench: Bench, resources: Resources): Promise<Measured> {
  const { servers, templates, options } = bench;
  const databaseUrl = await servers.createDatabase(resources);
  const seed = await seedDatabase(databaseUrl, { templates, projectRoot: "" });
  const live = templates.slice(0, LIVE_REPOSITORIES);
  const filled = await fillDatabase(databaseUrl, { rows: options.rows, live: live.map(toLiveRepository) });
  const extent = describe(filled.counts);
  bench.say(`retention: ${extent}`);
  return withDatabase(databaseUrl, async (sql) => {
    await allGone(sql);
    const before = await countReadings(sql);
    const input: PushRecorderInput = { databaseUrl, seed, templates: live, applicationName: RECORDER };
    const figures = await withResources(resources, (own) => run(bench, own, input));
    await allGone(sql);
    const readings = readBetween(before, await countReadings(sql));
    assertNoScan(readings);
    await assertRetained(sql, { policy: POLICY, pushed: figures.pushed, filledAt: filled.at });
    const { quiet, beside, deleted } = figures;
    const entries = readings.reduce((sum, table) => sum + table.entries, 0);
    return { quiet, beside: { ...beside, tableScans: 0, entriesPerRow: entries / deleted }, extent };
  });
}

/** Its first push is the variant 0, which goes on from the one before. */
function toLiveRepository({ repository, heads: [main] }: WebhookTemplate): LiveRepository {
  return { fullName: repository.fullName, head: headOf(main?.new ?? "", -1) };
}

/** Its processes have ended when it returns. */
async function run(bench: Bench, resources: Resources, pushes: PushRecorderInput): Promise<RetentionFigures> {
  const { databaseUrl } = pushes;
  const retention: RetentionJobInput = { databaseUrl, policy: POLICY, applicationName: JOB };
  const options = { workplace: bench.workplace, resources, isUnderTest: true };
  const recorder = await startRole("push-recorder", pushes, options);
  const job = await startRole("retention-job", retention, options);
  return measurePhases({ databaseUrl, applicationNames: APPLICATIONS, recorder, job }, bench.options);
}

/** How many rows there are, and of what. */
function describe(counts: RowCounts): string {
  const text = (count: number): string => count.toLocaleString("en-US");
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const parts = Object.entries(counts).map(([table, count]) => `${table} ${text(count)}`);
  return `One run of the job on ${text(total)} rows (${parts.join(", ")}).`;
}
