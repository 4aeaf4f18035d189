import { explain } from "@sluice/domain/explain";
import { decisionUrl } from "@sluice/domain/trigger-document";
import type { Database } from "@sluice/store/client";
import {
  findDecisionReport,
  findDeliveryReport,
  type DecisionReport,
  type DeliveryReport,
} from "@sluice/store/delivery-reports";
import { Hono } from "hono";

import { parseId } from "./path-id.ts";
import { ProblemError } from "./problem.ts";
import { toSnakeCase } from "./snake-case.ts";

/** What became of a delivery, by our id or by Bitbucket's X-Request-UUID. */
export function createDeliveriesRoutes(db: Database): Hono {
  const routes = new Hono();
  routes.get("/:id", async (c) => {
    const report = await findDeliveryReport(db, parseId(c.req.param("id")));
    if (report === null) {
      const detail = "No delivery has this id. One that was only just accepted may not be recorded yet.";
      throw new ProblemError("not_found", detail);
    }
    return c.json(toDeliveryDocument(report));
  });
  return routes;
}

/** Why one event meant what it did for one target. */
export function createDecisionsRoutes(db: Database): Hono {
  const routes = new Hono();
  routes.get("/:id", async (c) => {
    const report = await findDecisionReport(db, parseId(c.req.param("id")));
    if (report === null) throw new ProblemError("not_found", "There is no decision with this id.");
    return c.json(toDecisionDocument(report));
  });
  return routes;
}

function toDeliveryDocument({ events, ...delivery }: DeliveryReport) {
  return {
    ...toSnakeCase(delivery),
    events: events.map(({ decisions, ...event }) => ({
      ...toSnakeCase(event),
      decisions: decisions.map(toDecisionDocument),
    })),
  };
}

function toDecisionDocument(decision: DecisionReport) {
  return {
    ...toSnakeCase(decision),
    sentence: explain(decision),
    url: decisionUrl(decision.id),
    trigger_url: decision.triggerId === null ? null : `/v1/triggers/${decision.triggerId}`,
  };
}
