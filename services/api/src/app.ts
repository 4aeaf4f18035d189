import type { Logger } from "@sluice/runtime/logger";
import type { Database } from "@sluice/store/client";
import { Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { csrf } from "hono/csrf";
import { secureHeaders } from "hono/secure-headers";

import { requireBasic, requireBearer, type KeyCheck } from "./authentication.ts";
import { DASHBOARD_PATH, type Dashboard } from "./dashboard.ts";
import { createDecisionsRoutes, createDeliveriesRoutes } from "./deliveries-routes.ts";
import { answerError, ProblemError } from "./problem.ts";
import { MAX_BODY_BYTES } from "./request-body.ts";
import { answerInTime } from "./request-deadline.ts";
import { createTriggerInterventionsRoutes } from "./trigger-interventions-routes.ts";
import { createTriggersRoutes } from "./triggers-routes.ts";

/** What routes leave for the line that is logged of a request. */
export interface ApiEnv {
  readonly Variables: {
    facts?: Readonly<Record<string, unknown>>;
    /** False: logged for debugging alone. */
    isNews?: boolean;
  };
}

export interface ApiAppOptions {
  readonly db: Database;
  readonly isKey: KeyCheck;
  readonly dashboard: Pick<Dashboard, "fetch">;
  /** `/healthz`, `/readyz`, `/metrics`. */
  readonly operations: Hono;
  readonly logger: Logger;
}

/** The API's routes: schedulers and reports under /v1, the queues' dashboard, and what operators ask. */
export function createApiApp({ db, isKey, dashboard, operations, logger }: ApiAppOptions): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.route("/", operations);
  app.use(logRequest(logger));
  app.onError((error, c) => answerError(error, c, logger));
  app.notFound((c) => answerError(new ProblemError("not_found", "There is no such path."), c, logger));

  const limitBody = bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: () => {
      throw new ProblemError("body_too_large", `At most ${String(MAX_BODY_BYTES)} bytes are read.`);
    },
  });
  app.use("/v1/*", secureHeaders(), requireBearer(isKey), limitBody, answerInTime());
  app.route("/v1/triggers", createTriggersRoutes(db));
  app.route("/v1/triggers", createTriggerInterventionsRoutes(db));
  app.route("/v1/deliveries", createDeliveriesRoutes(db));
  app.route("/v1/decisions", createDecisionsRoutes(db));

  // A browser sends the password along with any request to us, also with one that another site made.
  const guards = [dashboardHeaders(), requireBasic(isKey), csrf(), limitBody] as const;
  app.use(DASHBOARD_PATH, ...guards);
  app.use(`${DASHBOARD_PATH}/*`, ...guards);
  app.all(DASHBOARD_PATH, (c) => dashboard.fetch(c.req.raw));
  app.all(`${DASHBOARD_PATH}/*`, (c) => dashboard.fetch(c.req.raw));
  return app;
}

/** Its page asks for fonts of another site, and does without. */
function dashboardHeaders(): MiddlewareHandler {
  return secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'self'"],
      styleSrc: ["'self'", "'unsafe-inline'"],
      imgSrc: ["'self'", "data:"],
      frameAncestors: ["'none'"],
    },
  });
}

/** One line a request. */
function logRequest(logger: Logger): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const startedAt = performance.now();
    await next();
    const { method, path } = c.req;
    const { status } = c.res;
    const durationMs = Math.round((performance.now() - startedAt) * 10) / 10;
    const isNews = status >= 400 || (method !== "GET" && (c.get("isNews") ?? true));
    logger[isNews ? "info" : "debug"](
      { method, path, status, ...c.get("facts"), durationMs },
      "request.answered",
    );
  };
}
