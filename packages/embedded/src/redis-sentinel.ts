/** A primary, its replica and the sentinels that watch them, on the loopback address. */
import { join } from "node:path";
import { LOOPBACK } from "./free-port.ts";
import { askRedisUntil, orderRedis } from "./redis-command.ts";
import { startRedis, type RedisOptions, type RedisServer, type RedisTls } from "./redis.ts";

/** What the sentinels call the primary. */
const NAME = "main";
/** How long the primary may be silent before it is replaced, in ms. */
const DOWN_AFTER_MS = 1_000;
/** After a failover that did not succeed the next one waits for twice this, in ms. */
const FAILOVER_TIMEOUT_MS = 3_000;
/** How long a replica may take to have its copy, and the sentinels to find each other, in ms. */
const FORM_TIMEOUT_MS = 30_000;

/** Servers that run. */
export interface RedisSentinels {
  /** With every sentinel: `redis+sentinel://`, or `rediss+sentinel://` with TLS. */
  readonly url: string;
  /** Until the first failover. */
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  readonly sentinels: readonly RedisServer[];
  readonly stop: () => Promise<void>;
}

/** What to start. */
export interface RedisSentinelOptions {
  /** Where the servers keep their data; made when it does not exist. */
  readonly directory: string;
  /** The program, as `findRedisServer` returns it. */
  readonly binary: string;
  /** How many sentinels. A majority of them must agree. */
  readonly sentinels: number;
  /** For the address 127.0.0.1, by which the sentinels know the servers. All of them then speak TLS to each other. */
  readonly tls?: RedisTls;
}

/** Resolves when the replica has its copy and every sentinel knows of the others: a failover is possible. */
export async function startRedisSentinels(options: RedisSentinelOptions): Promise<RedisSentinels> {
  const servers: RedisServer[] = [];
  const stop = async (): Promise<void> => void (await Promise.all(servers.map((server) => server.stop())));
  try {
    const start = async (name: string, rest: Pick<RedisOptions, "settings" | "sentinel">) => {
      const { binary, tls } = options;
      const secure = tls === undefined ? {} : { "tls-replication": "yes" };
      const server = await startRedis({
        directory: join(options.directory, name),
        binary,
        ...rest,
        settings: { ...secure, ...rest.settings },
        ...(tls === undefined ? {} : { tls }),
      });
      servers.push(server);
      return server;
    };
    // The primary waits five seconds for more replicas before it sends its copy, and pings them every ten, unless told.
    const settings = { "repl-diskless-sync-delay": "0", "repl-ping-replica-period": "1" };
    const primary = await start("primary", { settings });
    const replicaOf = `${LOOPBACK} ${clientPort(primary)}`;
    const replica = await start("replica", { settings: { ...settings, replicaof: replicaOf } });
    await askRedisUntil(replica.port, "INFO replication", "master_link_status:up", FORM_TIMEOUT_MS);
    const sentinels: RedisServer[] = [];
    for (let index = 0; index < options.sentinels; index++) {
      sentinels.push(await start(`sentinel-${index}`, { sentinel: true }));
    }
    await watch(primary, sentinels);
    const hosts = sentinels.map((sentinel) => `${LOOPBACK}:${clientPort(sentinel)}`).join(",");
    const scheme = options.tls === undefined ? "redis+sentinel" : "rediss+sentinel";
    return { url: `${scheme}://${hosts}/${NAME}`, primary, replica, sentinels, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function watch(primary: RedisServer, sentinels: readonly RedisServer[]): Promise<void> {
  const quorum = Math.floor(sentinels.length / 2) + 1;
  for (const { port } of sentinels) {
    await orderRedis(port, `SENTINEL MONITOR ${NAME} ${LOOPBACK} ${clientPort(primary)} ${quorum}`);
    await orderRedis(port, `SENTINEL SET ${NAME} down-after-milliseconds ${DOWN_AFTER_MS}`);
    await orderRedis(port, `SENTINEL SET ${NAME} failover-timeout ${FAILOVER_TIMEOUT_MS}`);
  }
  const ready = `status=ok,address=${LOOPBACK}:${clientPort(primary)},slaves=1,sentinels=${sentinels.length}`;
  for (const { port } of sentinels) await askRedisUntil(port, "INFO sentinel", ready, FORM_TIMEOUT_MS);
}

function clientPort({ port, tlsPort }: RedisServer): number {
  return tlsPort ?? port;
}
