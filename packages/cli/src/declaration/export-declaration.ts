/** The stored state as a declarative file: what `sluice apply` of the same file would leave as it is. Pure. */
import { ROOT_SPACE } from "@sluice/domain/space-tree";
import { DEFAULT_VERSION_FROM, type TargetEntry } from "@sluice/domain/target-entry";
import type {
  DeclaredState,
  StoredIntegration,
  StoredSpace,
  StoredTarget,
} from "@sluice/store/declared-state";
import { toRfc3339 } from "@sluice/store/rfc3339";
import { Document, isScalar, Scalar, visit } from "yaml";

import { toOneLine } from "../one-line.ts";
import { DEFAULT_CALLS_PER_HOUR, type IntegrationEntry, type SpaceEntry } from "./declaration-schema.ts";

/** A variable that the file refers to. */
export interface ExportedVariable {
  readonly name: string;
  /** For people: what it has to hold. */
  readonly holds: string;
}

/** A stack or a module of a file. */
export interface ExportedTarget extends TargetEntry {
  readonly space?: string;
  readonly integration?: string;
  readonly version_from?: NonNullable<StoredTarget["moduleVersionSource"]>;
}

/** The content of a file, before it is written out. */
export interface ExportedFile {
  readonly version: 1;
  readonly spaces: readonly SpaceEntry[];
  readonly integrations: readonly IntegrationEntry[];
  readonly stacks: readonly ExportedTarget[];
  readonly modules: readonly ExportedTarget[];
}

/** A file, and what a person has to know of it. */
export interface ExportedDeclaration {
  readonly file: ExportedFile;
  readonly variables: readonly ExportedVariable[];
  /** What the format cannot say, a sentence each. */
  readonly notes: readonly string[];
}

/** Secrets are not looked at: the file refers to variables that are named after the integrations. */
export function exportDeclaration({ spaces, integrations, targets }: DeclaredState): ExportedDeclaration {
  const defaultName = integrations.find(({ space }) => space === null)?.name ?? null;
  const attached = targets.filter(({ integration }) => integration !== null);
  const entriesOf = (kind: StoredTarget["kind"]) =>
    attached.filter((target) => target.kind === kind).map((target) => toTarget(target, defaultName));
  return {
    file: {
      version: 1,
      spaces: spaces.filter(({ name }) => name !== ROOT_SPACE).map(toSpace),
      integrations: integrations.map(toIntegration),
      stacks: entriesOf("stack"),
      modules: entriesOf("module"),
    },
    variables: integrations.flatMap(listVariables),
    notes: targets.flatMap(noteTarget),
  };
}

/** The text of the file, with what a person has to know at its top. */
export function formatExport({ file, variables, notes }: ExportedDeclaration): string {
  const width = Math.max(0, ...variables.map(({ name }) => name.length));
  const head = [
    "Written by `sluice export`.",
    ...(variables.length === 0 ? [] : ["What it refers to, as variables of whoever applies it:"]),
    ...variables.map(({ name, holds }) => `  ${name.padEnd(width)}  ${holds}`),
    ...notes.map((note) => `Note: ${note}`),
  ];
  return head.map((line) => `# ${toOneLine(line)}\n`).join("") + toYaml(file);
}

function toYaml(file: ExportedFile): string {
  const document = new Document(file, { aliasDuplicateObjects: false });
  visit(document, {
    Pair(_, { key }) {
      // Without quotes it would merge what stands below it into what stands around it.
      if (isScalar(key) && key.value === "<<") key.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return document.toString({ lineWidth: 0 });
}

function toSpace({ name, parent, inheritEntities }: StoredSpace): SpaceEntry {
  return {
    name,
    ...(parent === null || parent === ROOT_SPACE ? {} : { parent }),
    ...(inheritEntities ? { inherit_entities: true } : {}),
  };
}

function toIntegration(stored: StoredIntegration): IntegrationEntry {
  const { name, space, credentialKind: kind, credentialEmail, checksMode, labels, description } = stored;
  const names = variablesOf(stored);
  const token = `\${${names.token}}`;
  const { credentialExpiresAt: endsAt } = stored;
  const end = endsAt === null ? {} : { expires_at: toRfc3339(endsAt) };
  return {
    name,
    ...(space === null ? { default: true } : { space }),
    credential:
      kind === "api_token"
        ? { kind, email: credentialEmail ?? `\${${names.email}}`, token, ...end }
        : { kind, token, ...end },
    ...(stored.webhookSecretCiphertext === null ? {} : { webhook_secret: `\${${names.secret}}` }),
    ...(isPreviousNamed(stored) ? { previous_webhook_secret: `\${${names.previous}}` } : {}),
    ...(checksMode === "individual" ? {} : { checks: checksMode }),
    ...(labels.length === 0 ? {} : { labels: [...labels] }),
    ...(description === "" ? {} : { description }),
    ...(stored.callsPerHour === DEFAULT_CALLS_PER_HOUR ? {} : { calls_per_hour: stored.callsPerHour }),
    ...(stored.enabled ? {} : { enabled: false }),
  };
}

function toTarget(stored: StoredTarget, defaultName: string | null): ExportedTarget {
  const { name, space, integration, metadata, onUnknownFiles, moduleVersionSource: versionFrom } = stored;
  return {
    name,
    ...(stored.externalId === null ? {} : { external_id: stored.externalId }),
    ...(space === ROOT_SPACE ? {} : { space }),
    ...(integration === null || integration === defaultName ? {} : { integration }),
    repository: stored.repository,
    tracked_branch: stored.trackedBranch,
    ...(stored.projectRoot === "" ? {} : { project_root: stored.projectRoot }),
    ...(stored.projectGlobs.length === 0 ? {} : { project_globs: stored.projectGlobs }),
    ...(stored.labels.length === 0 ? {} : { labels: stored.labels }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(onUnknownFiles === null ? {} : { on_unknown_files: onUnknownFiles }),
    ...(stored.allowedForkWorkspaces.length === 0
      ? {}
      : { allowed_fork_workspaces: stored.allowedForkWorkspaces }),
    ...(stored.deployers.length === 0 ? {} : { deployers: stored.deployers }),
    ...(stored.coalesce ? { coalesce: true } : {}),
    ...(stored.enabled ? {} : { enabled: false }),
    ...(versionFrom === null || versionFrom === DEFAULT_VERSION_FROM ? {} : { version_from: versionFrom }),
  };
}

/** Names of variables that no two integrations share: slugs are unique, and no ending of these is the end of another. */
function variablesOf({ slug }: StoredIntegration) {
  const base = slug
    .toUpperCase()
    .replaceAll("-", "_")
    .replace(/^(?=\d)/, "_");
  return {
    token: `${base}_TOKEN`,
    email: `${base}_EMAIL`,
    secret: `${base}_WEBHOOK_SECRET`,
    previous: `${base}_PREVIOUS_SECRET`,
  };
}

/** A previous secret without an end is one that a file named: not named again it would go. One with an end ends by itself. */
function isPreviousNamed({ previousSecretCiphertext, previousSecretExpiresAt }: StoredIntegration): boolean {
  return previousSecretCiphertext !== null && previousSecretExpiresAt === null;
}

function listVariables(stored: StoredIntegration): ExportedVariable[] {
  const names = variablesOf(stored);
  const { name } = stored;
  const hasNoEmail = stored.credentialKind === "api_token" && stored.credentialEmail === null;
  return [
    ...(hasNoEmail ? [{ name: names.email, holds: `mail address of the account of ${name}` }] : []),
    { name: names.token, holds: `token of ${name}` },
    ...(stored.webhookSecretCiphertext === null
      ? []
      : [
          {
            name: names.secret,
            holds: `webhook secret of ${name}; without its line, the stored one is kept`,
          },
        ]),
    ...(isPreviousNamed(stored)
      ? [{ name: names.previous, holds: `webhook secret of ${name} that still verifies` }]
      : []),
  ];
}

function noteTarget(stored: StoredTarget): string[] {
  const subject = `the ${stored.kind} ${stored.name} of the space ${stored.space}`;
  if (stored.integration === null) {
    return [
      `${subject} is detached, and left out: a file cannot say that. Applied with --prune, it is removed.`,
    ];
  }
  return [
    ...(stored.repositoryIsLatest
      ? []
      : [
          `${subject} is bound to a repository ${stored.repository} that is gone: applied, it is bound to the present one.`,
        ]),
    ...(stored.kind === "module" && stored.moduleVersionSource === null
      ? [`${subject} does not say where its version comes from: applied, it is a file.`]
      : []),
  ];
}
