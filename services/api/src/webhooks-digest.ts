/** What somebody has seen of a plan, so that nothing else is applied. */
import { createHash } from "node:crypto";

import type { HookAction } from "@sluice/domain/webhook-plan";
import { z } from "zod";

import { ProblemError } from "./problem.ts";
import type { Looked } from "./webhooks-look.ts";

const DIGEST_CHARACTERS = 16;

/** A plan that was seen. */
export interface SeenPlan {
  /** The last repository of a page of targets; null: it was no page, or an empty one. */
  readonly through: string | null;
  /** `digestAction` of each action. */
  readonly actions: readonly string[];
}

const seenPlanSchema = z.object({ through: z.guid().nullable(), actions: z.array(z.string()) });

/**
 * Names an action: another digest for another subject, webhook or content. That one was done already, or that another
 * failed, changes nothing about the rest: so an apply can be repeated.
 */
export function digestAction(subject: string, action: HookAction): string {
  const { reasons: _, ...effect } = action;
  return createHash("sha256")
    .update(JSON.stringify([subject.toLowerCase(), effect]))
    .digest("base64url")
    .slice(0, DIGEST_CHARACTERS);
}

/** As `plan_digest`: text that is nobody's to read. */
export function writePlanDigest(plan: SeenPlan): string {
  return Buffer.from(JSON.stringify(plan)).toString("base64url");
}

/** @throws ProblemError `invalid_request` for what no plan answered. */
export function readPlanDigest(text: string): SeenPlan {
  const plan = seenPlanSchema.safeParse(parse(Buffer.from(text, "base64url").toString("utf8")));
  if (plan.success) return plan.data;
  throw new ProblemError("invalid_request", "The plan_digest is not one that a plan answered.", {
    errors: [{ field: "plan_digest", message: "is not one that a plan answered" }],
  });
}

/** `digestAction` of each action that would be done. */
export function digestsOf(looked: Looked): string[] {
  if (looked.kind !== "read") return [];
  return looked.plan.actions.map((action) => digestAction(looked.thing.name, action));
}

/** @throws ProblemError `plan_changed` when something would be done that the plan did not show. */
export function refuseUnseen(looked: readonly Looked[], { actions }: SeenPlan): void {
  const seen = new Set(actions);
  const changed = looked.filter((each) => digestsOf(each).some((digest) => !seen.has(digest)));
  if (changed.length === 0) return;
  const names = changed.map(({ thing }) => thing.name);
  const detail = `Something else than was planned would have to be done for ${names.join(", ")}. Plan again.`;
  throw new ProblemError("plan_changed", detail, { changed: names });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
