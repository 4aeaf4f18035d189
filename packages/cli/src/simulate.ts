/** `sluice simulate`: a Bitbucket Cloud in memory, played by hand. */
import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { describeError } from "@sluice/runtime/redaction";
import { type Bitbucket, createBitbucket } from "@sluice/simulator/bitbucket";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { startBitbucketServer } from "@sluice/simulator/rest-server";
import type { Delivery } from "@sluice/simulator/webhook-delivery";

import { type CliContext, EXIT_CODES, type ExitCode } from "./cli-context.ts";
import type { SimulateOptions } from "./commands/simulate.ts";
import { playSimulatedAction, type SimulatedWorld } from "./play-simulated-action.ts";
import { parseSimulatedAction } from "./simulated-action.ts";
import { usageInvalid } from "./usage-error.ts";

/** The boxes of the set-up page, *declined*, which it recommends, and what else a line can make happen (rule 10). */
const EVENTS = [
  "repo:push",
  "pullrequest:created",
  "pullrequest:updated",
  "pullrequest:approved",
  "pullrequest:unapproved",
  "pullrequest:changes_request_created",
  "pullrequest:changes_request_removed",
  "pullrequest:fulfilled",
  "pullrequest:rejected",
  "pullrequest:comment_created",
];
const MAX_SKIPPED = 20_000;

/** Plays until the input ends. A line that cannot be done is told, and the next one is read. @throws AppError `usage_invalid`. */
export async function simulate(options: SimulateOptions, context: CliContext): Promise<ExitCode> {
  const created = createWorld(options, context);
  const { bitbucket, repository } = created;
  const server = await startBitbucketServer({ bitbucket, port: options.port });
  const world: SimulatedWorld = { ...created, server, faultEnds: new Set() };
  const tokens = DEFAULT_CREDENTIALS.map(({ kind, token }) => `  ${kind}: ${token}`).join("\n");
  context.report(
    `${repository.fullName} is there: ${repository.uuid}. For the worker: BITBUCKET_API_URL=${server.url}\nCredentials that it takes:\n${tokens}\n`,
  );
  const listNews = createNewsList(bitbucket);
  const tell = (lines: readonly string[]): void => {
    if (lines.length > 0) context.print(`${lines.join("\n")}\n`);
  };
  try {
    for await (const line of context.readLines()) {
      try {
        const said = await playLine(line, world);
        // What comes late is waited for at the end: until then, later webhooks overtake it.
        await bitbucket.webhooks.settled({ exceptDelayed: true });
        tell([...said, ...listNews()]);
      } catch (error) {
        context.report(`${describeError(error)}\n`);
      }
    }
    await bitbucket.settled();
    tell(listNews());
    return EXIT_CODES.done;
  } finally {
    await server.close();
  }
}

/** What was done; nothing for an empty line or a pause. @throws AppError `usage_invalid`, SimulatorError. */
async function playLine(line: string, world: SimulatedWorld): Promise<string[]> {
  const action = parseSimulatedAction(line);
  if (action === null) return [];
  if (action.kind !== "wait") return [playSimulatedAction(action, world)];
  await sleep(action.seconds * 1_000);
  return [];
}

/** A function that lists what became of webhooks since it was last called, a line each. */
function createNewsList({ webhooks }: Bitbucket): () => string[] {
  let attemptsTold = 0;
  let unsentTold = 0;
  let waitingTold = new Set<Delivery>();
  return () => {
    const attempts = webhooks.history().slice(attemptsTold);
    const unsent = webhooks.unsent.slice(unsentTold);
    const isNew = (delivery: Delivery): boolean => !waitingTold.has(delivery);
    const news = [
      ...attempts.map((one) => describeDelivery(one, String(one.status ?? one.outcome))),
      ...unsent.map(({ delivery, reason }) => describeDelivery(toNamed(delivery), reason)),
      ...webhooks.held.filter(isNew).map((one) => describeDelivery(toNamed(one), "held")),
      ...webhooks.delayed.filter(isNew).map((one) => describeDelivery(toNamed(one), "delayed")),
    ];
    attemptsTold += attempts.length;
    unsentTold += unsent.length;
    waitingTold = new Set([...webhooks.held, ...webhooks.delayed]);
    return news;
  };
}

interface NamedDelivery {
  readonly eventKey: string;
  readonly requestUuid: string;
}

function toNamed({ event, requestUuid }: Delivery): NamedDelivery {
  return { eventKey: event.eventKey, requestUuid };
}

function describeDelivery({ eventKey, requestUuid }: NamedDelivery, outcome: string): string {
  return `  ${eventKey} ${requestUuid}: ${outcome}`;
}

/** One repository with a first commit, which nobody is told of, and the hook. */
function createWorld(
  options: SimulateOptions,
  { environment }: CliContext,
): Omit<SimulatedWorld, "server" | "faultEnds"> {
  const [workspace = "", slug = "", ...more] = options.repository.split("/");
  if (workspace === "" || slug === "" || more.length > 0) {
    throw usageInvalid(`--repository ${options.repository} is not of the form workspace/slug`);
  }
  if (!URL.canParse(options.endpoint)) throw usageInvalid(`--endpoint ${options.endpoint} is not a URL`);
  const secret = environment[options.secretVariable] ?? "";
  if (secret === "") throw usageInvalid(`the variable ${options.secretVariable} holds no webhook secret`);
  const { uuid } = options;
  // The repository has the same uuid each time, so that stacks stay bound to it; deliveries must have other ids than
  // those of an earlier run, which would be taken for repeated ones: a random stretch of the seed is skipped.
  const bitbucket = createBitbucket({ seed: "simulate" });
  const repository = bitbucket.createRepository({ workspace, slug, ...(uuid === undefined ? {} : { uuid }) });
  const reviewer = bitbucket.createUser("Grace Hopper");
  for (let skipped = randomInt(MAX_SKIPPED); skipped > 0; skipped -= 1) bitbucket.createUser("Nobody");
  repository.push({ files: { "README.md": `Simulated since ${new Date().toISOString()}\n` } });
  repository.createHook({ url: options.endpoint, secret, events: EVENTS });
  const users = new Map([[reviewer.displayName.toLowerCase(), reviewer]]);
  return { bitbucket, repository, reviewer, users };
}
