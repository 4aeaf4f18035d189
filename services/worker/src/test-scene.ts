import type { BitbucketClient } from "@sluice/bitbucket/client";
import { explain, type StoredDecision } from "@sluice/domain/explain";
import { afterAll, beforeAll, beforeEach } from "vitest";

import type { Pipeline } from "./pipeline.ts";
import { startTestSweep, type TestSweep } from "./repair/test-sweep.ts";
import type { startTestPipeline } from "./test-pipeline.ts";

/** What a Bitbucket tells, as a delivery carries it. */
export interface Webhook {
  readonly eventKey: string;
  readonly body: unknown;
}

/** The part of a repository that a scene acts on; a test has all of it. */
interface SceneRepository {
  readonly uuid: string;
  readonly fullName: string;
  push(update: { branch: string; files: Readonly<Record<string, string>> }): Pushed;
}

interface Pushed {
  /** 40 digits. */
  readonly hash: string;
  readonly webhooks: readonly Webhook[];
}

/** A decision as people read it. */
interface ReadDecision extends StoredDecision {
  readonly eventId: string;
  readonly targetId: string | null;
  readonly sentence: string;
}

/** A Bitbucket that a test plays with, and the worker that it tells. Each test begins with a new repository. */
interface Scene<Server, Repository extends SceneRepository> {
  readonly server: () => Server;
  readonly sweeps: () => TestSweep;
  readonly repository: () => Repository;
  /** A number that was not used yet. */
  next(): number;
  /** One webhook after another, each decided before the next one is told. */
  tell(webhooks: readonly Webhook[]): Promise<void>;
  /** Records webhooks, and decides what needs nothing from Bitbucket. */
  record(webhooks: readonly Webhook[], more?: { receivedAt?: string; hookId?: string }): Promise<void>;
  /** Decides what was recorded. */
  decide(by?: Pipeline): Promise<void>;
  /** A pipeline whose calls to Bitbucket are each announced, by their number from 1, before they are made. */
  pipelineThatAsks(beforeCall: (call: number) => void): Pipeline;
  /** A new content of a file, on `main` by default. */
  push(file?: string, branch?: string): Pushed;
  aStack(projectRoot?: string, of?: Pick<SceneRepository, "fullName">, name?: string): Promise<string>;
  aModule(from: "tag" | "file"): Promise<string>;
  /** In the order of the events. */
  decisions(): Promise<readonly ReadDecision[]>;
  reasons(): Promise<readonly string[]>;
  /** Of a target: the run type, the commit and the state of each trigger, in the order of their places. */
  runsOf(target: string): Promise<readonly (readonly [runType: string, commitSha: string, state: string])[]>;
}

/** What only a test may import. */
interface Cast<Server, Repository> {
  readonly token: string;
  readonly startServer: () => Promise<Server>;
  readonly createDatabase: () => Promise<Parameters<typeof startTestPipeline>[0]>;
  readonly createRepository: (number: number) => Repository;
}

interface ClosableServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Lets the tests of a file share a Bitbucket and a worker. */
export function useScene<Server extends ClosableServer, Repository extends SceneRepository>(
  cast: Cast<Server, Repository>,
): Scene<Server, Repository> {
  const { next, ...stage } = useStage(cast);
  const { sweeps, repository } = stage;
  const decisions = () => readDecisions(sweeps());
  return {
    ...stage,
    next,
    tell: (webhooks) => sweeps().tell(...webhooks),
    record(webhooks, more = {}) {
      const deliveries = webhooks.map(({ eventKey, body }) =>
        sweeps().worker.aDelivery("", { eventKey, body: Buffer.from(JSON.stringify(body)), ...more }),
      );
      return sweeps().worker.handle(deliveries, sweeps().asking);
    },
    decide: (by = sweeps().asking) => sweeps().worker.handleEvents(by),
    pipelineThatAsks: (beforeCall) =>
      sweeps().worker.newPipeline(undefined, announcing(sweeps(), beforeCall)),
    push: (file = "network/main.tf", branch = "main") =>
      repository().push({ branch, files: { [file]: String(next()) } }),
    aStack: (projectRoot = "", of = repository(), name = "network") =>
      sweeps().worker.aStack(name, { projectRoot, repository: of.fullName }),
    async aModule(from) {
      const more = { projectRoot: "network", repository: repository().fullName };
      const id = await sweeps().worker.aStack("module", more);
      await sweeps().worker.store.sql`
        UPDATE sluice.targets SET kind = 'module', module_version_source = ${from} WHERE id = ${id}`;
      return id;
    },
    decisions,
    reasons: async () => (await decisions()).map(({ reason }) => reason),
    async runsOf(target) {
      const rows = await sweeps().worker.store.sql<{ runType: string; commitSha: string; state: string }[]>`
        SELECT run_type, commit_sha, state FROM sluice.triggers WHERE target_id = ${target} ORDER BY position, id`;
      return rows.map(({ runType, commitSha, state }) => [runType, commitSha, state]);
    },
  };
}

/** Starts and ends what the tests of a file share, and makes each of them a repository. */
function useStage<Server extends ClosableServer, Repository extends SceneRepository>(
  cast: Cast<Server, Repository>,
) {
  let stage: { server: Server; sweeps: TestSweep } | null = null;
  let repository: Repository | null = null;
  let made = 0;
  const next = () => (made += 1);

  beforeAll(async () => {
    const server = await cast.startServer();
    const sweeps = await startTestSweep(await cast.createDatabase(), { url: server.url, token: cast.token });
    stage = { server, sweeps };
  });
  afterAll(async () => {
    await stage?.server.close();
    await stage?.sweeps.close();
  });
  beforeEach(async () => {
    await stage?.sweeps.begin();
    repository = cast.createRepository(next());
  });

  return {
    next,
    server: () => begun(stage).server,
    sweeps: () => begun(stage).sweeps,
    repository: () => begun(repository),
  };
}

function begun<T>(value: T | null): T {
  if (value === null) throw new Error("a scene begins with the first test");
  return value;
}

async function readDecisions({ worker }: TestSweep): Promise<readonly ReadDecision[]> {
  const rows = await worker.store.sql<Omit<ReadDecision, "sentence">[]>`
    SELECT event_id, target_id, decisions.reason, decisions.evidence, decisions.run_type FROM sluice.decisions
    JOIN sluice.events ON events.id = event_id JOIN sluice.deliveries ON deliveries.id = delivery_id
    LEFT JOIN sluice.targets ON targets.id = target_id
    WHERE deliveries.integration_id = ${worker.integrationId()}
    ORDER BY events.sequence, events.id, targets.name`;
  return rows.map((row) => ({ ...row, sentence: explain(row) }));
}

function announcing(sweeps: TestSweep, beforeCall: (call: number) => void): BitbucketClient {
  let calls = 0;
  return sweeps.clientWith({
    take: () => {
      beforeCall((calls += 1));
      return Promise.resolve({ granted: true });
    },
    learn: () => Promise.resolve(),
  });
}
