/** How many webhooks a second one process accepts for certain, and how long senders wait. */
import { runRounds, selectSubjects, warmUpMs, type Bench, type Figures, type SuiteReport } from "../bench.ts";
import { startRole } from "../child-process.ts";
import { CPU_COLUMNS, cpuFigures, readCpuTime } from "../cpu-time.ts";
import { seedDatabase, SLUG } from "../database.ts";
import { askForLoad, type GeneratorInput } from "../load/generator.ts";
import { prepareQueue, startIngress } from "../our-services.ts";
import type { BackendName } from "../options.ts";
import type { Resources } from "../resources.ts";
import { countStored } from "./count-stored.ts";
import type { IngestPeer, PeerServerInput } from "./peer-server.ts";

/** One of ours, or one of the others. */
export type IngestSubject = { readonly name: string; readonly description: string } & (
  | { readonly kind: "ours"; readonly backend: BackendName }
  | { readonly kind: "peer"; readonly peer: IngestPeer }
);

const CONNECTIONS = 64;

const OURS: Readonly<Record<BackendName, IngestSubject>> = {
  redis: {
    name: "sluice-redis",
    description:
      "Our ingress, queue on Redis: one job for all webhooks that come while the last job is stored.",
    kind: "ours",
    backend: "redis",
  },
  postgres: {
    name: "sluice-postgres",
    description: "Our ingress, queue on Postgres.",
    kind: "ours",
    backend: "postgres",
  },
};

const PEERS: readonly IngestSubject[] = [
  {
    name: "no-queue",
    description: "Ceiling: Hono, the body, its HMAC, and nothing is kept.",
    kind: "peer",
    peer: "nothing",
  },
  {
    name: "redis-xadd",
    description: "Ceiling: the same, and one XADD for each webhook.",
    kind: "peer",
    peer: "xadd",
  },
  {
    name: "bullmq-add",
    description: "The same, and one BullMQ job for each webhook: what most people build.",
    kind: "peer",
    peer: "bullmq",
  },
  {
    name: "postgres-first",
    description: "The same, then parsed and written to Postgres in one transaction before the answer.",
    kind: "peer",
    peer: "postgres-transaction",
  },
];

/** Measures all subjects. */
export async function runIngestSuite(bench: Bench): Promise<SuiteReport> {
  const subjects = selectSubjects(
    [...bench.options.backends.map((backend) => OURS[backend]), ...PEERS],
    bench.options,
  );
  const rounds = await runRounds(bench, "ingest", subjects, (subject, own) => measure(bench, subject, own));
  return {
    suite: "ingest",
    title: `Accepting webhooks: one server process, ${CONNECTIONS} connections`,
    subjects,
    columns: [
      { key: "perSecond", title: "accepted/s", digits: 0 },
      { key: "p50", title: "p50 ms", digits: 1 },
      { key: "p99", title: "p99 ms", digits: 1 },
      ...CPU_COLUMNS,
    ],
    ratios: [
      { title: "× XADD", key: "perSecond", to: "redis-xadd" },
      { title: "× BullMQ add", key: "perSecond", to: "bullmq-add" },
      { title: "× Postgres first", key: "perSecond", to: "postgres-first" },
    ],
    bars: [
      {
        title: "ours on Redis is at least 0.60 × one XADD a webhook",
        key: "perSecond",
        of: "sluice-redis",
        to: "redis-xadd",
        atLeast: 0.6,
      },
      {
        title: "ours on Redis is at least 2 × Postgres first",
        key: "perSecond",
        of: "sluice-redis",
        to: "postgres-first",
        atLeast: 2,
      },
    ],
    ...rounds,
  };
}

async function measure(bench: Bench, subject: IngestSubject, resources: Resources): Promise<Figures> {
  const { workplace, servers, templates, options } = bench;
  const databaseUrl = await servers.createDatabase(resources);
  const seed = await seedDatabase(databaseUrl, { templates, projectRoot: "" });
  const backend = subject.kind === "ours" ? subject.backend : "redis";
  const { queueUrl, serverPids } = await prepareQueue(bench, { backend, databaseUrl, resources });
  const server =
    subject.kind === "ours"
      ? await startIngress(bench, { databaseUrl, queueUrl, seed }, resources)
      : await startPeer(bench, { ...subject, ...seed, redisUrl: queueUrl, databaseUrl }, resources);
  const input: GeneratorInput = {
    url: server.url,
    path: `/webhooks/bitbucket-cloud/${SLUG}`,
    secret: seed.secret,
    connections: CONNECTIONS,
    databaseUrl: null,
  };
  const generator = await startRole("generator", input, { workplace, resources, isUnderTest: false });
  const watched = { underTest: [server.pid], servers: serverPids };
  const before = readCpuTime(watched);
  const result = await askForLoad(generator, {
    pace: { kind: "closed" },
    warmUpMs: warmUpMs(options),
    measureMs: options.seconds * 1_000,
  });
  const cpu = cpuFigures(before, readCpuTime(watched), result.accepted);
  await assertStored(subject, { accepted: result.accepted, databaseUrl, queueUrl });
  return { perSecond: result.acceptedPerSecond, p50: result.http.p50, p99: result.http.p99, ...cpu };
}

/** Starts a peer's server. */
export async function startPeer(
  bench: Bench,
  input: PeerServerInput,
  resources: Resources,
): Promise<{ readonly pid: number; readonly url: string }> {
  const { peer, secret, integrationId, redisUrl, databaseUrl } = input;
  const server = await startRole(
    "ingest-peer",
    { peer, secret, integrationId, redisUrl, databaseUrl } satisfies PeerServerInput,
    { workplace: bench.workplace, resources, isUnderTest: false },
  );
  return { pid: server.pid, url: String(server.ready) };
}

async function assertStored(
  subject: IngestSubject,
  run: { readonly accepted: number; readonly databaseUrl: string; readonly queueUrl: string },
): Promise<void> {
  const stored = await countStored(subject, run);
  if (stored === null || stored === run.accepted) return;
  throw new Error(`the run is void: ${run.accepted} webhooks were accepted, and ${stored} are stored`);
}
