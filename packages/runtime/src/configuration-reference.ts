/** The reference of all variables, written from their declarations so that it cannot be wrong. */
import type { ConfigurationDefinition, Variable } from "./configuration.ts";

/** A chapter of the reference. */
export interface ConfigurationGroup {
  readonly title: string;
  /** A sentence under the title. */
  readonly introduction?: string;
  readonly definition: ConfigurationDefinition;
}

/** Markdown: one chapter a group, one row a variable (name, what it decides, what it takes, default). */
export function describeConfiguration(groups: readonly ConfigurationGroup[]): string {
  return `${groups.map(describeGroup).join("\n\n")}\n`;
}

function describeGroup({ title, introduction, definition }: ConfigurationGroup): string {
  const head = introduction === undefined ? [`## ${title}`] : [`## ${title}`, introduction];
  const rows = Object.values(definition).map(describeVariable);
  const table = ["| Variable | Decides | Takes | Default |", "| --- | --- | --- | --- |", ...rows].join("\n");
  return [...head, table].join("\n\n");
}

function describeVariable(variable: Variable): string {
  const cells = [
    `\`${variable.name}\``,
    describePurpose(variable),
    describeText(variable),
    describeDefault(variable),
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function describePurpose({ name, description, secret }: Variable): string {
  return secret === true
    ? `${description} Secret; \`${name}_FILE\` may name a file that holds it.`
    : description;
}

function describeText({ schema, example }: Variable): string {
  const takes = schema.description ?? "text";
  return example === undefined ? takes : `${takes}; e.g. \`${example}\``;
}

function describeDefault({ default: fallback, fallbacks = [], optional }: Variable): string {
  const last = fallback === undefined ? (optional === true ? "unset" : "required") : `\`${fallback}\``;
  if (fallbacks.length === 0) return last;
  return [...fallbacks.map((name) => `\`${name}\``), last].join(", else ");
}
