/** A webhook subscription of a repository or of a workspace. */
import type { SeededSource } from "./seeded-source.ts";
import { toMicrosecondsText } from "./seeded-source.ts";

/** Longest secret that Bitbucket takes, in characters (OpenAPI: webhook_subscription). */
export const MAX_SECRET_LENGTH = 128;
/** Hooks that one repository may have. */
export const MAX_HOOKS = 50;

export interface Hook {
  /** With braces; the header `X-Hook-UUID` has it without. */
  readonly uuid: string;
  readonly createdAt: string;
  description: string;
  url: string;
  /** null = deliveries are not signed and carry no signature header. */
  secret: string | null;
  active: boolean;
  skipCertVerification: boolean;
  historyEnabled: boolean;
  /** Event keys, such as `repo:push`. */
  events: readonly string[];
}

export interface HookInput {
  readonly url: string;
  readonly events: readonly string[];
  readonly secret?: string | null;
  readonly description?: string;
  readonly active?: boolean;
  readonly skipCertVerification?: boolean;
  readonly historyEnabled?: boolean;
}

/** A hook with Bitbucket's defaults: active, history off. */
export function createHook(source: SeededSource, input: HookInput): Hook {
  return {
    uuid: source.bracedUuid(),
    createdAt: toMicrosecondsText(source.now()).replace("+00:00", "Z"),
    description: input.description ?? "",
    url: input.url,
    secret: input.secret ? input.secret : null,
    active: input.active ?? true,
    skipCertVerification: input.skipCertVerification ?? false,
    historyEnabled: input.historyEnabled ?? false,
    events: [...input.events],
  };
}
