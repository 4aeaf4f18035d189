/** Connections to Redis or Valkey, in the two manners that a queue needs. */
import { Cluster, Redis, type RedisOptions as AllRedisOptions } from "ioredis";
import { withDeadline } from "./deadline.ts";
import type { RedisConfiguration } from "./queue-url.ts";

/** A connection to one server, or to a cluster. */
export type RedisClient = Redis | Cluster;

/** Producers answer a sender who waits, workers have time: https://docs.bullmq.io/guide/going-to-production */
export type RedisManner = "fails_fast" | "waits";

/** Without the one whose declaration exactOptionalPropertyTypes refuses (ioredis 6.0.0). */
type RedisOptions = Omit<AllRedisOptions, "replyMapping">;

/** A command that has no answer by then is answered with an error. */
export const COMMAND_TIMEOUT_MS = 2_000;
/** Of a node that is asked who has which slots. As with sentinels, the other nodes are asked next. */
const NODE_ANSWER_TIMEOUT_MS = 500;
/** Connecting included: one that hangs, or whose machine is gone, leaves the others time within a producer's two seconds. */
const SENTINEL_ANSWER_TIMEOUT_MS = 500;
/** A socket that has been silent for so long, while an answer is due, is replaced: the server may be elsewhere by now. */
const FAST_SOCKET_TIMEOUT_MS = 4_000;
/** Above the 10 s that a worker's BZPOPMIN may block. */
const WAITING_SOCKET_TIMEOUT_MS = 15_000;
const WAITING_CONNECT_TIMEOUT_MS = 5_000;
const MAX_RECONNECT_DELAY_MS = 1_000;

/** Does not connect yet where it fails fast. `onError` is told every failure to connect or to stay connected. */
export function createRedisClient(
  configuration: RedisConfiguration,
  manner: RedisManner,
  onError: (error: Error) => void,
): RedisClient {
  const client = newClient(configuration, manner);
  client.on("error", onError);
  return client;
}

/** Resolves when the client is ready for commands. After a rejection the client is of no further use. */
export async function connectRedis(client: RedisClient): Promise<void> {
  // Better than the "Connection is closed." that connect() rejects with.
  let lastError: Error | undefined;
  const remember = (error: Error): void => void (lastError = error);
  client.on("error", remember);
  try {
    // Unreachable sentinels are asked again and again without an end.
    await withDeadline(client.connect(), COMMAND_TIMEOUT_MS, () => new Error("Redis does not answer"));
  } catch (error) {
    client.disconnect();
    throw lastError ?? error;
  } finally {
    client.off("error", remember);
  }
}

/** Also against a worker's watchdog, which connects its blocking connection again when it finds it closed. */
export function endForGood(client: RedisClient): void {
  client.on("connecting", () => client.disconnect());
  if (client.status !== "end") client.disconnect();
}

/** Tells `keep` of every copy that is made of the client. */
export function keepDuplicates(client: RedisClient, keep: (duplicate: RedisClient) => void): void {
  if (client instanceof Cluster) {
    const duplicate = client.duplicate.bind(client);
    client.duplicate = (...args) => kept(duplicate(...args), keep);
  } else {
    const duplicate = client.duplicate.bind(client);
    client.duplicate = (override) => kept(duplicate(override), keep);
  }
}

function kept<C extends RedisClient>(client: C, keep: (duplicate: RedisClient) => void): C {
  keep(client);
  return client;
}

function newClient(configuration: RedisConfiguration, manner: RedisManner): RedisClient {
  const { tls, username, password } = configuration;
  const login = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
  const options: RedisOptions = { ...login, ...(tls ? { tls: {} } : {}), ...mannerOptions(manner) };
  switch (configuration.topology) {
    case "single":
      return new Redis({ ...options, ...configuration.server, db: configuration.database });
    case "sentinel":
      return new Redis({ ...options, ...sentinelOptions(configuration) });
    case "cluster":
      return new Cluster([...configuration.nodes], {
        redisOptions: options,
        enableOfflineQueue: manner === "waits",
        lazyConnect: manner === "fails_fast",
        clusterRetryStrategy: reconnectDelayMs,
        // After a check that fails, connect() never settles (ioredis 6.0.0), and BullMQ waits half a minute for it. A
        // cluster that is down says so to every command, and each is sent again for a while.
        enableReadyCheck: false,
        slotsRefreshTimeout: NODE_ANSWER_TIMEOUT_MS,
        // Names as they are, not the addresses that they have now: certificates are for names.
        dnsLookup: (host, answer) => answer(null, host),
      });
  }
}

function mannerOptions(manner: RedisManner): RedisOptions {
  const common = {
    retryStrategy: reconnectDelayMs,
    // After a failover the old primary refuses writes until it is asked for its place: reconnect, and send again.
    reconnectOnError: (error: Error) => (error.message.startsWith("READONLY") ? 2 : false),
  } satisfies RedisOptions;
  switch (manner) {
    case "fails_fast":
      return {
        ...common,
        lazyConnect: true,
        // A command never waits for a connection, and one whose connection breaks is answered at once.
        enableOfflineQueue: false,
        maxRetriesPerRequest: 0,
        commandTimeout: COMMAND_TIMEOUT_MS,
        connectTimeout: COMMAND_TIMEOUT_MS,
        socketTimeout: FAST_SOCKET_TIMEOUT_MS,
      };
    case "waits":
      return {
        ...common,
        // BullMQ refuses anything else on a connection that blocks.
        maxRetriesPerRequest: null,
        connectTimeout: WAITING_CONNECT_TIMEOUT_MS,
        socketTimeout: WAITING_SOCKET_TIMEOUT_MS,
      };
  }
}

function sentinelOptions(configuration: Extract<RedisConfiguration, { topology: "sentinel" }>): RedisOptions {
  const { sentinels, primary, database, sentinelLogin, tls } = configuration;
  return {
    sentinels: sentinels.map((sentinel) => ({ ...sentinel })),
    name: primary,
    db: database,
    ...(sentinelLogin.username === undefined ? {} : { sentinelUsername: sentinelLogin.username }),
    ...(sentinelLogin.password === undefined ? {} : { sentinelPassword: sentinelLogin.password }),
    ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
    sentinelRetryStrategy: reconnectDelayMs,
    sentinelCommandTimeout: SENTINEL_ANSWER_TIMEOUT_MS,
    // Told by the sentinels, a client leaves a primary that was replaced while it still answers.
    failoverDetector: true,
  };
}

function reconnectDelayMs(attempt: number): number {
  return Math.min(50 * attempt, MAX_RECONNECT_DELAY_MS);
}
