/**
 * Proves what docs/deployment.md promises of docker-compose.yml and deploy/: every container as closed as it can be, and
 * every process with a configuration that it accepts. No container engine is needed.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findUnknownVariables, loadConfiguration } from "../packages/runtime/src/configuration.ts";
import { parseKeyring } from "../packages/runtime/src/keyring.ts";
import {
  databaseVariables,
  encryptionVariables,
  loggingVariables,
  queueVariables,
} from "../packages/runtime/src/variables.ts";
import { apiVariables } from "../services/api/src/config.ts";
import { ingressVariables } from "../services/ingress/src/config.ts";
import { workerVariables } from "../services/worker/src/config.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
// The workspace's root does not depend on it, the command line does.
const { parse } = createRequire(join(root, "packages/cli/package.json"))("yaml");
const manifest = JSON.parse(read("package.json"));
const compose = parse(read("docker-compose.yml"), { merge: true });
const dockerfile = read("deploy/Dockerfile");

const SECRETS = "/run/secrets/";
const containers = Object.entries(compose.services);
const processes = containers.filter(([, container]) => container.build !== undefined);
const services = processes.filter(([, { command }]) => command[0] === "serve");
const servers = containers.filter(([, container]) => container.build === undefined);
/** What each process reads. */
const definitions = {
  ingress: ingressVariables,
  worker: workerVariables,
  api: apiVariables,
  migrate: { ...databaseVariables, ...queueVariables, ...loggingVariables },
  sluice: { ...databaseVariables, ...queueVariables, ...encryptionVariables, ...loggingVariables },
};
const ports = { ingress: ingressVariables.port, worker: workerVariables.port, api: apiVariables.port };
const operationsPorts = { ...ports, ingress: ingressVariables.operationsPort };

let folder;
let createSecrets;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-secrets-"));
  createSecrets = () =>
    spawnSync("sh", [join(root, "deploy/create-secrets.sh"), join(folder, "secrets")], { encoding: "utf8" });
  expect(createSecrets().status).toBe(0);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the file has the containers that this test knows", () => {
  expect(servers.map(([name]) => name)).toEqual(["postgres", "valkey"]);
  expect(processes.map(([name]) => name).toSorted()).toEqual(Object.keys(definitions).toSorted());
  expect(services.map(([name]) => name)).toEqual(Object.keys(ports));
});

describe.each(containers)("%s", (name, container) => {
  test("runs a fixed version, as a user other than root, without any right", () => {
    expect(container.image).toMatch(/:(\d+\.\d+\.?\d*(-[a-z]+)?|\$\{SLUICE_VERSION:-[\d.]+\})$/);
    expect(container.user).toMatch(/^(postgres|valkey|1000:1000)$/);
    expect(container.cap_drop).toEqual(["ALL"]);
    expect(container.security_opt).toContain("no-new-privileges:true");
    expect(container).not.toHaveProperty("privileged");
    expect(container).not.toHaveProperty("cap_add");
  });

  test("writes to nothing but its volumes and its memory", () => {
    expect(container.read_only).toBe(true);
    const writable = (container.volumes ?? []).filter((volume) => !volume.endsWith(":ro"));
    for (const volume of writable) expect(compose.volumes).toHaveProperty(volume.split(":")[0]);
  });

  test("cannot take the machine's memory, processes or disk", () => {
    expect(container.mem_limit).toMatch(/^\d+[mg]$/);
    expect(container.pids_limit).toBeGreaterThan(0);
    expect(container.logging.options).toEqual({
      "max-size": expect.any(String),
      "max-file": expect.any(String),
    });
  });

  test("can be there more than once", () => {
    expect(container).not.toHaveProperty("container_name");
    expect(container).not.toHaveProperty("hostname");
  });

  test("gets the secrets that its variables or its command name, and no other", () => {
    const text = JSON.stringify([container.environment ?? {}, container.command ?? []]);
    const named = [...text.matchAll(/\/run\/secrets\/(\w+)/g)].map(([, secret]) => secret);
    // The script that makes the database reads it.
    const expected = name === "postgres" ? [...named, "postgres_password"] : named;
    expect(container.secrets.toSorted()).toEqual(expected.toSorted());
  });

  test("is watched, unless it ends by itself", () => {
    const endsByItself = container.restart === "no";
    expect(endsByItself).toBe(name === "migrate" || name === "sluice");
    expect(container.healthcheck !== undefined).toBe(!endsByItself);
  });
});

describe("the networks", () => {
  test("only the ingress and the api can be reached, and from this machine alone unless somebody says otherwise", () => {
    const published = containers.filter(([, container]) => container.ports !== undefined);
    expect(published.map(([name]) => name)).toEqual(["ingress", "api"]);
    expect(namesOn("front")).toEqual(["ingress", "api"]);
    for (const [name, container] of published) {
      const { default: port } = ports[name];
      const variable = `PUBLISH_${name.toUpperCase()}`;
      // And nothing else: not the ingress's port for operators.
      expect(container.ports).toEqual([`\${${variable}:-127.0.0.1:${port}}:${port}`]);
    }
  });

  test("the servers are on a network that leads nowhere else", () => {
    expect(compose.networks.back.internal).toBe(true);
    for (const [, container] of servers) expect(container.networks).toEqual(["back"]);
    for (const [, container] of processes) expect(container.networks).toContain("back");
  });

  test("the worker and the api reach Bitbucket, and share that way with nobody", () => {
    expect(compose.networks.outbound?.internal).not.toBe(true);
    expect(namesOn("outbound")).toEqual(["worker", "api"]);
  });
});

describe("the order", () => {
  test("the services start when the servers are there and the migrations have succeeded", () => {
    for (const [, { depends_on: dependencies }] of services) {
      expect(dependencies).toEqual({
        migrate: { condition: "service_completed_successfully" },
        postgres: { condition: "service_healthy" },
        valkey: { condition: "service_healthy" },
      });
    }
    expect(compose.services.migrate.command).toEqual(["migrate"]);
  });

  test("a process that is stopped has its whole drain time", () => {
    const { drainTimeoutMs } = loadConfiguration({ drainTimeoutMs: ingressVariables.drainTimeoutMs }, {});
    for (const [, container] of processes) {
      expect(container.init).toBe(true);
      expect(parseFloat(container.stop_grace_period) * 1_000).toBeGreaterThan(drainTimeoutMs);
    }
  });
});

describe.each(processes)("the configuration of %s", (name, container) => {
  const environment = () =>
    Object.fromEntries(
      Object.entries(container.environment).map(([key, value]) => [
        key,
        value.replace(SECRETS, `${join(folder, "secrets")}/`).replace(/^\$\{\w+:-(.*)\}$/, "$1"),
      ]),
    );

  test("is complete, with secrets from files", () => {
    expect(loadConfiguration(definitions[name], environment())).toBeTruthy();
  });

  test("has no variable that it does not read", () => {
    expect(findUnknownVariables([definitions[name]], environment())).toEqual([]);
    const known = Object.values(definitions[name]).map((variable) => variable.name);
    expect(known).toEqual(
      expect.arrayContaining(Object.keys(environment()).map((key) => key.replace(/_FILE$/, ""))),
    );
  });
});

test.each(services)("%s is asked for its readiness where it tells it", (name, container) => {
  const [kind, program, flag, script, url] = container.healthcheck.test;
  expect([kind, program, flag]).toEqual(["CMD", "node", "--eval"]);
  expect(url).toBe(`http://127.0.0.1:${operationsPorts[name].default}/readyz`);
  // Nothing listens at port 1: the check must fail, and by its own doing.
  const { status, stderr } = spawnSync(process.execPath, [flag, script, "http://127.0.0.1:1"], {
    encoding: "utf8",
  });
  expect(status).toBe(1);
  expect(stderr).toContain("fetch failed");
});

test("Valkey keeps what it has accepted", () => {
  const { command } = compose.services.valkey;
  const option = (name) => command[command.indexOf(`--${name}`) + 1];
  expect(option("appendonly")).toBe("yes");
  expect(option("appendfsync")).toBe("always");
  expect(option("maxmemory-policy")).toBe("noeviction");
  expect(compose.services.valkey.volumes).toEqual(["valkey-data:/data"]);
});

describe("the secrets", () => {
  const secret = (name) => readFileSync(join(folder, "secrets", name), "utf8").trimEnd();

  test("are those that the file declares, where it looks for them, and out of the repository and the image", () => {
    const declared = Object.entries(compose.secrets);
    expect(readdirSync(join(folder, "secrets")).toSorted()).toEqual(
      declared.map(([name]) => name).toSorted(),
    );
    for (const [name, { file }] of declared) expect(file).toBe(`./deploy/secrets/${name}`);
    expect(read("deploy/.gitignore").split("\n")).toContain("/secrets/");
    const allowed = read(".dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"));
    expect(allowed).not.toEqual(expect.arrayContaining([expect.stringMatching(/^!(deploy|\.|\*)/)]));
  });

  test("can be read by the containers' users and are kept in a folder for their owner alone", () => {
    expect(statSync(join(folder, "secrets")).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(join(folder, "secrets"))) {
      expect([name, statSync(join(folder, "secrets", name)).mode & 0o777]).toEqual([name, 0o444]);
    }
  });

  test("fit each other and the containers' names", () => {
    const database = new URL(secret("database_url"));
    expect([database.hostname, database.username, database.pathname]).toEqual([
      "postgres",
      "sluice",
      "/sluice",
    ]);
    expect(database.password).toBe(secret("postgres_password"));
    const queue = new URL(secret("queue_url"));
    expect([queue.hostname, queue.username]).toEqual(["valkey", "sluice"]);
    expect(secret("valkey_users")).toContain(`\nuser sluice on >${queue.password} `);
    expect(parseKeyring(secret("encryption_keys")).decrypt).toBeTypeOf("function");
  });

  test("are never overwritten", () => {
    const before = secret("encryption_keys");
    expect(createSecrets()).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("nothing was changed"),
    });
    expect(secret("encryption_keys")).toBe(before);
  });
});

describe("the image", () => {
  test("is of the version of this checkout", () => {
    expect(dockerfile).toContain(`ARG VERSION=${manifest.version}\n`);
    for (const [, { image }] of processes)
      expect(image).toBe(`sluice:\${SLUICE_VERSION:-${manifest.version}}`);
  });

  test("starts a program that the build makes, on a Node that the packages accept, and not as root", () => {
    const [, entrypoint] = /^ENTRYPOINT (\[.*\])$/m.exec(dockerfile);
    const [program, script] = JSON.parse(entrypoint);
    expect(program).toBe("node");
    const source = script.replace("/dist/", "/src/").replace(/\.js$/, ".ts");
    expect(existsSync(join(root, source))).toBe(true);
    const [, major] = /^ARG NODE_IMAGE=node:(\d+)\.\d+\.\d+-/m.exec(dockerfile);
    expect(Number(major)).toBeGreaterThan(Number(/\d+/.exec(manifest.engines.node)[0]));
    expect(dockerfile).toMatch(/^USER 1000:1000$/m);
  });

  test("is made of files that its context holds", () => {
    const allowed = read(".dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"));
    const [, named] = /cp --parents (.*?) \/manifests$/ms.exec(dockerfile);
    for (const path of named.split(/[\s\\]+/)) expect(allowed).toContain(`!${path.split("/")[0]}`);
    for (const line of allowed) expect(existsSync(join(root, line.slice(1)))).toBe(true);
  });
});

test("the script that makes the database is the only one that Postgres is given", () => {
  expect(readdirSync(join(root, "deploy/postgres"))).toEqual(["create-database.sql"]);
  expect(compose.services.postgres.volumes).toContain("./deploy/postgres:/docker-entrypoint-initdb.d:ro");
  const [, path] = /`cat (\S+)`/.exec(read("deploy/postgres/create-database.sql"));
  expect(compose.services.postgres.secrets).toContain(basename(path));
});

function namesOn(network) {
  return containers.filter(([, { networks }]) => networks.includes(network)).map(([name]) => name);
}

function read(path) {
  return readFileSync(join(root, path), "utf8");
}
