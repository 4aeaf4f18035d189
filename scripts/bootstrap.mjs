/**
 * Makes a bare checkout runnable: checks Node, installs the packages, builds. Quick when nothing has changed.
 * Everything in this folder but the tests keeps to the syntax of Node 12, so that an older Node gets our one line and
 * not a syntax error.
 */
import { spawn, spawnSync } from "child_process";
import { createHash } from "crypto";
import { existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "fs";
import { dirname, join } from "path";
import { fileURLToPath } from "url";

/** The checkout. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const MINIMUM_NODE = [20, 19];
const stamp = join(root, "node_modules", ".sluice-install");

/** What the tools say → what to do about it. The first that matches is told. */
const REMEDIES = [
  [/ENOSPC|no space left/i, "the disk is full: free some space, then run it again"],
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET|UND_ERR|META_FETCH_FAIL|fetch failed/,
    "the package registry cannot be reached: check the network and the proxy settings, then run it again",
  ],
  [/EACCES|EPERM|EROFS/, `no permission to write below ${root} or in the package cache: run it as the owner`],
  [/OUTDATED_LOCKFILE/, "pnpm-lock.yaml does not fit the package.json files: run `pnpm install`"],
];

/** Installs the packages where they are not as the lock file says. Ends the process with one line when it cannot. */
export async function install() {
  requireNode();
  const wanted = fingerprint();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  const tool = findPnpm();
  say("Installing the packages (" + pinnedPnpm() + ")");
  if (existsSync(stamp)) unlinkSync(stamp);
  // We have just chosen the right pnpm; without the setting it looks itself up, and wants to note that in the lock file.
  const args = ["install", "--frozen-lockfile", "--config.pmOnFail=ignore"];
  await run("installation", tool[0], tool.slice(1).concat(args));
  writeFileSync(stamp, wanted);
}

/** Compiles what has changed. Ends the process with one line when it cannot. */
export async function build() {
  say("Building");
  await run("build", join(root, "node_modules", ".bin", "tsc"), ["-b"]);
}

/** Announces the next thing that takes time. */
export function say(line) {
  console.log("\n> " + line);
}

/** Ends the process with one line that says what to do. */
export function fail(line) {
  console.error("\nsluice: " + line);
  process.exit(1);
}

function requireNode() {
  const version = process.versions.node.split(".").map(Number);
  const isNewEnough =
    version[0] > MINIMUM_NODE[0] || (version[0] === MINIMUM_NODE[0] && version[1] >= MINIMUM_NODE[1]);
  if (isNewEnough) return;
  fail(
    "needs Node " +
      MINIMUM_NODE.join(".") +
      " or newer, this is " +
      process.versions.node +
      ": install a newer Node",
  );
}

/** Changes whenever an installation could come out different. */
function fingerprint() {
  const files = ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"];
  for (const parent of ["packages", "services"]) {
    for (const name of readdirSync(join(root, parent))) files.push(join(parent, name, "package.json"));
  }
  const hash = createHash("sha256").update(process.platform + process.arch + process.versions.modules);
  for (const file of files) {
    if (existsSync(join(root, file))) hash.update(file).update(readFileSync(join(root, file)));
  }
  return hash.digest("hex");
}

/** The words that run the pnpm of package.json: the one on PATH when it is that version, else one that npx fetches. */
export function findPnpm() {
  const pinned = pinnedPnpm();
  const options = { cwd: root, encoding: "utf8", env: nonInteractive(), stdio: ["ignore", "pipe", "ignore"] };
  const found = spawnSync("pnpm", ["--version"], options);
  if (found.status === 0 && found.stdout.trim() === pinned.split("@")[1]) return ["pnpm"];
  return ["npx", "--yes", pinned];
}

/** `pnpm@<version>`. */
function pinnedPnpm() {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8")).packageManager;
}

/** An environment in which nothing waits for an answer. */
export function nonInteractive() {
  return Object.assign({}, process.env, { CI: "true", COREPACK_ENABLE_DOWNLOAD_PROMPT: "0" });
}

/** Shows the tool's output as it comes, and keeps it to tell the cause of a failure. */
function run(what, command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: nonInteractive(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const keep = (stream) => (chunk) => {
      stream.write(chunk);
      output += chunk;
    };
    child.stdout.on("data", keep(process.stdout));
    child.stderr.on("data", keep(process.stderr));
    child.on("error", (error) =>
      fail("the " + what + " failed: " + command + " cannot be run (" + error.message + ")"),
    );
    child.on("close", (code) => (code === 0 ? resolve() : fail(explain(what, output))));
  });
}

function explain(what, output) {
  const known = REMEDIES.find((remedy) => remedy[0].test(output));
  return "the " + what + " failed: " + (known ? known[1] : "the reason is in the lines above");
}
