/**
 * Proves that the services call out in one place: the linter refuses a call of any other kind, and nothing that ships
 * imports what could make a connection by itself, but for the files named here. packages/bitbucket proves where that one
 * place can be led. Drivers of Postgres and Redis connect to what the configuration names.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const services = ["api", "ingress", "worker"].map((name) => `services/${name}/src`);
const packages = ["bitbucket", "domain", "queue", "runtime", "store"].map((name) => `packages/${name}/src`);

/** Modules that can open a connection or start a program that does. */
const CONNECTING =
  /from "(?:node:)?(?:http|https|http2|net|tls|dgram|dns|child_process|cluster|worker_threads|inspector)(?:\/\w+)?"/;
/** Libraries that call whomever they are told to. None is a dependency; this keeps it so. */
const CLIENTS = /from "(?:undici|axios|got|node-fetch|ky|superagent|ws)"/;

/** Files that import such a module, and what for. */
const ALLOWED = {
  "services/ingress/src/read-body.ts": "the type of a request that came in",
  "packages/runtime/src/http-server.ts": "the server",
  "packages/store/src/watched-socket.ts": "the socket of the Postgres driver",
  "packages/queue/src/postgres-connection.ts": "the socket of the Postgres driver of the queue",
};

const folder = mkdtempSync(join(tmpdir(), "sluice-outbound-rule-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the linter refuses a call in every folder that ships, but for the transport and tests", () => {
  cpSync(join(root, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));
  const calls = {
    "by-fetch.ts": "export const answer = await fetch(`https://example.com`);\n",
    "deep/by-fetch.ts": "export const get = fetch;\n",
    "by-socket.ts": "export const socket = new WebSocket(`wss://example.com`);\n",
    "by-events.ts": "export const events = new EventSource(`https://example.com`);\n",
  };
  const forbidden = [];
  for (const source of [...services, ...packages]) {
    for (const [name, text] of Object.entries(calls)) forbidden.push(write(`${source}/${name}`, text));
    write(`${source}/own-name.ts`, "export const call = (app: { fetch(): void }) => app.fetch();\n");
    write(`${source}/of-a-test.test.ts`, calls["by-fetch.ts"]);
    write(`${source}/test-scene.ts`, calls["by-fetch.ts"]);
  }
  for (const name of ["client", "http-request", "transport"]) {
    write(`packages/bitbucket/src/${name}.ts`, calls["by-fetch.ts"]);
    forbidden.push(write(`services/worker/src/${name}.ts`, calls["by-fetch.ts"]));
  }
  expect(lint()).toEqual(new Set(forbidden));
});

test("nothing that ships imports what connects, but for the files that are named", () => {
  const files = [...services, ...packages].flatMap(listShippedFiles);
  expect(files.length).toBeGreaterThan(150);
  expect(files.filter((file) => CONNECTING.test(read(file))).toSorted()).toEqual(
    Object.keys(ALLOWED).toSorted(),
  );
  expect(files.filter((file) => CLIENTS.test(read(file)))).toEqual([]);
});

test("nothing that ships goes round the linter: no global by another name, no module that is named at run time", () => {
  const evasions =
    /\bglobalThis\b|\beval\(|new Function\(|\bimport\((?!")|process\.(?:binding|getBuiltinModule)/;
  const files = [...services, ...packages].flatMap(listShippedFiles);
  expect(files.filter((file) => evasions.test(read(file)))).toEqual([]);
  const disabled = /oxlint-disable[^\n]*no-restricted/;
  expect(files.filter((file) => disabled.test(read(file)))).toEqual([]);
});

function write(file, source) {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), source);
  return file;
}

/** Files that the rule refuses. */
function lint() {
  const oxlint = join(root, "node_modules", ".bin", "oxlint");
  const { stdout } = spawnSync(oxlint, ["--format", "json"], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  const { diagnostics } = JSON.parse(stdout);
  const ours = diagnostics.filter(({ code }) => code === "eslint(no-restricted-globals)");
  return new Set(ours.map(({ filename }) => filename));
}

/** Without tests and what only they use. */
function listShippedFiles(source) {
  return readdirSync(join(root, source), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !/\.test\.ts$|\/test-[\w-]+\.ts$|\/testing\//.test(file));
}

function read(file) {
  return readFileSync(join(root, file), "utf8");
}
