/** Takes secrets out of what is about to be shown: texts, fields and errors. The second net; the first is not to pass them. */
import { AppError } from "@sluice/domain/app-error";

const REDACTED = "[redacted]";
/** Of fields and causes together; it also ends circles. */
const MAX_DEPTH = 8;
const MAX_ITEMS = 100;
const MAX_REMEMBERED_KEYS = 2_000;

/**
 * `://user:pass@`, up to the last `@` of the word: a password that was not percent-encoded may hold `@`, `/`, `?` or
 * `#`. Rather too much is hidden than too little. Bounded, to stay linear.
 */
const URL_PASSWORD = /:\/\/[^\s/?#:@]*:[^\s"]{0,256}@/g;
/** `://token@`. */
const URL_USER = /:\/\/[^\s/?#]*@/g;
const SECRET_QUERY =
  /([?&][\w-]{0,64}(?:token|secret|password|signature|api_?key|credential)[\w-]{0,64}=)[^&\s"'#]+/gi;
const AUTHORIZATION = /\b(Basic|Bearer) +[\w.~+/=-]{6,}/gi;
const SIGNATURE = /\bsha256=[0-9a-f]{8,}/gi;
/** V8 quotes the text that it could not parse, which may be a webhook's body. */
const QUOTED_JSON = /,? (?:\.\.\.)?"[\s\S]{0,400}"(?:\.\.\.)? is not valid JSON/g;

const SECRET_NAME =
  /secret|token|passw(?:or)?d|credential|authorization|cookie|signature|encryptionkey|privatekey|apikey|connectionstring|connectionurl/;
const SECRET_WHOLE_NAME = /^(?:raw)?body$|(?:database|queue|redis|postgres)url$/;
/** Facts about a secret that are safe to show: `credentialId`, `secretVersion`, `tokenExpiresAt`. */
const FACT_ABOUT_SECRET = /(?:Id|Ids|Kind|At|Count|Ms|Name|Version|_id|_kind|_at|_count|_ms|_name|_version)$/;

/** Fields of foreign errors that help and cannot hold a payload (pg's `detail` and drizzle's `params` can). */
const SAFE_ERROR_FIELDS = [
  "code",
  "errno",
  "syscall",
  "status",
  "statusCode",
  "constraint",
  "constraint_name",
  "table_name",
];

const OWN_PLACE: ReadonlySet<string> = new Set(["name", "message", "stack", "cause", "errors"]);

/** The text without credentials in URLs, secret query parameters, Authorization values, signatures and quoted JSON. */
export function redactText(text: string): string {
  let result = text;
  if (result.includes("://")) {
    result = result.replace(URL_PASSWORD, `://${REDACTED}@`).replace(URL_USER, `://${REDACTED}@`);
  }
  if (result.includes("=")) {
    result = result.replace(SECRET_QUERY, `$1${REDACTED}`).replace(SIGNATURE, `sha256=${REDACTED}`);
  }
  if (result.includes("is not valid JSON")) result = result.replace(QUOTED_JSON, " is not valid JSON");
  return result.replace(AUTHORIZATION, `$1 ${REDACTED}`);
}

const rememberedKeys = new Map<string, boolean>();

/** Whether a field of this name holds a secret, a body or a connection URL, whatever its spelling and case. */
export function isSecretName(name: string): boolean {
  const remembered = rememberedKeys.get(name);
  if (remembered !== undefined) return remembered;
  const plain = name.replace(/[^A-Za-z0-9]/g, "").toLowerCase();
  const isSecret =
    SECRET_WHOLE_NAME.test(plain) || (SECRET_NAME.test(plain) && !FACT_ABOUT_SECRET.test(name));
  if (rememberedKeys.size < MAX_REMEMBERED_KEYS) rememberedKeys.set(name, isSecret);
  return isSecret;
}

/**
 * A copy of `value` that is safe to log: secret fields replaced at any depth, texts cleaned, errors made into
 * plain objects, bytes into their length, foreign objects into their class name. Numbers and booleans stay, also
 * under a secret name (`hasSecret: true`). `value` itself is not changed. `depth` is where in a whole it stands.
 */
export function redactSecrets(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  if (depth >= MAX_DEPTH) return "[too deep]";
  if (value instanceof Error) return serializeError(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return redactItems(value, depth);
  if (hasToJson(value)) return redactJson(value, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return `[${value.constructor.name}]`;
  return redactFields(value, depth);
}

/** `redactSecrets` for the fields of one object. */
export function redactFields(fields: object, depth = 0): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    copy[name] = isHidden(name, field) ? REDACTED : redactSecrets(field, depth + 1);
  }
  return copy;
}

/** An error as fields: type, message, code, retry, stack and its causes, all cleaned of secrets. */
export interface SerializedError {
  readonly type: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: unknown;
  readonly errors?: unknown;
  readonly [field: string]: unknown;
}

/** What may be shown of an error. Keeps the code, facts and causes of an AppError; of others only harmless fields. */
export function serializeError(error: Error, depth = 0): SerializedError {
  const { cause } = error;
  return {
    ...safeFields(error, depth),
    type: error.name,
    message: readableMessage(error),
    ...(error.stack !== undefined && { stack: readableStack(error) }),
    ...(error instanceof AggregateError && {
      errors: redactItems(error.errors, depth),
    }),
    ...(cause !== undefined && { cause: redactSecrets(cause, depth + 1) }),
  };
}

/** One line for people: the message and those of its causes, without secrets. Works for anything that was thrown. */
export function describeError(error: unknown): string {
  const messages: string[] = [];
  let current = error;
  while (current instanceof Error && messages.length < MAX_DEPTH) {
    const message = readableMessage(current) || readableCode(current) || current.name;
    if (!messages.some((earlier) => earlier.includes(message))) messages.push(message);
    current = current.cause ?? (current instanceof AggregateError ? current.errors[0] : undefined);
  }
  if (messages.length > 0) return messages.join(": ");
  return typeof error === "string" ? redactText(error) : "an unknown error (not an Error was thrown)";
}

function safeFields(error: Error, depth: number): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  const names = error instanceof AppError ? Object.keys(error) : SAFE_ERROR_FIELDS;
  for (const name of names) {
    const value: unknown = Reflect.get(error, name);
    if (value === undefined || OWN_PLACE.has(name)) continue;
    fields[name] = isHidden(name, value) ? REDACTED : redactSecrets(value, depth + 1);
  }
  return fields;
}

function readableMessage(error: Error): string {
  return redactText(withoutQueryParameters(error, error.message));
}

function readableStack(error: Error): string {
  const stack = error.stack ?? "";
  const message = withoutQueryParameters(error, error.message);
  return redactText(message === error.message ? stack : stack.replace(error.message, () => message));
}

/** Drizzle's DrizzleQueryError puts every bound value (secrets, bodies) into its message: "Failed query: …\nparams: …". */
function withoutQueryParameters(error: Error, message: string): string {
  if (!("params" in error) && !message.startsWith("Failed query:")) return message;
  return message.split("\nparams:", 1)[0] ?? "";
}

function readableCode(error: Error): string {
  const code: unknown = Reflect.get(error, "code");
  return typeof code === "string" ? code : "";
}

function isHidden(name: string, value: unknown): boolean {
  return (typeof value === "string" || typeof value === "object") && value !== null && isSecretName(name);
}

function redactItems(items: readonly unknown[], depth: number): unknown[] {
  const copy = items.slice(0, MAX_ITEMS).map((item) => redactSecrets(item, depth + 1));
  if (items.length > MAX_ITEMS) copy.push(`[${items.length - MAX_ITEMS} more]`);
  return copy;
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return "toJSON" in value && typeof value.toJSON === "function";
}

function redactJson(value: { toJSON(): unknown }, depth: number): unknown {
  try {
    return redactSecrets(value.toJSON(), depth + 1);
  } catch {
    return "[not serialisable]";
  }
}
