/** The machine that was measured on, as far as it explains the numbers. */
import { availableParallelism, cpus, release, totalmem, type } from "node:os";
import { statfs } from "node:fs/promises";
import { createRequire } from "node:module";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  /** As the servers under test say. */
  readonly postgres: string;
  readonly redis: string;
  /** Of the libraries that are compared. */
  readonly libraries: Readonly<Record<string, string>>;
}

const LIBRARIES = [
  "hono",
  "@hono/node-server",
  "bullmq",
  "ioredis",
  "postgres",
  "drizzle-orm",
  "pg-boss",
  "graphile-worker",
];

/** statfs(2): TMPFS_MAGIC and RAMFS_MAGIC. */
const MEMORY_FILE_SYSTEMS = new Set([0x01_02_19_94, 0x85_84_58_f6]);

/** Describes this machine. */
export function describeMachine(servers: Pick<Machine, "postgres" | "redis">): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release().split("-")[0] ?? ""}`,
    node: process.version,
    ...servers,
    libraries: Object.fromEntries(LIBRARIES.map((name) => [name, versionOf(name)])),
  };
}

/** Whether files in `directory` are in memory only, where fsync costs nothing and proves nothing. */
export async function isInMemory(directory: string): Promise<boolean> {
  return MEMORY_FILE_SYSTEMS.has((await statfs(directory)).type);
}

/** Packages rarely export their package.json, so it is looked for above the file that they do export. */
function versionOf(name: string): string {
  const require = createRequire(import.meta.url);
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      const manifest: unknown = require(`${folder}/${name}/package.json`);
      if (typeof manifest === "object" && manifest !== null && "version" in manifest) {
        return String(manifest.version);
      }
    } catch {
      // Not in this folder.
    }
  }
  return "unknown";
}
