/** `npm start`: from a bare checkout to a running Sluice with a simulated Bitbucket. */
import { spawn } from "child_process";
import { join } from "path";
import { build, fail, install, root, say } from "./bootstrap.mjs";

/** npm passes on the Ctrl-C that the terminal has sent to all of us: one of the two is enough. In ms. */
const SAME_SIGNAL_MS = 1000;
const PARENT_CHECK_MS = 500;

main().catch((error) => fail(error.message));

async function main() {
  await install();
  await build();
  say("Starting Sluice");
  const program = join(root, "packages", "cli", "dist", "main.js");
  const args = [program, "demo"].concat(process.argv.slice(2));
  // In a process group of its own, so that a signal reaches it through us alone, and once.
  const child = spawn(process.execPath, args, { cwd: root, stdio: "inherit", detached: true });
  forward(["SIGINT", "SIGTERM", "SIGHUP"], child);
  stopWithParent(child);
  child.on("error", (error) => fail("Sluice cannot be started (" + error.message + ")"));
  child.on("exit", (code, signal) => process.exit(signal === null ? code : 1));
}

/**
 * npm passes SIGTERM to the shell between us, which ends without passing it on: then nobody is left who could tell us to
 * stop.
 */
function stopWithParent(child) {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    child.kill("SIGTERM");
  }, PARENT_CHECK_MS);
}

/** A later signal is passed on again: it is somebody who does not want to wait. */
function forward(signals, child) {
  let last = -SAME_SIGNAL_MS;
  for (const signal of signals) {
    process.on(signal, () => {
      const now = Date.now();
      if (now - last >= SAME_SIGNAL_MS) child.kill(signal === "SIGHUP" ? "SIGTERM" : signal);
      last = now;
    });
  }
}
