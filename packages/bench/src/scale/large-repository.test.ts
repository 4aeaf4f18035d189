import { describe, expect, test } from "vitest";
import { countAffected, createChangedFiles, createTargets } from "./large-repository.ts";

/** More of one event are not made without a person. */
const MAX_TRIGGERS = 500;

describe.each([100, 1_000, 10_000])("of %d stacks", (count) => {
  const targets = createTargets(count);
  const files = createChangedFiles(count);

  test("a push of 200 files runs about 5 %, and fewer than one event may", () => {
    expect(new Set(files).size).toBe(200);
    const affected = countAffected(targets, files);
    expect(affected / count).toBeGreaterThan(0.04);
    expect(affected / count).toBeLessThanOrEqual(0.05);
    expect(affected).toBeLessThan(MAX_TRIGGERS);
  });

  test("names are unique, roots are within roots, a few have none, and every sign of a glob is there", () => {
    expect(new Set(targets.map(({ name }) => name)).size).toBe(count);
    const roots = targets.map(({ projectRoot }) => projectRoot);
    expect(roots).toContain("teams/team-000");
    expect(roots).toContain("teams/team-000/service-01");
    expect(roots).toContain("teams/team-000/service-01/dev");
    const withoutRoot = roots.filter((root) => root === "").length;
    expect(withoutRoot).toBe(Math.max(1, count / 200));
    const globs = targets.flatMap(({ projectGlobs }) => projectGlobs).join(" ");
    for (const sign of ["/** ", "**/", "/*", "?", "[a-f]", "{dev,"]) expect(globs).toContain(sign);
  });
});
