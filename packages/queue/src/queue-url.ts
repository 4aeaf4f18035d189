/** Where the queues live, read from one URL. */
import { AppError } from "@sluice/domain/app-error";

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26_379;

/** One server's address. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** How to log in to Redis. Absent members are not sent. */
export interface RedisLogin {
  readonly username?: string;
  readonly password?: string;
}

/** Which servers keep the queues. Holds secrets: never log it. */
export type QueueConfiguration =
  | ({
      readonly kind: "redis";
      readonly topology: "single";
      readonly tls: boolean;
      readonly server: HostAndPort;
      readonly database: number;
    } & RedisLogin)
  | ({
      readonly kind: "redis";
      readonly topology: "sentinel";
      readonly tls: boolean;
      readonly sentinels: readonly HostAndPort[];
      /** The name that the sentinels know the primary by. */
      readonly primary: string;
      readonly database: number;
      /** For the sentinels themselves. Absent = they ask for no password. */
      readonly sentinelLogin: RedisLogin;
    } & RedisLogin)
  | ({
      readonly kind: "redis";
      readonly topology: "cluster";
      readonly tls: boolean;
      readonly nodes: readonly HostAndPort[];
    } & RedisLogin)
  | { readonly kind: "postgres"; readonly url: string };

/** The part of the union that one kind of server needs. */
export type RedisConfiguration = Extract<QueueConfiguration, { kind: "redis" }>;

/**
 * Reads a queue URL. `redis` is `rediss` where the servers speak TLS (sentinels included; a private authority is named
 * in NODE_EXTRA_CA_CERTS); user and password are percent-encoded.
 *
 * | URL                                                          | Servers                                       |
 * | ------------------------------------------------------------ | --------------------------------------------- |
 * | `redis://user:password@host:6379/0`                          | one Redis or Valkey, database 0               |
 * | `redis+sentinel://user:password@host1,host2:26379/name/0`    | the primary `name`, as the sentinels know it  |
 * | `redis+cluster://user:password@host1,host2:6379`             | a cluster, found through any of these nodes   |
 * | `postgres://user:password@host:5432/database`                | PostgreSQL, without any Redis                 |
 *
 * Sentinels with a login of their own: `?sentinel_username=…&sentinel_password=…`. The Postgres URL must reach the
 * server itself or a pooler in session mode, because workers are woken by LISTEN.
 * @throws AppError `queue_url_invalid`, which never quotes the URL.
 */
export function parseQueueUrl(text: string): QueueConfiguration {
  const scheme = /^([a-z+]+):\/\//.exec(text)?.[1];
  switch (scheme) {
    case "postgres":
    case "postgresql":
      if (!URL.canParse(text)) throw invalid("it is not a URL");
      return { kind: "postgres", url: text };
    case "redis":
    case "rediss":
    case "redis+sentinel":
    case "rediss+sentinel":
    case "redis+cluster":
    case "rediss+cluster":
      return parseRedisUrl(scheme, text);
    default:
      throw invalid(
        "it does not begin with redis://, rediss://, redis+sentinel://, redis+cluster:// or postgres://",
      );
  }
}

/** `URL` refuses several hosts with ports, so the parts are cut out here. */
function parseRedisUrl(scheme: string, text: string): RedisConfiguration {
  const parts = /^[^:]+:\/\/(?:([^@/]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(text);
  if (parts === null) throw invalid("it is not of the form scheme://user:password@host:port/path");
  const [, login = "", hosts = "", path = "", query = ""] = parts;
  const tls = scheme.startsWith("rediss");
  const common = { kind: "redis", tls, ...parseLogin(login) } as const;
  switch (scheme.split("+")[1]) {
    case "sentinel":
      return { ...common, topology: "sentinel", ...parseSentinel(hosts, path, query) };
    case "cluster":
      if (path !== "" && path !== "0") throw invalid("a cluster has no database but 0");
      return { ...common, topology: "cluster", nodes: parseHosts(hosts, REDIS_PORT) };
    default: {
      const [server, second] = parseHosts(hosts, REDIS_PORT);
      if (server === undefined || second !== undefined) throw invalid("it must name one host");
      return { ...common, topology: "single", server, database: parseDatabase(path) };
    }
  }
}

function parseSentinel(hosts: string, path: string, query: string) {
  const [primary = "", database = ""] = path.split("/");
  if (primary === "") throw invalid("the name of the primary is missing: redis+sentinel://host/name");
  const parameters = new URLSearchParams(query);
  return {
    sentinels: parseHosts(hosts, SENTINEL_PORT),
    primary: decode(primary),
    database: parseDatabase(database),
    sentinelLogin: toLogin(
      parameters.get("sentinel_username") ?? "",
      parameters.get("sentinel_password") ?? "",
    ),
  };
}

function parseLogin(text: string): RedisLogin {
  const colon = text.indexOf(":");
  // `redis://password@host` is not a form that Redis knows: a lone word is the user.
  return colon === -1
    ? toLogin(decode(text), "")
    : toLogin(decode(text.slice(0, colon)), decode(text.slice(colon + 1)));
}

function toLogin(username: string, password: string): RedisLogin {
  return { ...(username === "" ? {} : { username }), ...(password === "" ? {} : { password }) };
}

function parseHosts(text: string, defaultPort: number): HostAndPort[] {
  return text.split(",").map((part) => {
    const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(part) ?? [];
    const host = bracketed ?? plain;
    if (host === undefined) throw invalid("a host is not of the form host or host:port");
    return { host, port: port === undefined ? defaultPort : Number(port) };
  });
}

function parseDatabase(text: string): number {
  if (!/^\d{0,4}$/.test(text)) throw invalid("the database is not a number");
  return Number(text);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw invalid("a percent sign in it is not the start of an escape (write % as %25)", cause);
  }
}

function invalid(reason: string, cause?: unknown): AppError {
  return new AppError("queue_url_invalid", `The queue URL cannot be used: ${reason}`, {
    retry: "never",
    cause,
  });
}
