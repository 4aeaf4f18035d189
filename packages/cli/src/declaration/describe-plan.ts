/** Shows a plan: as lines for people, as data for programs. Secrets never appear. */
import type { DeclaredIntegration } from "./declaration.ts";
import type { FieldChange, Plan, PlannedTarget } from "./plan.ts";

/** One entry that changes. */
export interface DescribedChange {
  readonly action: "create" | "update" | "remove" | "detach";
  readonly kind: "space" | "integration" | "stack" | "module";
  readonly name: string;
  /** The space that it is in; null for spaces, and for the default integration. */
  readonly space: string | null;
  /** Key by key, for an update; empty otherwise. */
  readonly fields: readonly FieldChange[];
  /** What it is or will be, in short. */
  readonly summary: string;
}

const SIGNS = { create: "+", update: "~", remove: "-", detach: "!" } as const;
const MAX_SHOWN_VALUE = 120;

/** Every change, in the order in which they are made. */
export function describePlan(plan: Plan): DescribedChange[] {
  const { spaces, integrations, targets } = plan;
  return [
    ...spaces.create.map((space) => ({
      ...change("create", "space", space.name, null),
      summary: `in ${space.parent}${space.inheritEntities ? ", inherits" : ""}`,
    })),
    ...spaces.update.map(({ declared, changes }) => ({
      ...change("update", "space", declared.name, null),
      fields: changes,
    })),
    ...integrations.create.map((each) => ({
      ...change("create", "integration", each.name, each.space),
      summary: summariseIntegration(each),
    })),
    ...integrations.update.map(({ declared, changes }) => ({
      ...change("update", "integration", declared.name, declared.space),
      fields: changes,
    })),
    ...targets.create.map((target) => ({
      ...change("create", target.kind, target.name, target.space),
      summary: summariseTarget(target),
    })),
    ...targets.update.map(({ declared, changes }) => ({
      ...change("update", declared.kind, declared.name, declared.space),
      fields: changes,
    })),
    ...targets.remove.map((target) => change("remove", target.kind, target.name, target.space)),
    ...plan.detach.map((target) => ({
      ...change("detach", target.kind, target.name, target.space),
      summary: `its integration ${target.integration ?? ""} is removed, so it ignores events until it has another`,
    })),
    ...integrations.remove.map((each) => ({
      ...change("remove", "integration", each.name, each.space),
      summary: `its endpoint /webhooks/bitbucket-cloud/${each.slug} will refuse deliveries`,
    })),
    ...spaces.remove.map((space) => change("remove", "space", space.name, null)),
  ];
}

/** The plan as text: one line an entry, one an altered key, notes, and a sum. */
export function formatPlan(plan: Plan): string {
  const changes = describePlan(plan);
  if (changes.length === 0) return "Nothing to change.\n";
  const lines = changes.flatMap((each) => [describeLine(each), ...each.fields.map(describeField)]);
  const notes = plan.notes.map((note) => `Note: ${note}`);
  return `${[...lines, ...notes, "", countChanges(changes)].join("\n")}\n`;
}

function change(
  action: DescribedChange["action"],
  kind: DescribedChange["kind"],
  name: string,
  space: string | null,
): DescribedChange {
  return { action, kind, name, space, fields: [], summary: "" };
}

function summariseIntegration(integration: DeclaredIntegration): string {
  const where = integration.space === null ? "the default" : `for space ${integration.space}`;
  return `${where}, /webhooks/bitbucket-cloud/${integration.slug}`;
}

function summariseTarget(target: PlannedTarget): string {
  const root = target.projectRoot === "" ? "" : ` ${target.projectRoot}`;
  return `${target.repository}${root} on ${target.trackedBranch}`;
}

function describeLine({ action, kind, name, space, summary }: DescribedChange): string {
  const place = space === null || kind === "integration" ? "" : ` in ${space}`;
  return `${SIGNS[action]} ${kind} ${name}${place}${summary === "" ? "" : `: ${summary}`}`;
}

function describeField(field: FieldChange): string {
  if (field.kind === "secret") return `    ${field.field}: ${field.change}`;
  return `    ${field.field}: ${show(field.from)} → ${show(field.to)}`;
}

function show(value: unknown): string {
  if (value === null || value === "") return "(none)";
  const text = JSON.stringify(value);
  return text.length > MAX_SHOWN_VALUE ? `${text.slice(0, MAX_SHOWN_VALUE)}…` : text;
}

function countChanges(changes: readonly DescribedChange[]): string {
  const count = (action: DescribedChange["action"]) =>
    changes.filter((each) => each.action === action).length;
  const detached = count("detach");
  return (
    `${String(count("create"))} to create, ${String(count("update"))} to change, ${String(count("remove"))} to remove` +
    `${detached === 0 ? "" : `, ${String(detached)} to detach`}.`
  );
}
