/** Versions of modules (rule 31), by Semantic Versioning 2.0.0 (https://semver.org). */

/** The version of a module that says none. */
export const FIRST_MODULE_VERSION = "0.1.0";

/** Longer than any that somebody reads: it is a key in the store. */
const MAX_LENGTH = 128;
const NUMBER = "(?:0|[1-9]\\d*)";
const PRERELEASE_PART = `(?:${NUMBER}|\\d*[A-Za-z-][0-9A-Za-z-]*)`;
const SEMVER = new RegExp(
  `^(${NUMBER}\\.${NUMBER}\\.${NUMBER})(?:-(${PRERELEASE_PART}(?:\\.${PRERELEASE_PART})*))?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?$`,
);

/** A version that a module has been given. */
export interface GivenVersion {
  readonly version: string;
  /** Of its trigger, among those of the module. */
  readonly position: number;
}

/** Why a version is refused. */
export interface VersionRefusal {
  /** The version that stands in its way; null: it is not a version at all. */
  readonly last: string | null;
  /** A clause without a full stop; left out when it is not above the last. */
  readonly because?: string;
}

/** Whether a text is a version: `1.2.3`, `1.2.3-rc.1`, `1.2.3+build`; no `v` before it, no part left out. */
export function isModuleVersion(text: string): boolean {
  return text.length <= MAX_LENGTH && SEMVER.test(text);
}

/** The version that a tag releases: `v1.2.3` and `1.2.3` release `1.2.3`. Null for any other tag. */
export function versionOfTag(tag: string): string | null {
  const version = tag.startsWith("v") ? tag.slice(1) : tag;
  return isModuleVersion(version) ? version : null;
}

/**
 * Negative when `a` precedes `b`, positive when it follows, 0 when neither does: builds of one version (`+…`) have no
 * order. Both must be versions.
 */
export function compareVersions(a: string, b: string): number {
  const [coreA, prereleaseA] = split(a);
  const [coreB, prereleaseB] = split(b);
  const byCore = compareParts(coreA, coreB);
  if (byCore !== 0) return byCore;
  // A release follows its prereleases.
  if (prereleaseA.length === 0 || prereleaseB.length === 0) return prereleaseB.length - prereleaseA.length;
  return compareParts(prereleaseA, prereleaseB);
}

/** Whether a module whose last version is `last` (null: it has none) may be given `version`: it is above the last. */
export function nextVersionAllowed(last: string | null, version: string): boolean {
  return isModuleVersion(version) && (last === null || compareVersions(version, last) > 0);
}

/**
 * Why a trigger at a position cannot have a version, by those that the module has been given; null when it can. It has to
 * be above all that come before it: a push that is told late may still be given its version, between those of its
 * neighbours, as it would have been in time (rule 14).
 */
export function refuseVersion(
  { version, position }: GivenVersion,
  given: readonly GivenVersion[],
): VersionRefusal | null {
  if (!isModuleVersion(version)) return { last: null, because: "it is not a semantic version such as 1.2.3" };
  const before = given.filter((one) => one.position <= position).map((one) => one.version);
  const last = before.reduce<string | null>(
    (a, b) => (a === null || compareVersions(a, b) < 0 ? b : a),
    null,
  );
  if (!nextVersionAllowed(last, version)) return { last };
  const after = given.find((one) => one.position > position && compareVersions(one.version, version) <= 0);
  return after === undefined
    ? null
    : { last: after.version, because: "a later commit of the module has been given that or a lower one" };
}

/** The three numbers, and the identifiers of a prerelease. */
function split(version: string): readonly [core: readonly string[], prerelease: readonly string[]] {
  const [, core = "", prerelease] = SEMVER.exec(version) ?? [];
  return [core.split("."), prerelease === undefined ? [] : prerelease.split(".")];
}

function compareParts(a: readonly string[], b: readonly string[]): number {
  for (const [index, part] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    const difference = comparePart(part, other);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Numbers by value, before all words; words by ASCII. */
function comparePart(a: string, b: string): number {
  const isNumberA = /^\d+$/.test(a);
  const isNumberB = /^\d+$/.test(b);
  if (isNumberA !== isNumberB) return isNumberA ? -1 : 1;
  // Without leading zeros the longer number is the larger, whatever its size.
  if (isNumberA && a.length !== b.length) return a.length - b.length;
  return a === b ? 0 : a < b ? -1 : 1;
}
