/**
 * What the values of a stack or a module may be, wherever they are written: in a file, or in a request. Each `…Problem`
 * says what is wrong with a value, as the end of a sentence that begins with it; null: nothing.
 */
import { GlobInvalidError, parseGlobSteps } from "./glob-steps.ts";
import { trimSlashes } from "./target.ts";

/** Limits in UTF-16 units. */
export const MAX_NAME = 100;
export const MAX_BRANCH = 255;
export const MAX_PATH = 1_000;
export const MAX_EXTERNAL_ID = 1_000;
/** Longer than Bitbucket makes any, and short enough for an index. */
export const MAX_REPOSITORY = 300;
export const MAX_LABELS = 100;
/** Globs, workspaces and deployers of one target: each event of its repository is compared with all of them. */
export const MAX_LISTED = 1_000;

/** The most that metadata may hold, in bytes of the JSON that Postgres keeps. */
export const MAX_METADATA_BYTES = 16_384;
/** Deeper, and programs that read it by recursion would fail. */
const MAX_METADATA_DEPTH = 64;

/** `workspace/slug`. */
export const REPOSITORY_NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*\/[A-Za-z0-9_.-]*[A-Za-z0-9_-][A-Za-z0-9_.-]*$/;
export const REPOSITORY_NAME_RULE =
  "is not the name of a repository: write workspace/slug, as in its address on bitbucket.org";

export const WORKSPACE_NAME = /^[A-Za-z0-9_.-]+$/;
export const WORKSPACE_NAME_RULE = "is not the name of a workspace";

/** The uuid of an account, with braces or without. */
export const ACCOUNT_UUID = /^\{?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?$/i;
export const ACCOUNT_UUID_RULE = "is not the uuid of a Bitbucket account";

const CONTROL_CHARACTER = /\p{Cc}/u;
/** Half a surrogate pair, which UTF-8 cannot encode: with the `u` flag a whole pair is one code point. */
const LONE_SURROGATE = /\p{Surrogate}/u;
/**
 * What is not seen, or turns the direction of what follows: two names that look the same shall be the same. Joiners and
 * variation selectors stay: Persian and emoji are written with them.
 */
const UNSEEN_CHARACTER = /(?!\u200C|\u200D|[\uFE00-\uFE0F])\p{Default_Ignorable_Code_Point}|[\u2028\u2029]/u;

/** Of text of one line. Postgres has no NUL, and other control characters only hide what the text says. */
export function lineProblem(text: string): string | null {
  if (CONTROL_CHARACTER.test(text)) return "holds a control character";
  return LONE_SURROGATE.test(text) ? "holds half a surrogate pair" : null;
}

/** Of a label. */
export function labelProblem(text: string): string | null {
  const unseen = UNSEEN_CHARACTER.exec(text)?.[0];
  if (unseen === undefined) return lineProblem(text);
  const codePoint = (unseen.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return `holds a character that is not seen (U+${codePoint})`;
}

/** Of what an entry is known by. */
export function nameProblem(name: string): string | null {
  return labelProblem(name) ?? (name.trim() === name ? null : "begins or ends with a blank");
}

/** Of a branch, as git allows it (git-check-ref-format(1)). */
export function branchProblem(branch: string): string | null {
  const isBranch =
    !/[ ~^:?*[\\]|\.\.|@\{|\/\/|^[-/]|[/.]$|^@$/.test(branch) &&
    !branch.split("/").some((part) => part.startsWith(".") || part.endsWith(".lock")) &&
    !branch.startsWith("refs/");
  if (isBranch) return lineProblem(branch);
  return "is not the name of a branch: write it without refs/heads/, blanks or any of ~ ^ : ? * [ \\";
}

/** Of a folder of a repository; empty: all of it. */
export function projectRootProblem(path: string): string | null {
  if (isPlainPath(path)) return null;
  return "is not a folder as seen from the top of the repository: write it without . or .. and with /";
}

/** Of a glob. */
export function globProblem(glob: string): string | null {
  if (glob.startsWith("!")) return "begins with !, and a glob cannot exclude";
  if (!isPlainPath(glob)) return "is not a path as seen from the top of the repository";
  try {
    // All that can fail of compiling it, for a fraction of the time: a request may bring tens of thousands.
    parseGlobSteps(glob);
    return null;
  } catch (error) {
    if (error instanceof GlobInvalidError) return `is not a glob: ${error.problem}`;
    throw error;
  }
}

/** Of metadata, which holds what JSON can say. */
export function metadataProblem(metadata: Readonly<Record<string, unknown>>): string | null {
  const measure: Measure = { bytes: 0, problem: null };
  measureJson(metadata, 0, measure);
  if (measure.problem !== null) return measure.problem;
  return measure.bytes <= MAX_METADATA_BYTES ? null : `is larger than ${String(MAX_METADATA_BYTES)} bytes`;
}

/** Without slashes around it, every part a name: what a path of a changed file can be. */
function isPlainPath(path: string): boolean {
  const trimmed = trimSlashes(path);
  if (trimmed === "") return true;
  return lineProblem(trimmed) === null && !trimmed.split("/").some((part) => ["", ".", ".."].includes(part));
}

interface Measure {
  /** Of the value as Postgres writes `jsonb`: a blank after each comma and colon. */
  bytes: number;
  problem: string | null;
}

/** Goes no deeper, and no further, than it takes to refuse the value. */
function measureJson(value: unknown, depth: number, measure: Measure): void {
  if (measure.problem !== null || measure.bytes > MAX_METADATA_BYTES) return;
  if (typeof value === "string") {
    measureText(value, measure);
  } else if (typeof value === "number") {
    measureNumber(value, measure);
  } else if (typeof value !== "object" || value === null) {
    measure.bytes += String(value).length;
  } else if (depth >= MAX_METADATA_DEPTH) {
    measure.problem = `is deeper than ${String(MAX_METADATA_DEPTH)} levels`;
  } else {
    const entries = Object.entries(value);
    measure.bytes += 2 + 2 * Math.max(entries.length - 1, 0);
    for (const [key, item] of entries) {
      if (!Array.isArray(value)) {
        measure.bytes += 2;
        measureText(key, measure);
      }
      measureJson(item, depth + 1, measure);
    }
  }
}

function measureText(text: string, measure: Measure): void {
  if (text.includes("\0")) measure.problem ??= "holds a NUL character";
  if (LONE_SURROGATE.test(text)) measure.problem ??= "holds half a surrogate pair";
  measure.bytes += new TextEncoder().encode(JSON.stringify(text)).length;
}

/** Postgres writes every digit of 1e300, and every zero of 1e-300. */
function measureNumber(value: number, measure: Measure): void {
  if (!Number.isFinite(value)) measure.problem ??= "holds a number that JSON cannot say";
  const [mantissa = "", exponent] = String(value).split("e");
  if (exponent === undefined) {
    measure.bytes += mantissa.length;
    return;
  }
  const digits = mantissa.replace(/[-.]/g, "").length;
  const sign = value < 0 ? 1 : 0;
  // JavaScript writes exponents from 21 on, above the number of digits that it has; and from -7 down.
  measure.bytes += sign + (exponent.startsWith("-") ? 1 - Number(exponent) + digits : 1 + Number(exponent));
}
