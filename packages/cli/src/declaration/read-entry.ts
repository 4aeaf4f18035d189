/** Turns the entries of a file into what they declare: defaults filled in, `${NAME}` looked up. */
import type { Environment } from "@sluice/runtime/configuration";
import { ROOT_SPACE } from "@sluice/domain/space-tree";
import { DEFAULT_VERSION_FROM, readTargetEntry } from "@sluice/domain/target-entry";
import { integrationSlug } from "@sluice/store/integration-slug";

import {
  DEFAULT_CALLS_PER_HOUR,
  DEFAULT_SECRET_OVERLAP,
  type IntegrationEntry,
  type ModuleEntry,
  type SpaceEntry,
  type TargetEntry,
} from "./declaration-schema.ts";
import { durationMs, referredVariable, toUtc } from "./declaration-values.ts";
import type { DeclaredIntegration, DeclaredSpace, DeclaredTarget, Locate } from "./declaration.ts";
import type { Problem } from "./problem.ts";

/** HMAC with less can be guessed from one delivery; Bitbucket takes no more. */
const MIN_SECRET = 16;
const MAX_SECRET = 128;

/** A space as declared. */
export function readSpace(entry: SpaceEntry, locate: Locate): DeclaredSpace {
  return {
    name: entry.name,
    parent: entry.parent ?? ROOT_SPACE,
    inheritEntities: entry.inherit_entities ?? false,
    locate,
  };
}

/** A stack as declared. */
export function readStack(entry: TargetEntry, locate: Locate): DeclaredTarget {
  return { ...readTarget(entry, locate), kind: "stack", moduleVersionSource: null };
}

/** A module as declared. */
export function readModule(entry: ModuleEntry, locate: Locate): DeclaredTarget {
  const moduleVersionSource = entry.version_from ?? DEFAULT_VERSION_FROM;
  return { ...readTarget(entry, locate), kind: "module", moduleVersionSource };
}

function readTarget(
  entry: TargetEntry,
  locate: Locate,
): Omit<DeclaredTarget, "kind" | "moduleVersionSource"> {
  return {
    ...readTargetEntry(entry),
    space: entry.space ?? ROOT_SPACE,
    integration: entry.integration ?? null,
    locate,
  };
}

/** An integration as declared, and what is wrong with the variables that it refers to. */
export function readIntegration(
  entry: IntegrationEntry,
  locate: Locate,
  environment: Environment,
): { readonly integration: DeclaredIntegration; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const lookUp = (text: string, key: string, check: (value: string) => string | null = () => null) => {
    const read = readVariable(text, environment, check);
    if (read.problem !== null) problems.push({ ...locate(key), message: read.problem });
    return read.value;
  };
  const { credential } = entry;
  const integration: DeclaredIntegration = {
    name: entry.name,
    // The schema has checked that there is one.
    slug: integrationSlug(entry.name) ?? "",
    space: entry.default === true ? null : (entry.space ?? null),
    credentialKind: credential.kind,
    credentialEmail: credential.kind === "api_token" ? lookUp(credential.email, "credential.email") : null,
    credentialExpiresAt: credential.expires_at === undefined ? null : toUtc(credential.expires_at),
    token: lookUp(credential.token, "credential.token", checkToken),
    webhookSecret:
      entry.webhook_secret === undefined ? null : lookUp(entry.webhook_secret, "webhook_secret", checkSecret),
    previousWebhookSecret:
      entry.previous_webhook_secret === undefined
        ? null
        : lookUp(entry.previous_webhook_secret, "previous_webhook_secret", checkSecret),
    secretOverlapMs: durationMs(entry.secret_overlap ?? DEFAULT_SECRET_OVERLAP),
    checksMode: entry.checks ?? "individual",
    labels: entry.labels ?? [],
    description: entry.description ?? "",
    callsPerHour: entry.calls_per_hour ?? DEFAULT_CALLS_PER_HOUR,
    enabled: entry.enabled ?? true,
    locate,
  };
  if ((entry.default === true) === (entry.space !== undefined)) {
    const message = "must have either default: true or a space";
    problems.push({ ...locate("name"), message: `integration ${entry.name} ${message}` });
  }
  return { integration, problems };
}

/** Literal text stays as it is; `${NAME}` becomes the variable's value, which no message repeats. */
function readVariable(
  text: string,
  environment: Environment,
  check: (value: string) => string | null,
): { readonly value: string; readonly problem: string | null } {
  const variable = referredVariable(text);
  if (variable === null) return { value: text, problem: null };
  const value = environment[variable] ?? "";
  if (value === "") return { value, problem: `the environment variable ${variable} is not set` };
  const wrong = check(value);
  return { value, problem: wrong === null ? null : `the environment variable ${variable} ${wrong}` };
}

function checkToken(value: string): string | null {
  return /^[\x21-\x7e]+$/.test(value) ? null : "holds blanks or other characters that no token has";
}

function checkSecret(value: string): string | null {
  if (value.trim() !== value) return "begins or ends with a blank or a line end";
  if (value.length < MIN_SECRET || value.length > MAX_SECRET) {
    return `has ${String(value.length)} characters: a webhook secret has ${String(MIN_SECRET)} to ${String(MAX_SECRET)}`;
  }
  return null;
}
