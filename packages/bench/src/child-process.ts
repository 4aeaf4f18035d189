/** Processes of the measurements: nothing that is measured shares an event loop with what measures it. */
import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { openSync, closeSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Resources } from "./resources.ts";

/** How long a process may take to start. */
const START_TIMEOUT_MS = 60_000;
/** How long it may take to end after SIGTERM; then it is killed. */
const STOP_TIMEOUT_MS = 15_000;
const READY_POLL_MS = 50;
const LOG_LINES_SHOWN = 15;

/** Where processes run and write what they say. */
export interface Workplace {
  readonly directory: string;
  /** Where processes under test leave CPU profiles; null = nowhere. */
  readonly profiles: string | null;
}

/** What a child of ours is asked, and what it answers. Both ends are of one build: see roles.ts. */
export type ToChild =
  { readonly kind: "start"; readonly input: unknown } | { readonly kind: "ask"; readonly question: unknown };
export type FromChild =
  | { readonly kind: "ready"; readonly value: unknown }
  | { readonly kind: "answer"; readonly value: unknown }
  | { readonly kind: "failed"; readonly reason: string };

/** A process that plays a role of ours. */
export interface RoleProcess {
  readonly pid: number;
  /** What it said when it was ready. */
  readonly ready: unknown;
  /** @throws Error when it failed, ended, or did not answer in time. */
  ask(question: unknown, timeoutMs: number): Promise<unknown>;
  stop(): Promise<void>;
}

/** A service of ours, as an operator would start it. */
export interface ServiceProcess {
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts this program again, in a role (see roles.ts). `isUnderTest` = it leaves a CPU profile where those are wanted. */
export async function startRole(
  role: string,
  input: unknown,
  options: { readonly workplace: Workplace; readonly resources: Resources; readonly isUnderTest: boolean },
): Promise<RoleProcess> {
  const { workplace, resources, isUnderTest } = options;
  const log = openLog(workplace, role);
  const child = fork(process.argv[1] ?? "", ["role", role], {
    cwd: workplace.directory,
    env: ENVIRONMENT,
    execArgv: [...process.execArgv, ...(isUnderTest ? profileArguments(workplace) : [])],
    stdio: ["ignore", log.descriptor, log.descriptor, "ipc"],
    serialization: "advanced",
  });
  log.close();
  const stop = (): Promise<void> => stopProcess(child);
  resources.defer(stop);
  const ask = async (message: ToChild, timeoutMs: number): Promise<unknown> => {
    const answer = nextAnswer(child, timeoutMs);
    child.send(message);
    try {
      return await answer;
    } catch (cause) {
      throw explain(cause, role, log.path);
    }
  };
  return {
    pid: child.pid ?? 0,
    ready: await ask({ kind: "start", input }, START_TIMEOUT_MS),
    ask: (question, timeoutMs) => ask({ kind: "ask", question }, timeoutMs),
    stop,
  };
}

/** Starts the `main` of a service as an operator would, and waits until it says that it is ready. */
export async function startService(
  service: keyof typeof SERVICES,
  environment: Readonly<Record<string, string>>,
  options: { readonly workplace: Workplace; readonly resources: Resources; readonly url: string },
): Promise<ServiceProcess> {
  const { workplace, resources, url } = options;
  const log = openLog(workplace, service);
  const program = fileURLToPath(SERVICES[service]());
  const child = spawn(process.execPath, [...process.execArgv, ...profileArguments(workplace), program], {
    cwd: workplace.directory,
    env: { ...ENVIRONMENT, ...environment },
    stdio: ["ignore", log.descriptor, log.descriptor],
  });
  log.close();
  const stop = (): Promise<void> => stopProcess(child);
  resources.defer(stop);
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await isReady(url))) {
    if (!isRunning(child) || Date.now() > deadline) {
      throw explain(new Error("it did not become ready"), service, log.path);
    }
    await sleep(READY_POLL_MS);
  }
  return { pid: child.pid ?? 0, stop };
}

const SERVICES = {
  ingress: () => import.meta.resolve("@sluice/ingress/main"),
  worker: () => import.meta.resolve("@sluice/worker/main"),
} as const;

/** Nothing of whoever runs the benchmark changes what is measured. */
const ENVIRONMENT = { NODE_ENV: "production" };

let logs = 0;

/** To a file, not to a pipe: nobody has to be awake to read it. */
function openLog({ directory }: Workplace, name: string) {
  logs += 1;
  const path = join(directory, `${String(logs).padStart(3, "0")}-${name}.log`);
  const descriptor = openSync(path, "a");
  return { path, descriptor, close: () => closeSync(descriptor) };
}

function profileArguments({ profiles }: Workplace): string[] {
  return profiles === null ? [] : ["--cpu-prof", `--cpu-prof-dir=${profiles}`];
}

function nextAnswer(child: ChildProcess, timeoutMs: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => settle(() => reject(new Error(`no answer in ${timeoutMs} ms`))),
      timeoutMs,
    );
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only `runRole` sends messages, and it sends no others
    const onMessage = (received: unknown) => settle(() => accept(received as FromChild));
    const onExit = () => settle(() => reject(new Error("it ended")));
    const accept = (message: FromChild) =>
      message.kind === "failed" ? reject(new Error(message.reason)) : resolve(message.value);
    const settle = (then: () => void): void => {
      clearTimeout(timer);
      child.off("message", onMessage).off("exit", onExit);
      then();
    };
    child.on("message", onMessage).on("exit", onExit);
  });
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const killer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(killer);
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/readyz`).catch(() => null);
  await answer?.arrayBuffer();
  return answer?.ok === true;
}

function explain(cause: unknown, name: string, logPath: string): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const said = readFileSync(logPath, "utf8").trimEnd().split("\n").slice(-LOG_LINES_SHOWN).join("\n");
  return new Error(`${name}: ${reason}${said === "" ? "" : `\n${said}`}`, { cause });
}
