/**
 * `npm run audit`: fails when a package that runs in production has a known vulnerability of high or critical severity.
 * Where the registry cannot be asked it says so and fails nothing: a check that depends on somebody else's server must not
 * stop work. Arguments go to `pnpm audit`: `node scripts/audit.mjs --config.registry=http://…`.
 */
import { spawn } from "child_process";
import { judgeAudit } from "./audit-verdict.mjs";
import { fail, findPnpm, nonInteractive, root } from "./bootstrap.mjs";

/** Without retries, which would take a minute where there is no network. */
const ARGS = ["audit", "--prod", "--json", "--config.pmOnFail=ignore", "--config.fetchRetries=0"];
const TIMEOUT_MS = 60 * 1000;

main().catch((error) => fail(error.message));

async function main() {
  const tool = findPnpm();
  const verdict = judgeAudit(await run(tool[0], tool.slice(1).concat(ARGS, process.argv.slice(2))));
  for (const line of verdict.lines) console.log(line);
  process.exit(verdict.isFailure ? 1 : 0);
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const options = { cwd: root, env: nonInteractive(), stdio: ["ignore", "pipe", "pipe"] };
    const child = spawn(command, args, options);
    const said = { stdout: "", stderr: "", isTimedOut: false };
    const timer = setTimeout(() => {
      said.isTimedOut = true;
      child.kill("SIGKILL");
    }, TIMEOUT_MS);
    child.stdout.on("data", (chunk) => (said.stdout += chunk));
    child.stderr.on("data", (chunk) => (said.stderr += chunk));
    child.on("error", reject);
    child.on("close", () => {
      clearTimeout(timer);
      resolve(said);
    });
  });
}
