/** From the webhook to the committed trigger, through every process: how many a second, and how long each takes. */
import {
  runRounds,
  selectSubjects,
  warmUpMs,
  type Bench,
  type Figures,
  type Subject,
  type SuiteReport,
} from "../bench.ts";
import { startRole } from "../child-process.ts";
import { assertRows, seedDatabase, SLUG, withDatabase, type Seed } from "../database.ts";
import { startPeer as startPeerServer } from "../ingest/ingest-suite.ts";
import { announceTriggers } from "../load/committed-triggers.ts";
import { askForLoad, type GeneratorInput } from "../load/generator.ts";
import type { LoadResult } from "../load/load-log.ts";
import type { Pace } from "../load/pace.ts";
import { prepareQueue, startIngress, startWorker } from "../our-services.ts";
import type { BackendName } from "../options.ts";
import type { Resources } from "../resources.ts";
import { startPeer as startPeerWorker } from "../worker/worker-suite.ts";

type EndToEndSubject = Subject &
  (
    | { readonly kind: "ours"; readonly backend: BackendName }
    | { readonly kind: "peer"; readonly peer: "bullmq" | "postgres-transaction" }
  );

const CONNECTIONS = 64;
/** Of the closed loop: enough to keep every process busy, too few to build a backlog. */
const MAX_OUTSTANDING = 400;
/** Of what the closed loop found. */
const LOADS = [
  { name: "25", share: 0.25 },
  { name: "50", share: 0.5 },
  { name: "80", share: 0.8 },
] as const;

const OURS: Readonly<Record<BackendName, EndToEndSubject>> = {
  redis: {
    name: "sluice-redis",
    description: "Our ingress and our worker, queue on Redis.",
    kind: "ours",
    backend: "redis",
  },
  postgres: {
    name: "sluice-postgres",
    description: "Our ingress and our worker, queue on Postgres.",
    kind: "ours",
    backend: "postgres",
  },
};

const PEERS: readonly EndToEndSubject[] = [
  {
    name: "bullmq-transaction",
    description: "A BullMQ job for each webhook, and a worker with one transaction for each job.",
    kind: "peer",
    peer: "bullmq",
  },
  {
    name: "postgres-first",
    description: "No queue: one process writes to Postgres in one transaction before it answers.",
    kind: "peer",
    peer: "postgres-transaction",
  },
];

/** Measures all subjects. */
export async function runEndToEndSuite(bench: Bench): Promise<SuiteReport> {
  const { options } = bench;
  const subjects = selectSubjects([...options.backends.map((name) => OURS[name]), ...PEERS], options);
  const rounds = await runRounds(bench, "end-to-end", subjects, (subject, own) =>
    measure(bench, subject, own),
  );
  return {
    suite: "end-to-end",
    title: "From the webhook to the committed trigger: every process on this machine",
    subjects,
    columns: [
      { key: "perSecond", title: "webhooks/s", digits: 0 },
      ...LOADS.flatMap(({ name }) => [
        { key: `p50at${name}`, title: `p50 ms at ${name} %`, digits: 1 },
        { key: `p99at${name}`, title: `p99 ms at ${name} %`, digits: 1 },
      ]),
      { key: "http50at80", title: "answer p50 ms at 80 %", digits: 1 },
      { key: "http99at80", title: "answer p99 ms at 80 %", digits: 1 },
    ],
    ratios: [{ title: "× BullMQ, transaction per job", key: "perSecond", to: "bullmq-transaction" }],
    bars: [],
    ...rounds,
  };
}

async function measure(bench: Bench, subject: EndToEndSubject, resources: Resources): Promise<Figures> {
  const { workplace, servers, templates, options } = bench;
  const databaseUrl = await servers.createDatabase(resources);
  const seed = await seedDatabase(databaseUrl, { templates, projectRoot: "" });
  await withDatabase(databaseUrl, announceTriggers);
  const url = await startSubject(bench, subject, { databaseUrl, seed, resources });
  const input: GeneratorInput = {
    url,
    path: `/webhooks/bitbucket-cloud/${SLUG}`,
    secret: seed.secret,
    connections: CONNECTIONS,
    databaseUrl,
  };
  const generator = await startRole("generator", input, { workplace, resources, isUnderTest: false });
  const results: LoadResult[] = [];
  const load = async (pace: Pace): Promise<LoadResult> => {
    const measureMs = options.seconds * 1_000;
    const result = await askForLoad(generator, { pace, warmUpMs: warmUpMs(options), measureMs });
    results.push(result);
    return result;
  };
  const perSecond =
    (await load({ kind: "committed", maxOutstanding: MAX_OUTSTANDING })).committedPerSecond ?? 0;
  const figures: Record<string, number> = { perSecond };
  for (const { name, share } of LOADS) {
    const { http, untilTrigger } = await load({ kind: "open", perSecond: perSecond * share });
    figures[`p50at${name}`] = untilTrigger?.p50 ?? 0;
    figures[`p99at${name}`] = untilTrigger?.p99 ?? 0;
    figures[`http50at${name}`] = http.p50;
    figures[`http99at${name}`] = http.p99;
  }
  await assertRows(databaseUrl, {
    deliveries: sum(results.map(({ accepted }) => accepted)),
    events: sum(results.map(({ acceptedChanges }) => acceptedChanges)),
  });
  return figures;
}

/** Starts every process of a subject. @returns the URL that takes webhooks. */
async function startSubject(
  bench: Bench,
  subject: EndToEndSubject,
  run: { readonly databaseUrl: string; readonly seed: Seed; readonly resources: Resources },
): Promise<string> {
  const { databaseUrl, seed, resources } = run;
  const backend = subject.kind === "ours" ? subject.backend : "redis";
  const { queueUrl } = await prepareQueue(bench, { backend, databaseUrl, resources });
  if (subject.kind === "ours") {
    const ours = { databaseUrl, queueUrl, seed, bitbucketUrl: null };
    await startWorker(bench, ours, resources);
    return (await startIngress(bench, ours, resources)).url;
  }
  const { peer } = subject;
  if (peer === "bullmq") await startPeerWorker(bench, { peer, redisUrl: queueUrl, databaseUrl }, resources);
  const server = await startPeerServer(bench, { peer, ...seed, redisUrl: queueUrl, databaseUrl }, resources);
  return server.url;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
