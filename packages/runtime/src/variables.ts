/** The variables that more than one process has. A service spreads the groups it needs and adds its own. */
import { defineConfiguration } from "./configuration.ts";
import { durationMs, integer, oneOf, parsedText, url } from "./configuration-values.ts";
import { parseKeyring } from "./keyring.ts";
import { LOG_FORMATS, LOG_LEVELS } from "./logger.ts";

const POSTGRES_PROTOCOLS = ["postgres", "postgresql"];
const REDIS_PROTOCOLS = [
  "redis",
  "rediss",
  "redis+sentinel",
  "rediss+sentinel",
  "redis+cluster",
  "rediss+cluster",
];

/** Where the truth is kept: `databaseUrl`, `databasePoolSize`. */
export const databaseVariables = defineConfiguration({
  databaseUrl: {
    name: "DATABASE_URL",
    schema: url({
      protocols: POSTGRES_PROTOCOLS,
      shape: "postgres://user:password@host:5432/database",
      manyHosts: true,
    }),
    description: "The Postgres database that holds everything.",
    secret: true,
    example: "postgres://sluice:secret@localhost:5432/sluice",
  },
  databasePoolSize: {
    name: "SLUICE_DATABASE_POOL_SIZE",
    schema: integer({ min: 1, max: 500 }),
    description:
      "Connections to Postgres that one process may hold: half of them for transactions, half for single statements. Jobs take turns, so there may be more of those. The API holds up to two more while it changes webhooks.",
    default: "16",
  },
});

/** Where work waits: `queueUrl`, whose protocol chooses the backend, and `queueNamespace`. */
export const queueVariables = defineConfiguration({
  queueUrl: {
    name: "SLUICE_QUEUE_URL",
    schema: url({
      protocols: [...REDIS_PROTOCOLS, ...POSTGRES_PROTOCOLS],
      shape: `redis://:password@host:6379/0, or with ${[...REDIS_PROTOCOLS.slice(1), "postgres"].join(", ")}`,
      manyHosts: true,
    }),
    description:
      "The queue: Redis or Valkey (alone, Sentinel, Cluster), or Postgres on a small installation.",
    secret: true,
    example: "redis+sentinel://:secret@sentinel-1:26379,sentinel-2:26379/mymaster",
    fallbacks: ["REDIS_URL", "DATABASE_URL"],
  },
  queueNamespace: {
    name: "SLUICE_QUEUE_NAMESPACE",
    schema: parsedText("small letters, digits and _, a letter first, at most 40", (value) =>
      /^[a-z][a-z0-9_]{0,39}$/.test(value) ? value : null,
    ),
    description: "Keeps the queues of several installations on the same servers apart.",
    default: "sluice",
  },
});

/** What is logged, and how: `logLevel`, `logFormat`. */
export const loggingVariables = defineConfiguration({
  logLevel: {
    name: "LOG_LEVEL",
    schema: oneOf(LOG_LEVELS),
    description: "The least important lines that are still logged.",
    default: "info",
  },
  logFormat: {
    name: "LOG_FORMAT",
    schema: oneOf(LOG_FORMATS),
    description: "How a line looks; `auto` is pretty on a terminal and JSON everywhere else.",
    default: "auto",
  },
});

/** What encrypts stored secrets: `keyring`. */
export const encryptionVariables = defineConfiguration({
  keyring: {
    name: "SLUICE_ENCRYPTION_KEYS",
    schema: parsedText(
      "id:base64key pairs between commas, each key of 32 bytes, the newest first",
      parseKeyring,
    ),
    description: "Keys that encrypt stored secrets: the first encrypts, all decrypt. `sluice` can make one.",
    secret: true,
    example: "k2:<base64 of 32 bytes>,k1:<base64 of 32 bytes>",
  },
});

/** How a process ends: `drainTimeoutMs`. */
export const drainVariables = defineConfiguration({
  drainTimeoutMs: {
    name: "SLUICE_DRAIN_TIMEOUT_MS",
    schema: durationMs({ min: 0, max: 600_000 }),
    description:
      "Milliseconds from the signal to stop until the process is gone at the latest; work in hand is finished in it.",
    default: "10_000",
  },
});

/** Where Bitbucket is asked: `bitbucketApiUrl`. */
export const bitbucketVariables = defineConfiguration({
  bitbucketApiUrl: {
    name: "BITBUCKET_API_URL",
    schema: url({ protocols: ["https", "http"], shape: "https://host/2.0" }),
    description: "Bitbucket's REST API; another one only for tests.",
    default: "https://api.bitbucket.org/2.0",
  },
});
