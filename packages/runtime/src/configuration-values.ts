/** What the text of a variable may be: each is a schema from text to a value, and describes the text it wants. */
import { AppError } from "@sluice/domain/app-error";
import { z } from "zod";

/** A schema that reads one environment variable. */
export type ValueSchema<Value> = z.ZodType<Value, string>;

/** Both ends belong to the range. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

const BYTE_UNITS: Readonly<Record<string, number>> = { "": 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/**
 * A schema from a parser. What `parse` throws becomes the reason, if it is an AppError (whose message must not hold
 * the text: it may be a secret); null means "not that".
 */
export function parsedText<Value>(
  expected: string,
  parse: (text: string) => Value | null,
): ValueSchema<Value> {
  return z
    .string()
    .transform((raw, context): Value => {
      try {
        const value = parse(raw.trim());
        if (value !== null) return value;
        context.addIssue({ code: "invalid_value", values: [], input: raw });
      } catch (error) {
        const message = error instanceof AppError ? error.message : "cannot be read";
        context.addIssue({ code: "custom", message });
      }
      return z.NEVER;
    })
    .describe(expected);
}

/** Any text that is not blank. */
export function text(expected: string): ValueSchema<string> {
  return parsedText(expected, (value) => (value === "" ? null : value));
}

/** A whole number; `_` may group its digits (`10_000`). */
export function integer({ min, max }: Range): ValueSchema<number> {
  return parsedText(`a whole number from ${min} to ${max}`, (value) => parseInteger(value, { min, max }));
}

/** A duration in milliseconds. */
export function durationMs({ min, max }: Range): ValueSchema<number> {
  return parsedText(`milliseconds, a whole number from ${min} to ${max}`, (value) =>
    parseInteger(value, { min, max }),
  );
}

/** A size in bytes: `1048576`, `1024KiB`, `1 MiB`. */
export function bytes({ min, max }: Range): ValueSchema<number> {
  return parsedText(`a size from ${min} to ${max} bytes (also as KiB, MiB or GiB)`, (value) => {
    const [, digits = "", unit = ""] = /^([\d_]+) ?(KiB|MiB|GiB|)$/.exec(value) ?? [];
    const count = parseInteger(digits, { min: 0, max: Number.MAX_SAFE_INTEGER });
    const size = count === null ? null : count * (BYTE_UNITS[unit] ?? 1);
    return size !== null && size >= min && size <= max ? size : null;
  });
}

/** A TCP port; 0 takes any free one. */
export function port(): ValueSchema<number> {
  return parsedText("a port from 1 to 65535 (0 takes any free one)", (value) =>
    parseInteger(value, { min: 0, max: 65_535 }),
  );
}

/** `true`, `false`, and the spellings operators use for them. */
export function boolean(): ValueSchema<boolean> {
  return parsedText("true or false", (value) => {
    if (/^(?:true|1|yes|on)$/i.test(value)) return true;
    return /^(?:false|0|no|off)$/i.test(value) ? false : null;
  });
}

/** One of a closed list of words. */
export function oneOf<const Word extends string>(words: readonly Word[]): ValueSchema<Word> {
  return parsedText(`one of ${words.join(", ")}`, (value) => words.find((word) => word === value) ?? null);
}

/** Items between commas, without blanks around them; empty ones are dropped. */
export function list(of: string): ValueSchema<readonly string[]> {
  return parsedText(`${of}, separated by commas`, (value) =>
    value
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== ""),
  );
}

/** What a URL may be. */
export interface UrlRules {
  /** Without the colon: `["redis", "rediss"]`. */
  readonly protocols: readonly string[];
  /** How it looks, for people: `postgres://user:password@host:5432/database`. */
  readonly shape: string;
  /** Several `host:port` between commas: what Postgres clients, Sentinel and Cluster take. */
  readonly manyHosts?: boolean;
}

/** A URL as it was written, after a check of its protocol, hosts and escapes. */
export function url(rules: UrlRules): ValueSchema<string> {
  const expected = `a URL like ${rules.shape} (percent-encode characters such as @ / # in a password)`;
  return parsedText(expected, (value) => (isUrl(value, rules) ? value : null));
}

function parseInteger(value: string, { min, max }: Range): number | null {
  if (!/^-?\d+(?:_\d+)*$/.test(value)) return null;
  const number = Number(value.replaceAll("_", ""));
  return Number.isSafeInteger(number) && number >= min && number <= max ? number : null;
}

function isUrl(value: string, { protocols, manyHosts = false }: UrlRules): boolean {
  const [, protocol = "", authority = "", rest = ""] =
    /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/.exec(value) ?? [];
  if (!protocols.includes(protocol)) return false;
  const hostsAt = authority.lastIndexOf("@") + 1;
  const user = authority.slice(0, hostsAt);
  const hosts = authority.slice(hostsAt).split(",");
  if (hosts.length > 1 && !manyHosts) return false;
  // Only Postgres has URLs whose host is in the query (a socket's folder): postgres:///name?host=/run/postgresql.
  if (hosts.includes("") && !/[?&]host=/.test(rest)) return false;
  // WHATWG URLs have one host: each is looked at in a URL of its own.
  return hosts.every((host) => URL.canParse(`${protocol}://${user}${host}${rest}`));
}
