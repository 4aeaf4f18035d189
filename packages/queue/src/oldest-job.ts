/** How old the oldest job of a queue is that has still to be done. */
import { PostgresQueueBackend, quoteSchemaName, RedisQueueBackend, type IQueueBackend } from "bullmq";

/**
 * Of each state, the jobs next in turn and, as many again, the last ones. A job that comes back from a delay goes to the
 * end of those that wait, and the one tried most often is due last: the oldest is at one of the ends, unless a backlog
 * is longer than both and was mixed.
 */
const MAX_EXAMINED_AT_AN_END = 500;

/**
 * When the oldest job was added that waits (for its turn, or for its time to come) or runs, in ms since the epoch by the
 * clock of the process that added it. null = every job is completed or failed. Exact while no state has more than 1,000
 * jobs; beyond that an older job may be among those that are not examined, so that the truth may be earlier, never later.
 * `backend` must be one of BullMQ's own two.
 */
export function findOldestAddedAt(backend: IQueueBackend): Promise<number | null> {
  if (backend instanceof PostgresQueueBackend) return findOnPostgres(backend);
  if (backend instanceof RedisQueueBackend) return findOnRedis(backend);
  throw new Error(`not a backend of BullMQ's: ${backend.qualifiedName}`);
}

/** Each part is read from one end of an index that BullMQ has for the state (0001_schema in 6.7.0). */
async function findOnPostgres({ connection, qualifiedName }: PostgresQueueBackend): Promise<number | null> {
  const jobs = `SELECT added_at_ms FROM ${quoteSchemaName(connection.schema)}.job WHERE queue = $1 AND state =`;
  const { rows } = await connection.pool.query<{ addedAt: number | null }>(
    `SELECT min(added_at_ms)::float8 AS "addedAt" FROM (
      (${jobs} 'waiting' ORDER BY priority, seq LIMIT $2)
      UNION ALL (${jobs} 'waiting' ORDER BY priority DESC, seq DESC LIMIT $2)
      UNION ALL (${jobs} 'delayed' ORDER BY process_at_ms LIMIT $2)
      UNION ALL (${jobs} 'delayed' ORDER BY process_at_ms DESC LIMIT $2)
      UNION ALL (${jobs} 'active')
    ) AS unfinished`,
    [qualifiedName, MAX_EXAMINED_AT_AN_END],
  );
  return rows[0]?.addedAt ?? null;
}

/**
 * The keys as BullMQ 6.7.0 has them. The hash of a job also holds its payload, up to megabytes: a script, so that none of
 * it travels. On a cluster they all are on one node.
 */
const OLDEST_ADDED_AT = {
  name: "sluiceOldestAddedAt",
  numberOfKeys: 1,
  lua: `
    local prefix, most = KEYS[1], tonumber(ARGV[1])
    local oldest = false
    for state, range in pairs({ wait = "LRANGE", active = "LRANGE", prioritized = "ZRANGE", delayed = "ZRANGE" }) do
      for _, ids in ipairs({
        redis.call(range, prefix .. state, 0, most - 1),
        redis.call(range, prefix .. state, -most, -1),
      }) do
        for _, id in ipairs(ids) do
          local addedAt = tonumber(redis.call("HGET", prefix .. id, "timestamp"))
          if addedAt and (not oldest or addedAt < oldest) then oldest = addedAt end
        end
      end
    end
    return oldest`,
} as const;

async function findOnRedis(backend: RedisQueueBackend): Promise<number | null> {
  const { name, ...definition } = OLDEST_ADDED_AT;
  const client = await backend.client;
  client.defineCommand(name, definition);
  const answer: unknown = await client.runCommand(name, [backend.toKey(""), MAX_EXAMINED_AT_AN_END]);
  return typeof answer === "number" ? answer : null;
}
