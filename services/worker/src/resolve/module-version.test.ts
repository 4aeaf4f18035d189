import { AppError } from "@sluice/domain/app-error";
import { describe, expect, test } from "vitest";

import { parseModuleVersion, readModuleVersions } from "./module-version.ts";

const OURS = ".sluice/config.yml";
const THEIRS = ".spacelift/config.yml";

/** The versions of modules by name of their folder, and the paths that were asked for. */
async function read(files: Readonly<Record<string, string>>, roots: readonly string[]) {
  const asked: string[] = [];
  const versions = await readModuleVersions(
    roots.map((projectRoot) => ({ id: projectRoot, projectRoot })),
    async (path) => {
      asked.push(path);
      return files[path] ?? null;
    },
  );
  return { versions: Object.fromEntries(versions), asked };
}

const version = (text: string) => ({ kind: "version", version: text });

describe("the version of a module (rule 31)", () => {
  test("is what our file says, else what Spacelift's says, else 0.1.0", async () => {
    const both = { [OURS]: "module_version: 2.0.0", [THEIRS]: "module_version: 1.0.0" };
    expect((await read(both, [""])).versions).toEqual({ "": version("2.0.0") });
    expect((await read({ [THEIRS]: both[THEIRS] ?? "" }, [""])).versions).toEqual({ "": version("1.0.0") });
    expect((await read({}, [""])).versions).toEqual({ "": version("0.1.0") });
  });

  test("is that of the module's folder, and of the repository where the folder has no file", async () => {
    const files = { [OURS]: "module_version: 9.0.0", [`vpc/${THEIRS}`]: "module_version: 1.0.0" };
    expect((await read(files, ["vpc", "/dns/"])).versions).toEqual({
      vpc: version("1.0.0"),
      "/dns/": version("9.0.0"),
    });
  });

  test("asks for each path once, and for no more than it needs", async () => {
    const files = { [`vpc/${OURS}`]: "module_version: 1.0.0" };
    const { asked } = await read(files, ["vpc", "dns", "vpc/", "zone"]);
    expect(asked).toEqual([
      `vpc/${OURS}`,
      `dns/${OURS}`,
      `dns/${THEIRS}`,
      OURS,
      THEIRS,
      `zone/${OURS}`,
      `zone/${THEIRS}`,
    ]);
  });

  test("of a file that cannot be read is refused, and waits for what waiting can mend", async () => {
    const failing = (code: string) =>
      readModuleVersions([{ id: "m", projectRoot: "" }], () => Promise.reject(new AppError(code, "no")));
    expect((await failing("bitbucket_response_too_large")).get("m")).toEqual({
      kind: "refused",
      version: null,
      because: `${OURS} cannot be read: bitbucket_response_too_large`,
    });
    await expect(failing("bitbucket_rate_limited")).rejects.toMatchObject({ code: "bitbucket_rate_limited" });
    await expect(failing("bitbucket_not_found")).rejects.toMatchObject({ code: "bitbucket_not_found" });
  });
});

describe("a file", () => {
  test.each([
    ["version: 1\nmodule_version: 1.2.3\ntests: []\n", "1.2.3"],
    ["module_version: '1.2.3-rc.1'", "1.2.3-rc.1"],
    ['{"module_version": "1.2.3"}', "1.2.3"],
    ["version: 1\n", "0.1.0"],
    ["", "0.1.0"],
    ["# nothing yet\n", "0.1.0"],
  ])("%j has a version", (text, expected) => {
    expect(parseModuleVersion(OURS, text)).toEqual(version(expected));
  });

  test.each([
    ["module_version: v1.2.3", "v1.2.3", "is not a semantic version"],
    ["module_version: latest", "latest", "is not a semantic version"],
    [`module_version: ${"9".repeat(300)}.0.0`, "9".repeat(100), "is not a semantic version"],
    ["module_version: 1.2", null, 'is not text such as "1.2.3"'],
    ["module_version:", null, 'is not text such as "1.2.3"'],
    ["module_version: [1.2.3]", null, 'is not text such as "1.2.3"'],
    ["a: &v 1.2.3\nmodule_version: *v", null, 'is not text such as "1.2.3"'],
    ["- module_version: 1.2.3", null, "is not a map"],
    ["1.2.3", null, "is not a map"],
    ["version: 1\nmodule_version: [1", null, "is not YAML (line 2)"],
    ["module_version: 1.0.0\nmodule_version: 2.0.0", null, "is not YAML (line 2)"],
    ["module_version: 1.0.0\n---\nmodule_version: 2.0.0", null, "is not YAML"],
  ])("%j has none, and it is said why", (text, written, because) => {
    expect(parseModuleVersion(OURS, text)).toEqual({
      kind: "refused",
      version: written,
      because: expect.stringContaining(because),
    });
  });
});
