/** Which settings of a Redis may lose jobs that it has accepted. */
import { Cluster, type Redis } from "ioredis";
import type { RedisClient } from "./redis-connection.ts";

/** Redis forgets jobs under memory pressure, and keeps nothing or a second too little on disk, unless told otherwise. */
const SETTINGS = [
  { name: "maxmemory-policy", safe: "noeviction", risk: "Redis may evict jobs when its memory is full" },
  { name: "appendonly", safe: "yes", risk: "a restart loses the jobs of the last minutes or all of them" },
  { name: "appendfsync", safe: "always", risk: "a power failure loses the jobs of the last seconds" },
] as const;

/** One sentence for each setting that is not safe, with the command that mends it. */
export async function redisDurabilityWarnings(client: RedisClient): Promise<string[]> {
  const nodes = client instanceof Cluster ? client.nodes("master") : [client];
  const warnings = await Promise.all(nodes.map(nodeWarnings));
  return [...new Set(warnings.flat())];
}

async function nodeWarnings(node: Redis): Promise<string[]> {
  const warnings: string[] = [];
  for (const { name, safe, risk } of SETTINGS) {
    const value = await readSetting(node, name);
    if (value === null) return [UNCHECKED];
    if (value === safe) continue;
    warnings.push(`${name} is ${value}: ${risk}. Run: redis-cli CONFIG SET ${name} ${safe}`);
  }
  return warnings;
}

const UNCHECKED = `This Redis lets nobody read its settings (CONFIG GET): see yourself that ${SETTINGS.map(
  ({ name, safe }) => `${name} is ${safe}`,
).join(", ")}`;

/** null = the server does not tell: managed ones disable or rename CONFIG, an ACL may forbid it. */
async function readSetting(node: Redis, name: string): Promise<string | null> {
  try {
    // [name, value]; the reply is flat because ioredis maps RESP3 maps to RESP2 shapes by default.
    const reply: unknown = await node.config("GET", name);
    const value: unknown = Array.isArray(reply) ? reply[1] : null;
    return typeof value === "string" ? value : null;
  } catch (error) {
    // What the server answers, in contrast to a connection that broke.
    if (error instanceof Error && /^(NOPERM|ERR)\b/.test(error.message)) return null;
    throw error;
  }
}
