/** Reads declarative files: every mistake of every file at once, each with its place. */
import type { Environment } from "@sluice/runtime/configuration";
import type { z } from "zod";

import { checkReferences, type DeclaredNames } from "./check-references.ts";
import {
  credentialSchema,
  defaultsSchema,
  fileSchema,
  integrationSchema,
  moduleSchema,
  spaceSchema,
  targetSchema,
} from "./declaration-schema.ts";
import type {
  Declaration,
  DeclaredIntegration,
  DeclaredSpace,
  DeclaredTarget,
  Locate,
  Section,
} from "./declaration.ts";
import { type LocatedYaml, parseLocatedYaml, type Path } from "./located-yaml.ts";
import { DeclarationError, type Problem, sortProblems } from "./problem.ts";
import { readIntegration, readModule, readSpace, readStack } from "./read-entry.ts";
import { describeIssues, describeUnknownKey, placeProblems } from "./shape-problems.ts";

/** A file to read. */
export interface Source {
  /** As problems should name it. */
  readonly file: string;
  readonly text: string;
}

const SECTIONS = ["spaces", "integrations", "stacks", "modules"] as const satisfies readonly Section[];
const SCHEMAS = {
  spaces: spaceSchema,
  integrations: integrationSchema,
  stacks: targetSchema,
  modules: moduleSchema,
};
/** A place for YAML anchors. */
const FREE_KEY = /^x-/;

/** What is gathered while files are read. */
interface Reading {
  readonly environment: Environment;
  readonly problems: Problem[];
  readonly sections: Set<Section>;
  readonly spaces: DeclaredSpace[];
  readonly integrations: DeclaredIntegration[];
  readonly targets: DeclaredTarget[];
  readonly names: { readonly spaces: Set<string>; readonly integrations: Set<string>; hasDefault: boolean };
  /** False when a part could not be read at all: what refers to it is not judged. */
  isWhole: boolean;
}

/**
 * The declaration of these files together; `${NAME}` is looked up in `environment`. References into a section that no
 * file has are left to `checkReferences`, which can ask the store.
 * @throws DeclarationError with every problem of every file.
 */
export function parseDeclaration(sources: readonly Source[], environment: Environment): Declaration {
  const reading: Reading = {
    environment,
    problems: [],
    sections: new Set(),
    spaces: [],
    integrations: [],
    targets: [],
    names: { spaces: new Set(), integrations: new Set(), hasDefault: false },
    isWhole: true,
  };
  for (const { file, text } of sources) readFile(parseLocatedYaml(file, text), reading);
  const { sections, spaces, integrations, targets, problems } = reading;
  const declaration: Declaration = { sections, spaces, integrations, targets };
  if (reading.isWhole) {
    const names: DeclaredNames = { ...reading.names, areAllRead: problems.length === 0 };
    problems.push(...checkReferences({ declaration, names, stored: null, prune: false }));
  }
  if (problems.length > 0) throw new DeclarationError(sortProblems(problems));
  return declaration;
}

function readFile(document: LocatedYaml, reading: Reading): void {
  const top = document.value;
  if (document.problems.length > 0 || !isMap(top)) {
    reading.isWhole = false;
    const notMap = { ...document.locate([]), message: "the file must be a map that begins with version: 1" };
    reading.problems.push(...(document.problems.length > 0 ? document.problems : [notMap]));
    return;
  }
  reading.problems.push(...checkTop(document, top));
  for (const section of SECTIONS) {
    if (top[section] !== undefined) readSection({ document, top, section, reading });
  }
}

function checkTop(document: LocatedYaml, top: Readonly<Record<string, unknown>>): Problem[] {
  const known = Object.keys(fileSchema.shape);
  const unknown = Object.keys(top).filter((key) => !known.includes(key) && !FREE_KEY.test(key));
  const problems = unknown.map((key) => ({
    ...document.locate([key], "key"),
    message: describeUnknownKey(key, known),
  }));
  const { version, defaults } = top;
  if (version !== 1) {
    const message =
      version === undefined
        ? "version is missing: write version: 1"
        : "version is not one that this Sluice reads: write version: 1";
    problems.push({ ...document.locate(["version"]), message });
  }
  if (defaults === undefined) return problems;
  const parsed = defaultsSchema.safeParse(defaults);
  if (parsed.success) return problems;
  const issues = describeIssues(parsed.error, defaults, () => Object.keys(defaultsSchema.shape));
  return [...problems, ...placeProblems(document, ["defaults"], issues)];
}

interface SectionReading {
  readonly document: LocatedYaml;
  readonly top: Readonly<Record<string, unknown>>;
  readonly section: Section;
  readonly reading: Reading;
}

function readSection({ document, top, section, reading }: SectionReading): void {
  const entries = top[section];
  reading.sections.add(section);
  if (!Array.isArray(entries)) {
    reading.isWhole = false;
    const message = `${section} must be a list (write [] for an empty one)`;
    reading.problems.push({ ...document.locate([section]), message });
    return;
  }
  const isTarget = section === "stacks" || section === "modules";
  const defaults = isTarget && isMap(top["defaults"]) ? top["defaults"] : {};
  for (const [index, entry] of entries.entries()) {
    noteName(section, entry, reading);
    readEntry({ document, section, reading, defaults, entry, base: [section, index] });
  }
}

/** Names count also where the entry is wrong, so that one mistake is told once. */
function noteName(section: Section, entry: unknown, { names }: Reading): void {
  if (!isMap(entry) || typeof entry["name"] !== "string") return;
  if (section === "spaces") names.spaces.add(entry["name"]);
  if (section !== "integrations") return;
  names.integrations.add(entry["name"]);
  if (entry["default"] === true) names.hasDefault = true;
}

interface EntryReading {
  readonly document: LocatedYaml;
  readonly section: Section;
  readonly reading: Reading;
  readonly defaults: Readonly<Record<string, unknown>>;
  readonly entry: unknown;
  readonly base: Path;
}

function readEntry(input: EntryReading): void {
  const { section, reading } = input;
  const locate = createLocate(input);
  switch (section) {
    case "spaces": {
      const entry = checkEntry(spaceSchema, input);
      if (entry !== null) reading.spaces.push(readSpace(entry, locate));
      return;
    }
    case "integrations": {
      const entry = checkEntry(integrationSchema, input);
      if (entry === null) return;
      const { integration, problems } = readIntegration(entry, locate, reading.environment);
      reading.problems.push(...problems);
      reading.integrations.push(integration);
      return;
    }
    case "stacks": {
      const entry = checkEntry(targetSchema, input);
      if (entry !== null) reading.targets.push(readStack(entry, locate));
      return;
    }
    case "modules": {
      const entry = checkEntry(moduleSchema, input);
      if (entry !== null) reading.targets.push(readModule(entry, locate));
    }
  }
}

/** The entry with its defaults; null when it has problems, which are noted. */
function checkEntry<Schema extends z.ZodType>(schema: Schema, input: EntryReading): z.output<Schema> | null {
  const { document, section, reading, defaults, entry, base } = input;
  const merged: unknown = isMap(entry) ? { ...defaults, ...entry } : entry;
  const parsed = schema.safeParse(merged);
  if (parsed.success) return parsed.data;
  // A wrong default is told once, where it stands.
  const issues = describeIssues(parsed.error, merged, (path) => knownKeys(section, path)).filter(
    ({ path }) => !isInherited(input, path[0]),
  );
  reading.problems.push(...placeProblems(document, base, issues));
  return null;
}

function createLocate(input: EntryReading): Locate {
  const { document, base } = input;
  return (key) => {
    if (key === undefined) return document.locate(base);
    return document.locate(isInherited(input, key) ? ["defaults", key] : [...base, ...key.split(".")]);
  };
}

function isInherited({ entry, defaults }: EntryReading, key: PropertyKey | undefined): boolean {
  return isMap(entry) && key !== undefined && !(key in entry) && key in defaults;
}

function knownKeys(section: Section, path: Path): readonly string[] {
  if (path.length === 0) return Object.keys(SCHEMAS[section].shape);
  if (path[0] !== "credential") return [];
  return [...new Set(credentialSchema.options.flatMap((option) => Object.keys(option.shape)))];
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
