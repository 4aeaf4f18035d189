import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { isProcessAlive } from "./process-identity.ts";
import { pingRedis } from "./redis-command.ts";
import { findRedisServer, startRedis, type RedisOptions, type RedisServer } from "./redis.ts";

const binary = await findRedisServer();
const folders: string[] = [];
const servers: RedisServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sluice-test-"));
  folders.push(folder);
  return folder;
}

async function start(options: Partial<RedisOptions> = {}): Promise<RedisServer> {
  const server = await startRedis({ directory: aFolder(), binary: binary!, ...options });
  servers.push(server);
  return server;
}

/** The first answer to one inline command. */
async function ask(port: number, command: string): Promise<string> {
  const socket = createConnection({ host: "127.0.0.1", port });
  socket.write(`${command}\r\n`);
  const [answer] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return answer.toString();
}

function isAlive(pid: number): boolean {
  return isProcessAlive({ pid, startTime: null });
}

describe.skipIf(binary === null)("a Redis of this machine", () => {
  test("it answers on its port, syncs every write and never evicts", async () => {
    const server = await start();
    expect(await pingRedis(server.port)).toBe(true);
    expect(await ask(server.port, "config get appendonly")).toContain("yes");
    expect(await ask(server.port, "config get appendfsync")).toContain("always");
    expect(await ask(server.port, "config get maxmemory-policy")).toContain("noeviction");
    expect(await ask(server.port, "config get bind")).toContain("127.0.0.1");
  });

  test("it keeps its data over a stop and a start", async () => {
    const directory = aFolder();
    const first = await start({ directory });
    await ask(first.port, "set note kept");
    await first.stop();
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);
    const second = await start({ directory });
    expect(await ask(second.port, "get note")).toContain("kept");
  });

  test("without appendOnly it keeps nothing", async () => {
    const directory = aFolder();
    const first = await start({ directory, appendOnly: false });
    await ask(first.port, "set note lost");
    await first.stop();
    const second = await start({ directory, appendOnly: false });
    expect(await ask(second.port, "get note")).toBe("$-1\r\n");
  });

  test("a port that is taken is named, and the folder is free again after it", async () => {
    const directory = aFolder();
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    await expect(start({ directory, port })).rejects.toThrow(`did not start on port ${port}`);
    other.close();
    expect(await pingRedis((await start({ directory })).port)).toBe(true);
  });

  test("a folder is refused while its owner lives, and its server is stopped first when the owner has died", async () => {
    const directory = aFolder();
    const module = fileURLToPath(new URL("./redis.ts", import.meta.url));
    const script = `
      const { startRedis } = await import(${JSON.stringify(module)});
      const server = await startRedis(${JSON.stringify({ directory, binary })});
      console.log(server.pid);
      setInterval(() => undefined, 1000);
    `;
    const args = ["--conditions=source", "--import", "tsx", "--input-type=module", "--eval", script];
    const owner = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(owner.stdout, "data")) as [Buffer];
    const orphan = Number(line.toString());
    await expect(start({ directory })).rejects.toThrow(`process ${owner.pid} already uses`);
    const gone = once(owner, "exit");
    owner.kill("SIGKILL");
    await gone;
    expect(isAlive(orphan)).toBe(true);
    await start({ directory });
    expect(isAlive(orphan)).toBe(false);
  });

  test("a program that does not exist is an error, and the folder stays free", async () => {
    const directory = aFolder();
    await expect(start({ directory, binary: "/no/such/redis-server" })).rejects.toThrow("ENOENT");
    expect(await pingRedis((await start({ directory })).port)).toBe(true);
  });
});

test("a port where nothing listens does not answer", async () => {
  expect(await pingRedis(1)).toBe(false);
});
