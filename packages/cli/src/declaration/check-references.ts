/** Whether what files declare fits together, and with what is stored: names, parents, and who may use which integration. */
import {
  createSpaceTree,
  findCycle,
  isUsableIn,
  ROOT_SPACE,
  type SpaceTree,
} from "@sluice/domain/space-tree";
import type { DeclaredState, StoredTarget } from "@sluice/store/declared-state";
import { findNearestName } from "@sluice/runtime/nearest-name";

import type { Declaration, DeclaredIntegration, DeclaredTarget } from "./declaration.ts";
import type { Problem } from "./problem.ts";

/** The names in the files, those of entries that could not be read too. */
export interface DeclaredNames {
  readonly spaces: ReadonlySet<string>;
  readonly integrations: ReadonlySet<string>;
  readonly hasDefault: boolean;
  /** False when some entry could not be read: then the tree of spaces is not whole. */
  readonly areAllRead: boolean;
}

/** What is checked. */
export interface ReferenceCheck {
  readonly declaration: Declaration;
  readonly names: DeclaredNames;
  /** Null: the store is not known, and what refers to it is not judged. */
  readonly stored: DeclaredState | null;
  readonly prune: boolean;
}

/** The parts of an integration that others depend on. */
type IntegrationPlace = Pick<DeclaredIntegration, "name" | "slug" | "space">;

/** What there will be once the files are applied; null: not known. */
interface Surroundings {
  readonly tree: SpaceTree | null;
  readonly spaces: ReadonlySet<string> | null;
  readonly integrations: ReadonlyMap<string, IntegrationPlace> | null;
  readonly integrationNames: ReadonlySet<string> | null;
  readonly hasDefault: boolean;
}

/** Every reference that leads nowhere or where it may not. */
export function checkReferences(check: ReferenceCheck): Problem[] {
  const around = lookAround(check);
  const { declaration } = check;
  return [
    ...checkSpaces(declaration, around),
    ...checkIntegrations(check, around),
    ...findDuplicates(
      declaration.targets,
      targetKey,
      (target) => `${target.kind} ${target.name} is in space ${target.space} already`,
    ),
    ...declaration.targets.flatMap((target) => checkTarget(target, around)),
    ...checkUnmanagedTargets(check, around),
  ];
}

/** The names of a declaration that was read without a problem. */
export function namesOf(declaration: Declaration): DeclaredNames {
  return {
    spaces: new Set(declaration.spaces.map((space) => space.name)),
    integrations: new Set(declaration.integrations.map((integration) => integration.name)),
    hasDefault: declaration.integrations.some((integration) => integration.space === null),
    areAllRead: true,
  };
}

/** The integration that a target uses: the one it names, or the default; null when there is neither. */
export function integrationOf(
  target: Pick<DeclaredTarget, "integration">,
  integrations: Iterable<Pick<IntegrationPlace, "name" | "space">>,
): string | null {
  if (target.integration !== null) return target.integration;
  for (const { name, space } of integrations) if (space === null) return name;
  return null;
}

/** One target among all. */
export function targetKey(target: Pick<StoredTarget, "space" | "kind" | "name">): string {
  return JSON.stringify([target.space, target.kind, target.name]);
}

function lookAround({ declaration, names, stored }: ReferenceCheck): Surroundings {
  const { sections } = declaration;
  const spaces = sections.has("spaces") ? declaration.spaces : (stored?.spaces ?? null);
  const integrations = sections.has("integrations")
    ? declaration.integrations
    : (stored?.integrations ?? null);
  const fromFile = sections.has("integrations");
  return {
    tree: spaces === null || !names.areAllRead ? null : createSpaceTree(spaces),
    spaces:
      spaces === null ? null : new Set([ROOT_SPACE, ...names.spaces, ...spaces.map((space) => space.name)]),
    integrations: integrations === null ? null : new Map(integrations.map((each) => [each.name, each])),
    integrationNames:
      integrations === null
        ? null
        : new Set([...(fromFile ? names.integrations : []), ...integrations.map((each) => each.name)]),
    hasDefault:
      integrations === null ||
      (fromFile && names.hasDefault) ||
      integrations.some((each) => each.space === null),
  };
}

function checkSpaces({ spaces }: Declaration, around: Surroundings): Problem[] {
  const tree = createSpaceTree(spaces);
  const inCycle = new Set<string>();
  const problems = findDuplicates(
    spaces,
    (space) => space.name,
    (space) => `space ${space.name} is declared already`,
  );
  for (const space of spaces) {
    if (space.name === ROOT_SPACE) {
      problems.push({ ...space.locate("name"), message: "space root is always there: do not declare it" });
      continue;
    }
    problems.push(...checkSpaceName(space.parent, "parent", space.locate("parent"), around));
    const cycle = inCycle.has(space.name) ? null : findCycle(tree, space.name);
    if (cycle === null) continue;
    for (const name of cycle) inCycle.add(name);
    problems.push({
      ...space.locate("parent"),
      message: `space ${space.name} is its own ancestor: ${cycle.join(" → ")}`,
    });
  }
  return problems;
}

function checkIntegrations({ declaration, stored, prune }: ReferenceCheck, around: Surroundings): Problem[] {
  const { integrations } = declaration;
  const declared = new Set(integrations.map((each) => each.name));
  // Without --prune, what is stored and not in the files stays.
  const others = prune ? [] : (stored?.integrations ?? []).filter((each) => !declared.has(each.name));
  const owners = new Map<string, string>(others.map((each) => [each.slug, each.name]));
  let defaultName = others.find((each) => each.space === null)?.name ?? null;
  const problems = findDuplicates(
    integrations,
    (each) => each.name,
    (each) => `integration ${each.name} is declared already`,
  );
  const seen = new Set<string>();
  for (const each of integrations) {
    if (seen.has(each.name)) continue;
    seen.add(each.name);
    const owner = owners.get(each.slug);
    if (owner !== undefined) {
      const message = `integration ${each.name} would have the endpoint of ${owner} (${each.slug}): choose another name`;
      problems.push({ ...each.locate("name"), message });
    }
    owners.set(each.slug, each.name);
    if (each.space !== null) {
      problems.push(...checkSpaceName(each.space, "space", each.locate("space"), around));
    } else if (defaultName !== null) {
      const message = `integration ${each.name} cannot be the default: ${defaultName} is`;
      problems.push({ ...each.locate("default"), message });
    } else {
      defaultName = each.name;
    }
  }
  return problems;
}

function checkTarget(target: DeclaredTarget, around: Surroundings): Problem[] {
  const problems = checkSpaceName(target.space, "space", target.locate("space"), around);
  const { integrations, integrationNames, tree } = around;
  const subject = `${target.kind} ${target.name}`;
  if (integrations === null || integrationNames === null) return problems;
  if (target.integration === null) {
    if (around.hasDefault) return problems;
    const message = `${subject} names no integration, and there is no default one`;
    return [...problems, { ...target.locate("name"), message }];
  }
  const integration = integrations.get(target.integration);
  if (integration === undefined) {
    if (integrationNames.has(target.integration)) return problems;
    const message = describeUnknown("integration", target.integration, integrationNames);
    return [...problems, { ...target.locate("integration"), message }];
  }
  if (problems.length > 0 || tree === null || isUsableIn(tree, integration.space, target.space))
    return problems;
  const message =
    `${subject} in space ${target.space} cannot use integration ${integration.name} of space ` +
    `${integration.space ?? ROOT_SPACE}: it can be used there, and below through spaces with inherit_entities`;
  return [{ ...target.locate("integration"), message }];
}

/** Stacks that no file speaks of must not lose their integration by a change of the spaces around them. */
function checkUnmanagedTargets(
  { declaration, stored, prune }: ReferenceCheck,
  around: Surroundings,
): Problem[] {
  const { tree, integrations } = around;
  if (stored === null || tree === null || integrations === null) return [];
  const before = createSpaceTree(stored.spaces);
  const wasAt = new Map(stored.integrations.map((each) => [each.name, each]));
  const declared = new Set(declaration.targets.map(targetKey));
  return stored.targets.flatMap((target) => {
    const isManaged = declaration.sections.has(target.kind === "stack" ? "stacks" : "modules");
    if (declared.has(targetKey(target)) || (prune && isManaged)) return [];
    const integration = integrations.get(target.integration ?? "");
    const earlier = wasAt.get(target.integration ?? "");
    if (integration === undefined || earlier === undefined || !tree.has(target.space)) return [];
    if (isUsableIn(tree, integration.space, target.space) || !isUsableIn(before, earlier.space, target.space))
      return [];
    const position = findCause(declaration, integration.name, target.space);
    const message = `${target.kind} ${target.name} in space ${target.space} could no longer use integration ${integration.name}`;
    return position === null ? [] : [{ ...position, message }];
  });
}

function findCause({ integrations, spaces }: Declaration, integration: string, space: string) {
  const declared = integrations.find((each) => each.name === integration);
  if (declared !== undefined) return declared.locate("space");
  const owner = spaces.find((each) => each.name === space) ?? spaces[0];
  return owner === undefined ? null : owner.locate("name");
}

function checkSpaceName(
  name: string,
  key: string,
  position: ReturnType<DeclaredTarget["locate"]>,
  { spaces }: Surroundings,
): Problem[] {
  if (spaces === null || spaces.has(name)) return [];
  return [
    { ...position, message: describeUnknown(key === "parent" ? "parent space" : "space", name, spaces) },
  ];
}

function describeUnknown(what: string, name: string, known: ReadonlySet<string>): string {
  const nearest = findNearestName(name, known);
  return `there is no ${what} ${name}${nearest === null ? "" : ` (did you mean ${nearest}?)`}`;
}

function findDuplicates<Entry extends { readonly locate: DeclaredTarget["locate"] }>(
  entries: readonly Entry[],
  keyOf: (entry: Entry) => string,
  describe: (entry: Entry) => string,
): Problem[] {
  const first = new Map<string, Entry>();
  return entries.flatMap((entry) => {
    const earlier = first.get(keyOf(entry));
    if (earlier === undefined) {
      first.set(keyOf(entry), entry);
      return [];
    }
    const { file, line } = earlier.locate("name");
    return [{ ...entry.locate("name"), message: `${describe(entry)} (${file}:${String(line)})` }];
  });
}
