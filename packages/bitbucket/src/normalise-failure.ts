/** Why a delivery gives no events (rule 9). */
import type { z } from "zod";

import { firstIssue } from "./schema-issue.ts";

/** Why a delivery is set aside: its body is not text, not JSON, or not of the shape of its event key. */
export interface NormaliseFailure {
  readonly kind: "failed";
  readonly code: "invalid_utf8" | "invalid_json" | "invalid_payload";
  /** Where, as `push.changes[0].new.target.hash`; empty for the body as a whole. */
  readonly path: string;
  /** What is wrong there, without the value. */
  readonly message: string;
}

/** The failure of a body that is JSON and lacks what a rule needs. `within` is prepended to the path. */
export function invalidPayload(error: z.ZodError, within: readonly PropertyKey[] = []): NormaliseFailure {
  return { kind: "failed", code: "invalid_payload", ...firstIssue(error, within) };
}
