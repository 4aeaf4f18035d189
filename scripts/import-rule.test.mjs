/**
 * Proves the one import rule (docs/architecture.md): for every package of the workspace, the linter refuses each import
 * that the rule forbids and accepts each one that it allows. A linter that looked at no file would fail this too.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const adapters = ["bitbucket", "queue", "runtime", "store"];
const services = ["api", "ingress", "worker"];
const testing = ["embedded", "simulator"];

/** What the sources of each package may import of ours, and what its tests may import beside that. */
const rule = {
  domain: { sources: [], tests: [] },
  client: { sources: [], tests: testing },
  embedded: { sources: [], tests: [] },
  simulator: { sources: [], tests: [] },
  ...of(adapters, { sources: ["domain"], tests: testing }),
  ...of(services, { sources: ["domain", ...adapters], tests: testing }),
  cli: { sources: ["domain", ...adapters, ...services, ...testing], tests: [] },
  bench: { sources: ["domain", ...adapters, ...services, ...testing], tests: [] },
};

/** file → whether the linter must refuse its import */
const expected = new Map();
let refused;
let fileCount;
let folder;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-import-rule-"));
  cpSync(join(root, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));
  for (const [name, home] of listPackages()) {
    const { sources = [], tests = [] } = rule[name] ?? {}; // A package that the rule does not name may import nothing.
    for (const [target] of listPackages()) {
      const specifier = `@sluice/${target}/some-file`;
      const isAllowed = sources.includes(target);
      write(`${home}/src/import-${target}.ts`, `import { x } from "${specifier}";\nx();\n`, !isAllowed);
      write(`${home}/src/deep/type-${target}.ts`, `export type { X } from "${specifier}";\n`, !isAllowed);
      const isAllowedInTests = isAllowed || tests.includes(target);
      write(
        `${home}/src/import-${target}.test.ts`,
        `import { x } from "${specifier}";\nx();\n`,
        !isAllowedInTests,
      );
    }
    write(`${home}/src/by-path.ts`, `import { x } from "../../other/src/file.ts";\nx();\n`, true);
    write(
      `${home}/src/own.ts`,
      `import { x } from "./own-file.ts";\nimport { y } from "../own.ts";\nx(y);\n`,
      false,
    );
    for (const module of ["node:fs", "node:fs/promises", "fs", "crypto"]) {
      const file = `${home}/src/${module.replaceAll(/[:/]/g, "-")}.ts`;
      write(file, `import { x } from "${module}";\nx();\n`, name === "domain");
    }
  }
  ({ refused, fileCount } = lint());
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the rule names every package of the workspace", () => {
  expect(Object.keys(rule)).toEqual(expect.arrayContaining(listPackages().map(([name]) => name)));
});

test("the linter looks at every file", () => {
  expect(expected.size).toBeGreaterThan(100);
  expect(fileCount).toBe(expected.size);
});

test("every forbidden import is refused", () => {
  expect([...expected.keys()].filter((file) => expected.get(file) && !refused.has(file))).toEqual([]);
});

test("every allowed import is accepted", () => {
  expect([...expected.keys()].filter((file) => !expected.get(file) && refused.has(file))).toEqual([]);
});

function of(names, entry) {
  return Object.fromEntries(names.map((name) => [name, entry]));
}

/** [name without scope, folder], by name */
function listPackages() {
  const homes = ["packages", "services"].flatMap((parent) =>
    readdirSync(join(root, parent)).map((name) => `${parent}/${name}`),
  );
  return homes
    .map((home) => [
      JSON.parse(readFileSync(join(root, home, "package.json"), "utf8")).name.replace("@sluice/", ""),
      home,
    ])
    .toSorted(([one], [other]) => one.localeCompare(other));
}

function write(file, source, isForbidden) {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), source);
  expected.set(file, isForbidden);
}

function lint() {
  const oxlint = join(root, "node_modules", ".bin", "oxlint");
  const { stdout } = spawnSync(oxlint, ["--format", "json"], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  const { diagnostics, number_of_files } = JSON.parse(stdout);
  const ours = diagnostics.filter(({ code }) => code === "eslint(no-restricted-imports)");
  return { refused: new Set(ours.map(({ filename }) => filename)), fileCount: number_of_files };
}
