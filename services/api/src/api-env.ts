import type { HttpBindings } from "@hono/node-server";
import type { Access } from "@sluice/domain/access";

/** What a request carries from one step to the next. */
export interface ApiEnv {
  /** Absent where no server is in front, as in tests of a single route. */
  readonly Bindings: Partial<HttpBindings>;
  readonly Variables: {
    /** Whose request it is; there is none before `authenticate`. */
    access?: Access;
    /** Where it came from, for the audit log and for limits. */
    address?: string;
    /** Of the line that is logged of it. */
    facts?: Readonly<Record<string, unknown>>;
    /** False: logged for debugging alone. */
    isNews?: boolean;
  };
}
