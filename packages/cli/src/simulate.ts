/** `sluice simulate`: a Bitbucket Cloud in memory, played by hand. */
import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "@sluice/domain/app-error";
import { describeError } from "@sluice/runtime/redaction";
import { type Bitbucket, createBitbucket } from "@sluice/simulator/bitbucket";
import type { Repository } from "@sluice/simulator/repository";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { startBitbucketServer } from "@sluice/simulator/rest-server";

import { type CliContext, EXIT_CODES, type ExitCode } from "./cli-context.ts";
import type { SimulateOptions } from "./commands/simulate.ts";
import { parseSimulatedAction, type SimulatedAction } from "./simulated-action.ts";

/** The seven boxes of the set-up page, and *declined*, which it recommends (rule 10). */
const EVENTS = [
  "repo:push",
  "pullrequest:created",
  "pullrequest:updated",
  "pullrequest:approved",
  "pullrequest:unapproved",
  "pullrequest:fulfilled",
  "pullrequest:rejected",
  "pullrequest:comment_created",
];
const MAX_SKIPPED = 20_000;

/** Plays until the input ends. A line that cannot be done is told, and the next one is read. @throws AppError `usage_invalid`. */
export async function simulate(options: SimulateOptions, context: CliContext): Promise<ExitCode> {
  const { bitbucket, repository } = createWorld(options, context);
  const server = await startBitbucketServer({ bitbucket, port: options.port });
  const tokens = DEFAULT_CREDENTIALS.map(({ kind, token }) => `  ${kind}: ${token}`).join("\n");
  context.report(
    `${repository.fullName} is there. For the worker: BITBUCKET_API_URL=${server.url}\nCredentials that it takes:\n${tokens}\n`,
  );
  try {
    for await (const line of context.readLines()) {
      try {
        const action = parseSimulatedAction(line);
        if (action !== null) await playAction(action, { bitbucket, repository, context });
      } catch (error) {
        context.report(`${describeError(error)}\n`);
      }
    }
    return EXIT_CODES.done;
  } finally {
    await server.close();
  }
}

interface World {
  readonly bitbucket: Bitbucket;
  readonly repository: Repository;
}

/** One repository with a first commit, which nobody is told of, and the hook. */
function createWorld(options: SimulateOptions, { environment }: CliContext): World {
  const [workspace = "", slug = "", ...more] = options.repository.split("/");
  if (workspace === "" || slug === "" || more.length > 0) {
    throw invalid(`--repository ${options.repository} is not of the form workspace/slug`);
  }
  if (!URL.canParse(options.endpoint)) throw invalid(`--endpoint ${options.endpoint} is not a URL`);
  const secret = environment[options.secretVariable] ?? "";
  if (secret === "") throw invalid(`the variable ${options.secretVariable} holds no webhook secret`);
  // The repository has the same uuid each time, so that stacks stay bound to it; deliveries must have other ids than
  // those of an earlier run, which would be taken for repeated ones: a random stretch of the seed is skipped.
  const bitbucket = createBitbucket({ seed: "simulate" });
  const repository = bitbucket.createRepository({ workspace, slug });
  for (let skipped = randomInt(MAX_SKIPPED); skipped > 0; skipped -= 1) bitbucket.createUser("Nobody");
  repository.push({ files: { "README.md": `Simulated since ${new Date().toISOString()}\n` } });
  repository.createHook({ url: options.endpoint, secret, events: EVENTS });
  return { bitbucket, repository };
}

async function playAction(
  action: SimulatedAction,
  { bitbucket, repository, context }: World & { readonly context: CliContext },
): Promise<void> {
  if (action.kind === "wait") {
    await sleep(action.seconds * 1_000);
    return;
  }
  const before = bitbucket.webhooks.history().length;
  const said = act(action, repository);
  await bitbucket.settled();
  const attempts = bitbucket.webhooks.history().slice(before);
  const answers = attempts.map(
    ({ eventKey, requestUuid, status, outcome }) =>
      `  ${eventKey} ${requestUuid}: ${String(status ?? outcome)}`,
  );
  context.print(`${[said, ...answers].join("\n")}\n`);
}

/** Does it, and says in short what was done. */
function act(action: Exclude<SimulatedAction, { kind: "wait" }>, repository: Repository): string {
  switch (action.kind) {
    case "push": {
      const { branch, isForced: force } = action;
      const { hash } = repository.push({ branch, force, files: changeFiles(action.paths) });
      return `${branch} is at ${hash}`;
    }
    case "delete_branch":
      repository.deleteBranch(action.branch);
      return `${action.branch} is gone`;
    case "tag":
      repository.createTag({ tag: action.name });
      return `${action.name} is at ${repository.head()}`;
    case "open": {
      const { id } = repository.openPullRequest({ source: action.branch, title: action.title });
      return `pull request ${String(id)} is open`;
    }
    case "merge": {
      const { hash } = repository.pullRequest(action.number).merge();
      return `pull request ${String(action.number)} is merged: ${hash}`;
    }
    case "comment": {
      const pull = repository.pullRequest(action.number);
      pull.comment(pull.state.author, action.text);
      return `pull request ${String(action.number)} has a comment`;
    }
  }
}

function changeFiles(paths: readonly string[]): Record<string, string | null> {
  const now = new Date().toISOString();
  return Object.fromEntries(
    paths.map((path) => (path.startsWith("-") ? [path.slice(1), null] : [path, `changed at ${now}\n`])),
  );
}

function invalid(message: string): AppError {
  return new AppError("usage_invalid", message, { retry: "never" });
}
