import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";

const FOLDER = fileURLToPath(new URL("..", import.meta.url));
const DRAIN_TIMEOUT_MS = 20_000;

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A process that runs `script`; in it are runService, loadOrExit, logger and AppError. */
function aProcess(script: string) {
  const child = spawn(
    process.execPath,
    ["--conditions=source", "--import", "tsx", "--input-type=module", "--eval", PRELUDE + script],
    { cwd: FOLDER, stdio: ["ignore", "pipe", "pipe"] },
  );
  children.push(child);
  let output = "";
  const listeners = new Set<() => void>();
  const take = (chunk: Buffer): void => {
    output += chunk.toString();
    for (const listener of listeners) listener();
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  const ended = new Promise<{ code: number | null; output: string }>((resolve) =>
    child.once("close", (code) => resolve({ code, output })),
  );
  const prints = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (output.includes(text)) resolve();
      };
      listeners.add(look);
      look();
      void ended.then(() => reject(new Error(`ended without ${text}: ${output}`)));
    });
  return { kill: (signal: NodeJS.Signals) => child.kill(signal), ended, prints };
}

const PRELUDE = `
  import { runService, loadOrExit } from "@sluice/runtime/lifecycle";
  import { createLogger } from "@sluice/runtime/logger";
  import { ConfigurationError, loadEnvironmentFile } from "@sluice/runtime/configuration";
  import { AppError } from "@sluice/domain/app-error";
  const logger = createLogger({ service: "child", level: "debug", format: "json" });
  const drainTimeoutMs = ${DRAIN_TIMEOUT_MS};
  const alive = setInterval(() => {}, 1_000);
  const say = (text) => process.stdout.write(text + "\\n");
`;

const CLOSES = `await runService({ name: "child", logger, drainTimeoutMs, start: async () => ({
  close: async (graceMs) => { say("closing within " + graceMs); say("closed"); },
}) });`;

describe("a signal to stop", () => {
  it.each(["SIGTERM", "SIGINT"] as const)("%s closes once and exits 0", async (signal) => {
    const child = aProcess(CLOSES);
    await child.prints("service.started");
    child.kill(signal);
    const { code, output } = await child.ended;
    expect(code).toBe(0);
    expect(output.match(/closing within/g)).toHaveLength(1);
    expect(output).toContain("closing within 19000");
    expect(output).toContain("service.stopped");
  });

  it("lets work in hand end before the process does", async () => {
    const child = aProcess(`await runService({ name: "child", logger, drainTimeoutMs, start: async () => ({
      close: async () => { say("draining"); await new Promise((done) => setTimeout(done, 300)); say("drained"); },
    }) });`);
    await child.prints("service.started");
    child.kill("SIGTERM");
    const { code, output } = await child.ended;
    expect(code).toBe(0);
    expect(output).toContain("drained");
  });

  it("aborts the signal that start was given", async () => {
    const child =
      aProcess(`await runService({ name: "child", logger, drainTimeoutMs, start: async (signal) => {
      signal.addEventListener("abort", () => say("told to stop"));
      return { close: async () => {} };
    } });`);
    await child.prints("service.started");
    child.kill("SIGTERM");
    expect((await child.ended).output).toContain("told to stop");
  });

  it("while the service starts closes it as soon as it has started", async () => {
    const child =
      aProcess(`await runService({ name: "child", logger, drainTimeoutMs, start: async (signal) => {
      say("starting");
      await new Promise((done) => signal.addEventListener("abort", done));
      return { close: async () => say("closed") };
    } });`);
    await child.prints("starting");
    child.kill("SIGTERM");
    const { code, output } = await child.ended;
    expect(code).toBe(0);
    expect(output).toContain("closed");
  });

  it("that breaks off the start is a stop: exit 0", async () => {
    const child = aProcess(`await runService({ name: "child", logger, drainTimeoutMs, start: (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        say("starting");
      }) });`);
    await child.prints("starting");
    child.kill("SIGTERM");
    const { code, output } = await child.ended;
    expect(code).toBe(0);
    expect(output).toContain("service.start_broken_off");
  });

  it("a second time ends the process at once with 128 + its number", async () => {
    const child = aProcess(`await runService({ name: "child", logger, drainTimeoutMs, start: async () => ({
      close: () => { say("never closes"); return new Promise(() => {}); },
    }) });`);
    await child.prints("service.started");
    child.kill("SIGTERM");
    await child.prints("never closes");
    child.kill("SIGINT");
    expect((await child.ended).code).toBe(130);
  });

  it("ends the process after the drain time when closing hangs, with exit code 1", async () => {
    const child =
      aProcess(`await runService({ name: "child", logger, drainTimeoutMs: 100, start: async () => ({
      close: () => new Promise(() => {}),
    }) });`);
    await child.prints("service.started");
    child.kill("SIGTERM");
    const { code, output } = await child.ended;
    expect(code).toBe(1);
    expect(output).toContain("service.stop_failed");
  });

  it("exits 1 when closing fails", async () => {
    const child = aProcess(`await runService({ name: "child", logger, drainTimeoutMs, start: async () => ({
      close: async () => { throw new Error("cannot close"); },
    }) });`);
    await child.prints("service.started");
    child.kill("SIGTERM");
    const { code, output } = await child.ended;
    expect(code).toBe(1);
    expect(output).toContain("cannot close");
  });
});

describe("an error that nobody caught", () => {
  it.each([
    ["exception", `setTimeout(() => { throw new Error("lost postgres://u:hunter2@db/x"); }, 1);`],
    ["rejection", `void Promise.reject(new Error("lost postgres://u:hunter2@db/x"));`],
  ])("(%s) is logged as fatal without secrets, closes the service, and exits 1", async (_, crash) => {
    const child = aProcess(`${CLOSES}\n${crash}`);
    const { code, output } = await child.ended;
    expect(code).toBe(1);
    expect(output).toContain('"level":"fatal"');
    expect(output).toContain("service.crashed");
    expect(output).toContain("closed");
    expect(output).not.toContain("hunter2");
  });
});

describe("an error that nobody caught while the service stops", () => {
  it("makes the exit code 1", async () => {
    const child = aProcess(`await runService({ name: "child", logger, drainTimeoutMs, start: async () => ({
      close: () => new Promise((done) => { setTimeout(done, 100); setTimeout(() => { throw new Error("late"); }, 1); }),
    }) });`);
    await child.prints("service.started");
    child.kill("SIGTERM");
    const { code, output } = await child.ended;
    expect(code).toBe(1);
    expect(output).toContain("service.crashed");
    expect(output).toContain("service.stopped");
  });
});

describe("a start that fails", () => {
  it("for a wrong configuration prints its list, no stack, and exits 78", async () => {
    const child = aProcess(
      `loadOrExit(() => { throw new ConfigurationError(["A is missing", "B is wrong"]); });`,
    );
    expect(await child.ended).toEqual({
      code: 78,
      output: "The configuration has 2 problems:\n  - A is missing\n  - B is wrong\n",
    });
  });

  it("for an environment file that cannot be read says which, no stack, and exits 78", async () => {
    const child = aProcess(`loadOrExit(() => loadEnvironmentFile("src"));`);
    const { code, output } = await child.ended;
    expect(code).toBe(78);
    expect(output).toMatch(
      /^The configuration has 1 problem:\n {2}- the environment file src cannot be read: .+\n$/,
    );
  });

  it("for a wrong configuration that start finds does the same", async () => {
    const child = aProcess(`await runService({ name: "child", logger, drainTimeoutMs, start: async () => {
      throw new ConfigurationError(["A is missing"]);
    } });`);
    expect(await child.ended).toEqual({
      code: 78,
      output: "The configuration has 1 problem:\n  - A is missing\n",
    });
  });

  it("for a known reason logs it in one line with its causes and no stack, and exits 1", async () => {
    const child = aProcess(`await runService({ name: "child", logger, drainTimeoutMs, start: () => {
      throw new AppError("port_in_use", "port 1 is taken", { cause: new Error("EADDRINUSE") });
    } });`);
    const { code, output } = await child.ended;
    expect(code).toBe(1);
    expect(JSON.parse(output)).toMatchObject({
      level: "fatal",
      code: "port_in_use",
      reason: "port 1 is taken: EADDRINUSE",
      msg: "service.start_failed",
    });
    expect(output).not.toContain("stack");
  });

  it("for an unknown reason logs the stack and exits 1", async () => {
    const child = aProcess(`await runService({ name: "child", logger, drainTimeoutMs, start: async () => {
      throw new TypeError("a mistake");
    } });`);
    const { code, output } = await child.ended;
    expect(code).toBe(1);
    expect(JSON.parse(output)).toMatchObject({ err: { type: "TypeError", stack: expect.any(String) } });
  });
});
