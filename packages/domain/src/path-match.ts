import { compileGlob } from "./glob.ts";
import { trimSlashes } from "./target.ts";

/** What made a file concern a target: the folder or the glob, and the file. */
export interface PathMatch {
  readonly path: string;
  readonly rule: { readonly kind: "project_root" | "project_glob"; readonly value: string };
}

type Matcher = (path: string) => PathMatch["rule"] | null;

/**
 * Whether a file concerns a target: under the root on a path boundary (`infra` does not hold `infra2/x`), or matched by
 * a glob as doublestar has them: `**`, `*` within one level, `?`, `[a-z]`, `{a,b}` (rule 18). An empty root holds every
 * file.
 */
export function createPathMatcher(target: {
  readonly projectRoot: string;
  readonly projectGlobs: readonly string[];
}): Matcher {
  const root = trimSlashes(target.projectRoot);
  const globs = target.projectGlobs.map((glob) => ({ glob, matches: compileGlob(glob) }));
  return (rawPath) => {
    const path = trimSlashes(rawPath);
    if (root === "" || path === root || path.startsWith(`${root}/`)) {
      return { kind: "project_root", value: root };
    }
    const hit = globs.find(({ matches }) => matches(path));
    return hit === undefined ? null : { kind: "project_glob", value: hit.glob };
  };
}

/** The first `limit` files that concern a target, in the order given, and how many do in all. */
export function matchPaths(
  matcher: Matcher,
  paths: readonly string[],
  limit: number,
): { readonly matches: readonly PathMatch[]; readonly total: number } {
  const matches: PathMatch[] = [];
  let total = 0;
  for (const path of paths) {
    const rule = matcher(path);
    if (rule === null) continue;
    total += 1;
    if (matches.length < limit) matches.push({ path, rule });
  }
  return { matches, total };
}
