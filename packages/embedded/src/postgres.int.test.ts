import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { afterEach, expect, test } from "vitest";
import { startEmbeddedPostgres, type EmbeddedPostgres, type EmbeddedPostgresOptions } from "./postgres.ts";
import { isProcessAlive } from "./process-identity.ts";

const folders: string[] = [];
const servers: EmbeddedPostgres[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sluice-test-"));
  folders.push(folder);
  return folder;
}

async function start(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ settings: { fsync: "off" }, ...options });
  servers.push(server);
  return server;
}

async function run(url: string, query: string): Promise<readonly Record<string, unknown>[]> {
  const sql = postgres(url, { max: 1 });
  try {
    return await sql.unsafe(query);
  } finally {
    await sql.end();
  }
}

function failsWith(code: string, words: string | RegExp): unknown {
  return expect.objectContaining({ code, message: expect.stringMatching(words) });
}

function isAlive(pid: number): boolean {
  return isProcessAlive({ pid, startTime: null });
}

/** Starts a server in another process of ours, which then waits. Resolves to that process and to the server's number. */
async function startElsewhere(
  dataDirectory: string,
): Promise<{ kill: () => Promise<void>; pid: number; owner: number }> {
  const module = fileURLToPath(new URL("./postgres.ts", import.meta.url));
  const script = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(module)});
    const server = await startEmbeddedPostgres({ dataDirectory: ${JSON.stringify(dataDirectory)}, settings: { fsync: "off" } });
    console.log(server.pid);
    setInterval(() => undefined, 1000);
  `;
  const args = ["--conditions=source", "--import", "tsx", "--input-type=module", "--eval", script];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const kill = async (): Promise<void> => {
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  };
  return { kill, pid: Number(line.toString()), owner: child.pid! };
}

test("an empty folder becomes a UTF-8 database that asks for a password and keeps its data over a restart", async () => {
  const dataDirectory = aFolder();
  const lines: string[] = [];
  const first = await start({ dataDirectory, onProgress: (line) => lines.push(line) });
  expect(lines).toEqual([expect.stringContaining("Creating"), "Starting PostgreSQL 18"]);
  await run(first.url, "create table note (body text); insert into note values ('żółć')");
  await expect(run(first.url.replace(/sluice:[^@]+@/, "sluice:wrong@"), "select 1")).rejects.toThrow(
    "password",
  );
  await first.stop();
  expect(isAlive(first.pid)).toBe(false);

  const second = await start({ dataDirectory });
  expect(await run(second.url, "select upper(body) as body from note")).toEqual([{ body: "ŻÓŁĆ" }]);
});

test("writes are durable unless the caller says otherwise, and only the loopback address is served", async () => {
  const server = await startEmbeddedPostgres({
    dataDirectory: aFolder(),
    settings: { application_name: "it's a name" },
  });
  servers.push(server);
  const query =
    "select name, setting from pg_settings where name = any (array['fsync','synchronous_commit','full_page_writes','listen_addresses','unix_socket_directories'])";
  const rows = await run(server.url, `${query} order by name`);
  expect(Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))).toEqual({
    fsync: "on",
    full_page_writes: "on",
    listen_addresses: "127.0.0.1",
    synchronous_commit: "on",
    unix_socket_directories: "",
  });
});

test("stop may be called twice, and after the server has gone", async () => {
  const server = await start({ dataDirectory: aFolder() });
  process.kill(server.pid, "SIGQUIT");
  await Promise.all([server.stop(), server.stop()]);
  expect(isAlive(server.pid)).toBe(false);
});

test("a data folder whose server was killed starts again with everything that was committed", async () => {
  const dataDirectory = aFolder();
  const killed = await start({ dataDirectory });
  await run(killed.url, "create table note (body text); insert into note values ('kept')");
  process.kill(killed.pid, "SIGKILL");
  await killed.stop();
  expect(existsSync(join(dataDirectory, "cluster", "postmaster.pid"))).toBe(true);

  const restarted = await start({ dataDirectory });
  expect(await run(restarted.url, "select body from note")).toEqual([{ body: "kept" }]);
});

test("a postmaster.pid whose number another program has by now does not keep the server from starting", async () => {
  const dataDirectory = aFolder();
  const first = await start({ dataDirectory });
  await first.stop();
  writeFileSync(
    join(dataDirectory, "cluster", "postmaster.pid"),
    `${process.pid}\n${dataDirectory}/cluster\n`,
  );
  const second = await start({ dataDirectory });
  expect(await run(second.url, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("a folder is refused while its owner lives, and its server is taken over when the owner has died", async () => {
  const dataDirectory = aFolder();
  const elsewhere = await startElsewhere(dataDirectory);
  await expect(start({ dataDirectory })).rejects.toEqual(
    failsWith("data_directory_in_use", new RegExp(`process ${elsewhere.owner} already uses`)),
  );
  await elsewhere.kill();
  expect(isAlive(elsewhere.pid)).toBe(true);

  const lines: string[] = [];
  const server = await start({ dataDirectory, onProgress: (line) => lines.push(line) });
  expect(lines[0]).toContain(`Stopping the PostgreSQL (process ${elsewhere.pid})`);
  expect(isAlive(elsewhere.pid)).toBe(false);
  expect(await run(server.url, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("a second start in the same process is refused, and the first server goes on", async () => {
  const dataDirectory = aFolder();
  const server = await start({ dataDirectory });
  await expect(start({ dataDirectory })).rejects.toEqual(
    failsWith("data_directory_in_use", `process ${process.pid}`),
  );
  expect(await run(server.url, "select 1 as one")).toEqual([{ one: 1 }]);
});

test.runIf(process.platform === "linux")(
  "the server is in a session of its own, out of reach of Ctrl-C",
  async () => {
    const server = await start({ dataDirectory: aFolder() });
    const sessionOf = (pid: number): string | undefined =>
      readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[3];
    expect(sessionOf(server.pid)).toBe(String(server.pid));
    expect(sessionOf(server.pid)).not.toBe(sessionOf(process.pid));
  },
);

test("a port that is taken is named, and the folder is free again after it", async () => {
  const dataDirectory = aFolder();
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as { port: number };
  await expect(start({ dataDirectory, port })).rejects.toEqual(failsWith("port_in_use", `port ${port}`));
  other.close();
  await once(other, "close");
  expect((await start({ dataDirectory, port })).port).toBe(port);
});

test("a folder with other people's files is refused, and left as it is", async () => {
  const dataDirectory = aFolder();
  writeFileSync(join(dataDirectory, "thesis.txt"), "mine");
  await expect(start({ dataDirectory })).rejects.toEqual(failsWith("data_directory_foreign", "thesis.txt"));
  expect(existsSync(join(dataDirectory, "cluster"))).toBe(false);
});

test("a cluster of another major version is refused, naming both", async () => {
  const dataDirectory = aFolder();
  mkdirSync(join(dataDirectory, "cluster"));
  writeFileSync(join(dataDirectory, "cluster", "PG_VERSION"), "16\n");
  await expect(start({ dataDirectory })).rejects.toEqual(
    failsWith("data_directory_other_version", "PostgreSQL 16, this is 18"),
  );
});

test("a path that is a file is refused in one line", async () => {
  const file = join(aFolder(), "file");
  writeFileSync(file, "");
  await expect(start({ dataDirectory: file })).rejects.toEqual(
    failsWith("data_directory_unwritable", "choose another data folder"),
  );
});

test("a setting that PostgreSQL does not know is named in one line", async () => {
  await expect(start({ dataDirectory: aFolder(), settings: { no_such_setting: "1" } })).rejects.toEqual(
    failsWith("start_failed", /^PostgreSQL did not start: .*no_such_setting.*$/),
  );
});
