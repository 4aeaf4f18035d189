/** A Redis Cluster of three primaries without replicas, on the loopback address. */
import { join } from "node:path";
import { findFreePort, isPortFree, LOOPBACK } from "./free-port.ts";
import { askRedisUntil, orderRedis } from "./redis-command.ts";
import { startRedis, type RedisServer, type RedisTls } from "./redis.ts";

/** The fewest that a cluster of Redis may have. */
const NODES = 3;
const SLOTS = 16_384;
/** A node talks to the others on a port that much above its own, which must be a port too. */
const BUS_PORT_OFFSET = 10_000;
const MAX_PORT = 65_535;
/** How long a node may be silent before the others hold it for lost, in ms. */
const NODE_TIMEOUT_MS = 1_000;
/** How long the nodes may take to agree, in ms. */
const FORM_TIMEOUT_MS = 30_000;

/** Clients are given names instead of addresses, as certificates need it. */
const NAMED = {
  "cluster-announce-hostname": "localhost",
  "cluster-preferred-endpoint-type": "hostname",
  "tls-cluster": "yes",
};

/** A running cluster. */
export interface RedisCluster {
  /** With one node of it: the others must be found. `redis+cluster://`, or `rediss+cluster://localhost` with TLS. */
  readonly url: string;
  /** Each keeps an equal part of the slots, in their order. */
  readonly nodes: readonly RedisServer[];
  /** Starts a node again that was stopped or has died, with its data and in its place, and resolves when it answers. */
  readonly restart: (index: number) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** What to start. */
export interface RedisClusterOptions {
  /** Where the nodes keep their data; made when it does not exist. */
  readonly directory: string;
  /** The program, as `findRedisServer` returns it. */
  readonly binary: string;
  /** For `localhost`, as clients are then told the nodes. Needs the setting `cluster-announce-hostname` (Redis 7.0). */
  readonly tls?: RedisTls;
}

/** Resolves when every node takes commands for all slots. @throws Error when they do not agree in half a minute. */
export async function startRedisCluster(options: RedisClusterOptions): Promise<RedisCluster> {
  const { directory, binary, tls } = options;
  const settings = {
    "cluster-enabled": "yes",
    "cluster-node-timeout": String(NODE_TIMEOUT_MS),
    ...(tls === undefined ? {} : NAMED),
  };
  const start = (index: number, port: number, tlsPort: number | null): Promise<RedisServer> =>
    startRedis({
      directory: join(directory, `node-${index}`),
      binary,
      port,
      settings,
      ...(tls === undefined || tlsPort === null ? {} : { tls: { ...tls, port: tlsPort } }),
    });

  const nodes: RedisServer[] = [];
  const stop = async (): Promise<void> => void (await Promise.all(nodes.map((node) => node.stop())));
  try {
    for (let index = 0; index < NODES; index++) {
      nodes.push(await start(index, await findNodePort(), tls === undefined ? null : await findNodePort()));
    }
    await formCluster(nodes);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url:
      tls === undefined
        ? `redis+cluster://${LOOPBACK}:${nodes[0]?.port}`
        : `rediss+cluster://localhost:${nodes[0]?.tlsPort}`,
    nodes,
    stop,
    async restart(index) {
      const stopped = nodes[index];
      if (stopped === undefined) throw new Error(`the cluster has no node ${index}`);
      await stopped.stop();
      nodes[index] = await start(index, stopped.port, stopped.tlsPort);
    },
  };
}

/** By commands that Redis 6 knows too. */
async function formCluster(nodes: readonly RedisServer[]): Promise<void> {
  const perNode = Math.ceil(SLOTS / nodes.length);
  for (const [index, { port }] of nodes.entries()) {
    const slots = Array.from({ length: SLOTS }, (_, slot) => slot).slice(
      index * perNode,
      (index + 1) * perNode,
    );
    // Unlike numbers spare the nodes their quarrel about who is who.
    await orderRedis(port, `CLUSTER SET-CONFIG-EPOCH ${index + 1}`);
    await orderRedis(port, `CLUSTER ADDSLOTS ${slots.join(" ")}`);
  }
  for (const { port, tlsPort } of nodes.slice(1)) {
    await orderRedis(nodes[0]?.port ?? 0, `CLUSTER MEET ${LOOPBACK} ${tlsPort ?? port}`);
  }
  for (const { port } of nodes)
    await askRedisUntil(port, "CLUSTER INFO", "cluster_state:ok", FORM_TIMEOUT_MS);
}

async function findNodePort(): Promise<number> {
  for (;;) {
    const port = await findFreePort();
    const busPort = port + BUS_PORT_OFFSET;
    if (busPort <= MAX_PORT && (await isPortFree(busPort))) return port;
  }
}
