/** The version that a module says it has at a commit (rule 31). */
import { AppError } from "@sluice/domain/app-error";
import { FIRST_MODULE_VERSION, isModuleVersion } from "@sluice/domain/module-version";
import { trimSlashes, type Target } from "@sluice/domain/target";
import { isMap, isScalar, parseDocument } from "yaml";

/** In a folder: ours, then Spacelift's, whose users bring it along. The first that is there counts, whatever it says. */
const FILES = [".sluice/config.yml", ".spacelift/config.yml"] as const;
const KEY = "module_version";
const MAX_QUOTED = 100;

/** Answers that come again however often the file is asked for. */
const NO_FILE: ReadonlySet<string> = new Set([
  "bitbucket_response_too_large",
  "bitbucket_invalid_name",
  "bitbucket_bad_request",
  "bitbucket_redirect_refused",
]);

/** What a module says its version is. */
export type ModuleVersion =
  | { readonly kind: "version"; readonly version: string }
  /** `because`: a clause without a full stop. `version`: what was written, where that is text. */
  | { readonly kind: "refused"; readonly version: string | null; readonly because: string };

/** The text of a file at the commit; null when there is none. */
export type GetFile = (path: string) => Promise<string | null>;

/**
 * The version of each module, by target id, from the file in its project root, else from the one at the top of the
 * repository: a repository of many modules has a version for each, and may have one for all. No file, or none with
 * `module_version`: `0.1.0`. Each path is asked for once, whatever the number of modules.
 * @throws AppError of the client for anything that waiting can mend: 401, 403, 429, an outage, an unknown commit.
 */
export async function readModuleVersions(
  modules: readonly Pick<Target, "id" | "projectRoot">[],
  getFile: GetFile,
): Promise<ReadonlyMap<string, ModuleVersion>> {
  const asked = new Map<string, Promise<ModuleVersion | null>>();
  const versions = new Map<string, ModuleVersion>();
  for (const { id, projectRoot } of modules) {
    let found: ModuleVersion | null = null;
    for (const path of pathsOf(projectRoot)) {
      const answer = asked.get(path) ?? readFile(path, getFile);
      asked.set(path, answer);
      found = await answer;
      if (found !== null) break;
    }
    versions.set(id, found ?? { kind: "version", version: FIRST_MODULE_VERSION });
  }
  return versions;
}

/** Where a module's version may be written, the nearest first. */
function pathsOf(projectRoot: string): readonly string[] {
  const root = trimSlashes(projectRoot);
  const nearest = root === "" ? [] : FILES.map((file) => `${root}/${file}`);
  return [...nearest, ...FILES];
}

/** Null when there is no such file. */
async function readFile(path: string, getFile: GetFile): Promise<ModuleVersion | null> {
  try {
    const text = await getFile(path);
    return text === null ? null : parseModuleVersion(path, text);
  } catch (error) {
    if (!(error instanceof AppError) || !NO_FILE.has(error.code)) throw error;
    return { kind: "refused", version: null, because: `${path} cannot be read: ${error.code}` };
  }
}

/** What a file says; a file that says nothing of a version has the first. */
export function parseModuleVersion(path: string, text: string): ModuleVersion {
  const refused = (because: string, version: string | null = null): ModuleVersion => ({
    kind: "refused",
    version,
    because,
  });
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) {
    const line = error.linePos?.[0].line;
    return refused(`${path} is not YAML${line === undefined ? "" : ` (line ${String(line)})`}`);
  }
  const { contents } = document;
  if (contents !== null && !isMap(contents) && !(isScalar(contents) && contents.value === null)) {
    return refused(`${path} is not a map of keys and values`);
  }
  const value: unknown = isMap(contents) ? contents.get(KEY, true) : undefined;
  if (value === undefined) return { kind: "version", version: FIRST_MODULE_VERSION };
  if (!isScalar(value) || typeof value.value !== "string") {
    return refused(`${KEY} in ${path} is not text such as "1.2.3"`);
  }
  const version = value.value;
  if (isModuleVersion(version)) return { kind: "version", version };
  return refused(`${KEY} in ${path} is not a semantic version such as 1.2.3`, clip(version));
}

/** By characters, never half of one. */
function clip(text: string): string {
  return Array.from(text.slice(0, 2 * MAX_QUOTED))
    .slice(0, MAX_QUOTED)
    .join("");
}
