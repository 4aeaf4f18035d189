/** The part of Bitbucket's filter language that this server understands: `field="text" AND …`. */

export interface QueryCondition {
  /** Such as `source.branch.name`. */
  readonly field: string;
  /** What it must be equal to, without quotes and escapes. */
  readonly value: string;
}

/** One condition and what joins it to the next. In a string, a backslash escapes a quote and itself. */
const CONDITION = /\s*([a-z_.]+)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(AND\s|$)/isy;

/** The conditions that `q` joins with AND; null for what this server does not understand. */
export function parseQuery(query: string): readonly QueryCondition[] | null {
  const pattern = new RegExp(CONDITION);
  const conditions: QueryCondition[] = [];
  for (let isLast = false; !isLast;) {
    const [, field = "", quoted = "", join] = pattern.exec(query) ?? [];
    if (join === undefined) return null;
    conditions.push({ field, value: quoted.replaceAll(/\\(.)/gs, "$1") });
    isLast = join === "";
  }
  return conditions;
}
