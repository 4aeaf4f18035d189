/** The difference between what files declare and what is stored. Pure: nothing is read or written here. */
import { isDeepStrictEqual } from "node:util";
import { AppError } from "@sluice/domain/app-error";
import { ROOT_SPACE } from "@sluice/domain/space-tree";
import type {
  DeclaredState,
  StoredIntegration,
  StoredSpace,
  StoredTarget,
} from "@sluice/store/declared-state";
import { toRfc3339 } from "@sluice/store/rfc3339";
import { listTargetChanges } from "@sluice/store/target-changes";

import { integrationOf, targetKey } from "./check-references.ts";
import type { Declaration, DeclaredIntegration, DeclaredSpace, DeclaredTarget } from "./declaration.ts";
import { planSecrets, type SecretsPlan, type StoredSecrets } from "./plan-secrets.ts";

/** A key of the file whose value changes. Of a secret only that it does. */
export type FieldChange =
  | { readonly kind: "value"; readonly field: string; readonly from: unknown; readonly to: unknown }
  | { readonly kind: "secret"; readonly field: string; readonly change: string };

/** What happens to the entries of one kind. */
export interface PlannedEntries<Declared, Stored, Update = object> {
  readonly create: readonly Declared[];
  readonly update: readonly (Update & {
    readonly declared: Declared;
    readonly stored: Stored;
    readonly changes: readonly FieldChange[];
  })[];
  readonly remove: readonly Stored[];
}

/** A target to write, with the integration that it uses by name or as the default. */
export type PlannedTarget = DeclaredTarget & { readonly integration: string };

/** Everything that applying the files does. */
export interface Plan {
  readonly spaces: PlannedEntries<DeclaredSpace, StoredSpace>;
  readonly integrations: PlannedEntries<
    DeclaredIntegration,
    StoredIntegration,
    { readonly secrets: SecretsPlan }
  >;
  readonly targets: PlannedEntries<PlannedTarget, StoredTarget>;
  /** Targets that stay and whose integration is removed (rule 5). */
  readonly detach: readonly StoredTarget[];
  /** What a person should know before agreeing. */
  readonly notes: readonly string[];
}

/** What to compare. */
export interface PlanInput {
  readonly declaration: Declaration;
  readonly stored: DeclaredState;
  /** The decrypted secrets of the stored integrations, by id. */
  readonly secrets: ReadonlyMap<string, StoredSecrets>;
  /** Whether entries of a section that the files have, and that they do not name, are removed. */
  readonly prune: boolean;
}

/**
 * The plan that makes the store what the files declare. References have been checked before.
 * @throws AppError `space_in_use` when something stays in a space that would be removed.
 */
export function planChanges(input: PlanInput): Plan {
  const spaces = planSpaces(input);
  const integrations = planIntegrations(input);
  const targets = planTargets(input);
  const removedTargets = new Set(targets.remove.map((target) => target.id));
  const changedTargets = new Set(targets.update.map(({ stored }) => stored.id));
  const staying = input.stored.targets.filter((target) => !removedTargets.has(target.id));
  const removedIntegrations = new Set(integrations.remove.map((integration) => integration.name));
  refuseUsedSpaces({ spaces, integrations, staying, stored: input.stored });
  return {
    spaces,
    integrations,
    targets,
    detach: staying.filter(
      (target) => !changedTargets.has(target.id) && removedIntegrations.has(target.integration ?? ""),
    ),
    notes: targets.update.flatMap(({ stored, declared }) => noteRename(stored, declared, input.stored)),
  };
}

/** Whether nothing is to be done. */
export function isEmptyPlan(plan: Plan): boolean {
  return [plan.spaces, plan.integrations, plan.targets].every(
    ({ create, update, remove }) => create.length + update.length + remove.length === 0,
  );
}

function planSpaces({ declaration, stored, prune }: PlanInput): Plan["spaces"] {
  const isManaged = declaration.sections.has("spaces");
  return planEntries({
    declared: declaration.spaces,
    stored: stored.spaces,
    keyOf: (space) => space.name,
    isRemovable: (space) => prune && isManaged && space.name !== ROOT_SPACE,
    compare: (declared, was) => ({
      changes: listChanges([
        ["parent", was.parent, declared.parent],
        ["inherit_entities", was.inheritEntities, declared.inheritEntities],
      ]),
    }),
  });
}

function planIntegrations({ declaration, stored, secrets, prune }: PlanInput): Plan["integrations"] {
  const isManaged = declaration.sections.has("integrations");
  return planEntries({
    declared: declaration.integrations,
    stored: stored.integrations,
    keyOf: (integration) => integration.name,
    isRemovable: () => prune && isManaged,
    compare: (declared, was) => {
      const plan = planSecrets(declared, was, secrets.get(was.id) ?? null);
      const { credentialExpiresAt: endsAt } = was;
      const changes = listChanges([
        ["space", was.space, declared.space],
        ["credential.kind", was.credentialKind, declared.credentialKind],
        ["credential.email", was.credentialEmail, declared.credentialEmail],
        ["credential.expires_at", endsAt === null ? null : toRfc3339(endsAt), declared.credentialExpiresAt],
        ["checks", was.checksMode, declared.checksMode],
        ["labels", was.labels, declared.labels],
        ["description", was.description, declared.description],
        ["calls_per_hour", was.callsPerHour, declared.callsPerHour],
        ["enabled", was.enabled, declared.enabled],
      ]);
      return { secrets: plan.secrets, changes: [...changes, ...plan.changes] };
    },
  });
}

function planTargets({ declaration, stored, prune }: PlanInput): Plan["targets"] {
  const integrations = declaration.sections.has("integrations")
    ? declaration.integrations
    : stored.integrations;
  const declared = declaration.targets.map((target) => {
    const integration = integrationOf(target, integrations);
    if (integration === null) throw new Error(`${target.kind} ${target.name} was not checked`);
    return { ...target, integration };
  });
  return planEntries({
    declared,
    stored: stored.targets,
    keyOf: targetKey,
    isRemovable: (target) =>
      prune && declaration.sections.has(target.kind === "stack" ? "stacks" : "modules"),
    compare: (target, was) => ({
      changes: listTargetChanges(target, was).map((change) => ({ kind: "value", ...change })),
    }),
  });
}

interface Comparison<Declared, Stored, Result> {
  readonly declared: readonly Declared[];
  readonly stored: readonly Stored[];
  readonly keyOf: (entry: Declared | Stored) => string;
  readonly isRemovable: (stored: Stored) => boolean;
  readonly compare: (declared: Declared, stored: Stored) => Result;
}

function planEntries<Declared, Stored, Result extends { readonly changes: readonly FieldChange[] }>(
  comparison: Comparison<Declared, Stored, Result>,
) {
  const { declared, stored, keyOf, isRemovable, compare } = comparison;
  const storedByKey = new Map(stored.map((entry) => [keyOf(entry), entry]));
  const declaredKeys = new Set(declared.map(keyOf));
  const create: Declared[] = [];
  const update: (Result & { readonly declared: Declared; readonly stored: Stored })[] = [];
  for (const entry of declared) {
    const was = storedByKey.get(keyOf(entry));
    if (was === undefined) {
      create.push(entry);
      continue;
    }
    const result = compare(entry, was);
    if (result.changes.length > 0) update.push({ ...result, declared: entry, stored: was });
  }
  const remove = stored.filter((entry) => !declaredKeys.has(keyOf(entry)) && isRemovable(entry));
  return { create, update, remove };
}

function listChanges(
  fields: readonly (readonly [field: string, from: unknown, to: unknown])[],
): FieldChange[] {
  return fields
    .filter(([, from, to]) => !isDeepStrictEqual(from, to))
    .map(([field, from, to]) => ({ kind: "value", field, from, to }));
}

/** A removed space takes nothing with it that nobody asked to remove. */
function refuseUsedSpaces(after: {
  readonly spaces: Plan["spaces"];
  readonly integrations: Plan["integrations"];
  readonly staying: readonly StoredTarget[];
  readonly stored: DeclaredState;
}): void {
  const removed = new Set(after.spaces.remove.map((space) => space.name));
  const gone = new Set(after.integrations.remove.map((integration) => integration.id));
  const moved = new Map(after.integrations.update.map(({ stored, declared }) => [stored.id, declared.space]));
  const users = [
    ...after.staying
      .filter((target) => removed.has(target.space))
      .map((target) => `${target.kind} ${target.name} is in ${target.space}`),
    ...after.stored.integrations
      .map((each) => ({ ...each, space: moved.has(each.id) ? (moved.get(each.id) ?? null) : each.space }))
      .filter((each) => !gone.has(each.id) && removed.has(each.space ?? ""))
      .map((each) => `integration ${each.name} belongs to ${each.space ?? ROOT_SPACE}`),
  ];
  if (users.length === 0) return;
  const shown = users.slice(0, MAX_NAMED).join(", ");
  const more = users.length > MAX_NAMED ? ` and ${String(users.length - MAX_NAMED)} more` : "";
  throw new AppError("space_in_use", `a space cannot be removed while it is used: ${shown}${more}`, {
    retry: "never",
  });
}

const MAX_NAMED = 10;

/** A name in the file that Bitbucket no longer uses looks the same as another repository: only a person knows. */
function noteRename(was: StoredTarget, declared: PlannedTarget, stored: DeclaredState): string[] {
  const wanted = declared.repository.toLowerCase();
  if (!was.repositoryIsSeen || was.repository.toLowerCase() === wanted) return [];
  if (was.integration !== declared.integration) return [];
  const isKnown = stored.targets.some(
    (target) => target.repositoryIsSeen && target.repository.toLowerCase() === wanted,
  );
  if (isKnown) return [];
  return [
    `${declared.kind} ${declared.name}: deliveries have come from ${was.repository}, none from ${declared.repository}. ` +
      `If the repository was renamed, write ${was.repository}.`,
  ];
}
