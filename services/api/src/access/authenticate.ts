/** Who is asking: before every route of /v1, and before the queues' dashboard. */
import { getConnInfo } from "@hono/node-server/conninfo";
import { isRootAdmin, type Access } from "@sluice/domain/access";
import type { Context, MiddlewareHandler } from "hono";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";

import type { ApiEnv } from "../api-env.ts";
import { ProblemError } from "../problem.ts";
import { digestApiKey } from "./api-key.ts";
import type { Identify } from "./identify.ts";

/** What one address and one key may do. Counted by each process for itself. */
export interface RequestLimits {
  /** Wrong keys from one address in a minute; then it is refused for a minute, with any key. */
  readonly wrongKeysPerMinute: number;
  /** Requests with one key in a second, over ten seconds. */
  readonly requestsPerSecond: number;
}

const MINUTE_S = 60;
const WINDOW_S = 10;

export interface Authentication {
  /** For programs: `Authorization: Bearer <key>`. */
  readonly bearer: MiddlewareHandler<ApiEnv>;
  /** For browsers: any user, with the key of an admin of the root as password. */
  readonly browser: MiddlewareHandler<ApiEnv>;
}

/** Reads the key of each request, and leaves whose it is. */
export function createAuthentication(identify: Identify, limits: RequestLimits): Authentication {
  const wrongKeys = new RateLimiterMemory({
    points: limits.wrongKeysPerMinute,
    duration: MINUTE_S,
    blockDuration: MINUTE_S,
  });
  const requests = new RateLimiterMemory({ points: limits.requestsPerSecond * WINDOW_S, duration: WINDOW_S });

  const admit = async (
    c: Context<ApiEnv>,
    key: string | undefined,
    challenge: Challenge,
  ): Promise<Access> => {
    const address = addressOf(c);
    c.set("address", address);
    const wrong = await wrongKeys.get(address);
    if (wrong !== null && wrong.remainingPoints <= 0)
      throw tooMany(c, wrong, "There were too many wrong keys from here.");
    if (key !== undefined) {
      // Before the database is asked, so that also one that was revoked can be sent no more often.
      await spend(requests, digestApiKey(key), (spent) => {
        throw tooMany(c, spent, `One key may send ${String(limits.requestsPerSecond)} requests in a second.`);
      });
    }
    const access = key === undefined ? null : await identify(key);
    if (access === null) {
      // Nobody guesses by sending nothing.
      if (key !== undefined) await spend(wrongKeys, address, () => undefined);
      c.header("www-authenticate", challenge.header);
      throw new ProblemError("unauthorized", challenge.detail);
    }
    c.set("access", access);
    return access;
  };

  return {
    bearer: async (c, next) => {
      const [, key] = /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "") ?? [];
      await admit(c, key, BEARER);
      await next();
    },
    browser: async (c, next) => {
      const [, encoded] = /^Basic +(\S+) *$/i.exec(c.req.header("authorization") ?? "") ?? [];
      const credentials = Buffer.from(encoded ?? "", "base64").toString("utf8");
      const colonAt = credentials.indexOf(":");
      const access = await admit(c, colonAt === -1 ? undefined : credentials.slice(colonAt + 1), BASIC);
      // Queues hold what every integration sent.
      if (!isRootAdmin(access)) {
        throw new ProblemError("forbidden", "The queues are shown to admins of the root space alone.");
      }
      await next();
    },
  };
}

interface Challenge {
  readonly header: string;
  readonly detail: string;
}

const BEARER: Challenge = {
  header: 'Bearer realm="sluice"',
  detail: "Send `Authorization: Bearer <key>` with a key of this API.",
};

const BASIC: Challenge = {
  header: 'Basic realm="sluice", charset="UTF-8"',
  detail: "Sign in with any user and a key of this API as password.",
};

/** Takes one point; `refuse` when there is none left. */
async function spend(
  limiter: RateLimiterMemory,
  key: string,
  refuse: (spent: RateLimiterRes) => void,
): Promise<void> {
  try {
    await limiter.consume(key);
  } catch (error) {
    if (!(error instanceof RateLimiterRes)) throw error;
    refuse(error);
  }
}

function tooMany(c: Context, { msBeforeNext }: RateLimiterRes, detail: string): ProblemError {
  c.header("retry-after", String(Math.max(1, Math.ceil(msBeforeNext / 1_000))));
  return new ProblemError("too_many_requests", detail);
}

/** The address that is connected to us; behind a proxy the proxy's. */
function addressOf(c: Context<ApiEnv>): string {
  return c.env.incoming === undefined ? "unknown" : (getConnInfo(c).remote.address ?? "unknown");
}
