/** The demonstration: everything on this machine, with a simulated Bitbucket and a short story. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Environment, loadConfiguration } from "@sluice/runtime/configuration";
import { runService } from "@sluice/runtime/lifecycle";
import { createLogger } from "@sluice/runtime/logger";
import {
  databaseVariables,
  drainVariables,
  encryptionVariables,
  loggingVariables,
} from "@sluice/runtime/variables";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { startBitbucketServer } from "@sluice/simulator/rest-server";
import { createStory, type Story } from "@sluice/simulator/story";
import { openStore, type Store } from "@sluice/store/client";
import { countRecords } from "@sluice/store/record-counts";

import { type CliContext, EXIT_CODES, type ExitCode } from "./cli-context.ts";
import { applyDeclaration } from "./declaration/apply-declaration.ts";
import { parseDeclaration } from "./declaration/parse-declaration.ts";
import { DEMO_INTEGRATION, demoDeclaration } from "./demo/demo-declaration.ts";
import { runExampleScheduler } from "./demo/run-example-scheduler.ts";
import { tellStory } from "./demo/tell-story.ts";
import { startEmbeddedEnvironment } from "./embedded-environment.ts";
import { type RunningServices, startServices } from "./run-everything.ts";
import { findDataDirectory } from "./running-environment.ts";

/** The same at each start: the story's webhooks then have the same request ids, and are known as retries. */
const SEED = "sluice-demo";
const EXAMPLES = fileURLToPath(new URL("../../../examples", import.meta.url));
/** Seen from outside, a demonstration is a machine of one's own. */
const LOCAL_HOST = "127.0.0.1";

/** What the README asks to check, and no more. */
const HOOK_EVENTS = [
  "repo:push",
  "pullrequest:created",
  "pullrequest:updated",
  "pullrequest:approved",
  "pullrequest:unapproved",
  "pullrequest:fulfilled",
  "pullrequest:rejected",
  "pullrequest:comment_created",
];

interface Stage {
  readonly store: Store;
  readonly services: RunningServices;
  readonly story: Story;
  readonly bitbucket: ReturnType<typeof createBitbucket>;
  readonly bootstrapKey: string;
  readonly dataDirectory: string;
  close(graceMs: number): Promise<void>;
}

/** Plays a day with webhooks on this machine, explains what becomes of each, and stays until it is told to stop. */
export async function runDemo(context: CliContext): Promise<ExitCode> {
  const environment: Environment = {
    // The story is to be read: the services speak only when something is wrong.
    LOG_LEVEL: "warn",
    LOG_FORMAT: "pretty",
    INGRESS_HOST: LOCAL_HOST,
    WORKER_HOST: LOCAL_HOST,
    API_HOST: LOCAL_HOST,
    ...context.environment,
  };
  const { logLevel, logFormat, drainTimeoutMs } = loadConfiguration(
    { ...loggingVariables, ...drainVariables },
    environment,
  );
  const started: { stage: Stage | null; signal: AbortSignal | null } = { stage: null, signal: null };
  await runService({
    name: "demo",
    logger: createLogger({ service: "demo", level: logLevel, format: logFormat }),
    drainTimeoutMs,
    start: async (signal) => {
      const stage = await setStage({ ...context, environment }, signal);
      Object.assign(started, { stage, signal });
      return { close: (graceMs) => stage.close(graceMs) };
    },
  });
  if (started.stage === null || started.signal === null) return EXIT_CODES.failed;
  await play(started.stage, context, started.signal);
  return EXIT_CODES.done;
}

/** Starts a database, a simulated Bitbucket and the services, and applies the story's declaration. */
async function setStage(context: CliContext, signal: AbortSignal): Promise<Stage> {
  const dataDirectory = findDataDirectory(context);
  const closers: ((graceMs: number) => Promise<void>)[] = [];
  const close = async (graceMs: number): Promise<void> => {
    for (const closer of closers.splice(0).toReversed()) await closer(graceMs);
  };
  try {
    const embedded = await startEmbeddedEnvironment({
      dataDirectory,
      environment: context.environment,
      onProgress: (line) => context.print(`  ${line}\n`),
    });
    closers.push(() => embedded.stop());

    const token = randomBytes(24).toString("base64url");
    const secret = randomBytes(32).toString("base64url");
    const bitbucket = createBitbucket({ seed: SEED });
    const story = createStory(bitbucket);
    const server = await startBitbucketServer({ bitbucket, credentials: [{ kind: "access_token", token }] });
    closers.push(() => server.close());
    context.print("  A simulated Bitbucket is running.\n");

    const variables = { ...databaseVariables, ...encryptionVariables };
    const { databaseUrl, keyring } = loadConfiguration(variables, embedded.environment);
    const store = openStore({ url: databaseUrl, maxConnections: 2, applicationName: "sluice-demo" });
    closers.push((graceMs) => store.close(graceMs));
    const declaration = parseDeclaration(
      [{ file: "demo.yaml", text: demoDeclaration(story.repository.fullName, story.targets) }],
      { SLUICE_DEMO_TOKEN: token, SLUICE_DEMO_WEBHOOK_SECRET: secret },
    );
    await applyDeclaration(store, { declaration, keyring, prune: false, agreed: null, by: "sluice demo" });

    const services = await startServices({ ...embedded.environment, BITBUCKET_API_URL: server.url }, signal);
    closers.push((graceMs) => services.close(graceMs));
    await embedded.announceApi(services.urls.api);
    story.repository.createHook({
      url: endpoint(services),
      secret,
      events: HOOK_EVENTS,
    });
    const bootstrapKey = embedded.environment["SLUICE_BOOTSTRAP_KEY"] ?? "";
    return { store, services, story, bitbucket, bootstrapKey, dataDirectory, close };
  } catch (error) {
    await close(0);
    throw error;
  }
}

async function play(stage: Stage, context: CliContext, signal: AbortSignal): Promise<void> {
  const { print } = context;
  try {
    const before = await countRecords(stage.store);
    if (before.deliveries > 0) {
      print(
        `\nFound what earlier starts left: ${String(before.deliveries)} deliveries, ${String(before.triggers)} triggers.\n` +
          "The same webhooks are sent once more, as Bitbucket's retries would be: each is accepted, nothing runs twice.\n",
      );
    }
    print(
      `\nA day in ${stage.story.repository.fullName}  (▶ triggered  · not, and why  ✕ no longer to be run)\n`,
    );
    await tellStory({ ...stage, print, signal });
    const after = await countRecords(stage.store);
    print(`\nMade by this start: ${String(after.triggers - before.triggers)} triggers.\n`);
    if (signal.aborted) return;
    print("\nA scheduler of a few lines (examples/scheduler.py) claims them:\n");
    const hasPython = await runExampleScheduler({
      script: join(EXAMPLES, "scheduler.py"),
      searchPath: context.environment["PATH"],
      apiUrl: stage.services.urls.api,
      key: stage.bootstrapKey,
      print,
      signal,
    });
    if (!hasPython) print("   Python 3 is not installed here: the triggers stay queued.\n");
    if (!signal.aborted) print(describePlaces(stage));
  } catch (error) {
    // Whoever stops in the middle of a story closes what the story reads from.
    if (!signal.aborted) throw error;
  }
}

function endpoint({ urls }: RunningServices): string {
  return `${urls.ingress}/webhooks/bitbucket-cloud/${DEMO_INTEGRATION}`;
}

function describePlaces({ services, bootstrapKey, dataDirectory }: Stage): string {
  const { urls, operationsUrls } = services;
  const { api } = urls;
  return `
Where things are
  webhook endpoint   ${endpoint(services)}
  api                ${api}/v1/…     Authorization: Bearer ${bootstrapKey}
  queues             ${api}/queues   any user, and that key as password
  health, metrics    /readyz and /metrics of the
    ingress          ${operationsUrls.ingress}
    worker           ${operationsUrls.worker}
    api              ${operationsUrls.api}
  data and keys      ${dataDirectory}   (delete it to begin anew)

Connect a repository of your own: describe it in a sluice.yaml (examples/sluice.yaml), then, in this folder,
  npm run sluice -- apply -f sluice.yaml
and give Bitbucket the endpoint and the secret that it prints. Bitbucket has to reach the ingress.

Ctrl-C stops everything; the next start finds its data again.
`;
}
