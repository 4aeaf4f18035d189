/** A service as an operator runs it: a process of its own, which can be told to stop, and be killed. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** From `src/faults` and from `dist/faults` alike. */
const CHECKOUT = fileURLToPath(new URL("../../../../", import.meta.url));
/** What is shown of a process that ended although it should not have. */
const LINES_SHOWN = 20;

export type ServiceName = "ingress" | "worker";

/** One line of a service's log. */
export interface LogLine {
  /** The fixed dotted event. */
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** How a process ended: by itself (`code`) or by a signal. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A service that was launched. */
export interface ServiceProcess {
  /** Resolves when it has started. @throws Error with the end of its log when the process ends instead. */
  readonly started: Promise<void>;
  /** Where it listens. @throws Error before it listens. */
  readonly url: string;
  readonly log: readonly LogLine[];
  readonly hasEnded: boolean;
  /** How many lines of its log tell this event. */
  countLines(msg: string): number;
  /** What `/readyz` says is not ready; empty = all is. */
  notReady(): Promise<readonly string[]>;
  /** Asks it to stop, and waits until it is gone. */
  stop(): Promise<ProcessEnd>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<ProcessEnd>;
}

const running = new Set<ChildProcess>();

/** Launches a service from its sources. Its whole environment is the one given. */
export function launchService(name: ServiceName, env: Readonly<Record<string, string>>): ServiceProcess {
  const main = `services/${name}/src/main.ts`;
  const child = spawn(process.execPath, ["--conditions=source", "--import", "tsx", main], {
    cwd: CHECKOUT,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  keepFromOutlivingUs(child);
  const log: LogLine[] = [];
  const output: string[] = [];
  const lastLines = (): string => output.slice(-LINES_SHOWN).join("\n");
  const ended = once(child, "exit").then((): ProcessEnd => ({
    code: child.exitCode,
    signal: child.signalCode,
  }));
  const started = new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      output.push(line);
      const parsed = parseLine(line);
      if (parsed === null) return;
      log.push(parsed);
      if (parsed.msg === "service.started") resolve();
    });
    createInterface({ input: child.stderr }).on("line", (line) => output.push(line));
    child.once("exit", (code, signal) => {
      const end = signal ?? String(code);
      reject(new Error(`the ${name} ended (${end}) before it had started:\n${lastLines()}`));
    });
  });
  // Whoever kills it while it starts does not wait for the start.
  started.catch(() => undefined);

  const endBy = (signal: "SIGTERM" | "SIGKILL"): Promise<ProcessEnd> => {
    child.kill(signal);
    return ended;
  };
  /** The worker has one server, of no special purpose. */
  const findUrl = (purpose: "webhooks" | "operations"): string => {
    const listening = log.filter(({ msg }) => msg === "http.listening");
    const url = (listening.find((line) => line["purpose"] === purpose) ?? listening[0])?.["url"];
    if (typeof url !== "string") throw new Error(`the ${name} does not listen yet`);
    return url;
  };
  const service: ServiceProcess = {
    started,
    get url() {
      return findUrl("webhooks");
    },
    log,
    get hasEnded() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    countLines: (msg) => log.filter((line) => line.msg === msg).length,
    async notReady() {
      if (service.hasEnded) throw new Error(`the ${name} has ended:\n${lastLines()}`);
      return parseFailures(await (await fetch(`${findUrl("operations")}/readyz`)).json());
    },
    stop: () => endBy("SIGTERM"),
    kill: () => endBy("SIGKILL"),
  };
  return service;
}

function keepFromOutlivingUs(child: ChildProcess): void {
  if (running.size === 0) process.once("exit", killAll);
  running.add(child);
  child.once("exit", () => {
    running.delete(child);
    if (running.size === 0) process.off("exit", killAll);
  });
}

function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

function parseLine(line: string): LogLine | null {
  try {
    const parsed: unknown = JSON.parse(line);
    return isLogLine(parsed) ? parsed : null;
  } catch {
    return null;
  }
}

function isLogLine(value: unknown): value is LogLine {
  return typeof value === "object" && value !== null && "msg" in value && typeof value.msg === "string";
}

/** The names in `{ failures: [{ name }] }`. */
function parseFailures(answer: unknown): readonly string[] {
  if (typeof answer !== "object" || answer === null || !("failures" in answer)) return [];
  if (!Array.isArray(answer.failures)) return [];
  return answer.failures.flatMap((failure: unknown) =>
    typeof failure === "object" && failure !== null && "name" in failure ? [String(failure.name)] : [],
  );
}
