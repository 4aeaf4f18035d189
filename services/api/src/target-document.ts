/** Stacks and modules as the API takes and shows them: two resources of one shape. */
import { z } from "@hono/zod-openapi";
import { ROOT_SPACE } from "@sluice/domain/space-tree";
import type { Target } from "@sluice/domain/target";
import { DEFAULT_VERSION_FROM, readTargetEntry, type TargetEntry } from "@sluice/domain/target-entry";
import {
  ACCOUNT_UUID,
  ACCOUNT_UUID_RULE,
  branchProblem,
  globProblem,
  lineProblem,
  MAX_BRANCH,
  MAX_EXTERNAL_ID,
  MAX_LABELS,
  MAX_LISTED,
  MAX_NAME,
  MAX_PATH,
  MAX_REPOSITORY,
  metadataProblem,
  projectRootProblem,
  REPOSITORY_NAME,
  REPOSITORY_NAME_RULE,
  WORKSPACE_NAME,
  WORKSPACE_NAME_RULE,
} from "@sluice/domain/target-values";
import type { TargetState } from "@sluice/store/target-changes";
import type { TargetRecord } from "@sluice/store/target-records";

import { checkedText, entryLabel, entryName, withoutProblem } from "./body-text.ts";

/** What is sent of a stack or a module; what is left out has its default, also where it had another value before. */
export interface TargetBody extends TargetEntry {
  readonly space?: string | undefined;
  readonly integration?: string | undefined;
  /** Only of modules. */
  readonly version_from?: NonNullable<Target["moduleVersionSource"]> | undefined;
}

/** As `TargetBody`, for one that is there: its name need not be said. */
export type TargetReplacement = Omit<TargetBody, "name"> & { readonly name?: string | undefined };

/** A target as the body of a request wants it; `integration` null: the default one. */
export type WantedTarget = Omit<TargetState, "integration"> & { readonly integration: string | null };

const metadata = withoutProblem(
  // Not a record, which would drop a key named `__proto__`.
  z.custom<Readonly<Record<string, unknown>>>(isMap, { error: "is not a map" }),
  metadataProblem,
).openapi({
  type: "object",
  additionalProperties: true,
  description: "The scheduler gets it with each trigger; at most 16 KiB.",
});

const stackBodySchema = z
  .strictObject({
    name: entryName().openapi({
      description: "Unique among the stacks, or the modules, of its space; never changed.",
      example: "network",
    }),
    external_id: checkedText(MAX_EXTERNAL_ID, lineProblem)
      .optional()
      .openapi({ description: "The scheduler's own name for it." }),
    space: entryName()
      .optional()
      .openapi({
        description: `Name of the space that it is in; never changed. Default: \`${ROOT_SPACE}\`.`,
      }),
    integration: entryName()
      .optional()
      .openapi({ description: "Name of the integration to use. Default: the default integration." }),
    repository: z
      .string()
      .max(MAX_REPOSITORY)
      .regex(REPOSITORY_NAME, { error: REPOSITORY_NAME_RULE })
      .openapi({ description: "`workspace/slug`.", example: "acme/infrastructure" }),
    tracked_branch: checkedText(MAX_BRANCH, branchProblem).openapi({
      description: "The branch whose pushes make tracked runs.",
      example: "main",
    }),
    project_root: withoutProblem(z.string().max(MAX_PATH), projectRootProblem)
      .optional()
      .openapi({ description: "The folder whose files concern it. Default: the whole repository." }),
    project_globs: z
      .array(checkedText(MAX_PATH, globProblem))
      .max(MAX_LISTED)
      .optional()
      .openapi({ description: "Further files that concern it: `**`, `*`, `?`, `[a-z]`, `{a,b}`." }),
    labels: z.array(entryLabel()).max(MAX_LABELS).optional(),
    metadata: metadata.optional(),
    on_unknown_files: z.enum(["run", "hold", "skip"]).optional().openapi({
      description: "When Bitbucket cannot say what changed. Default: propose anyway, hold tracked runs.",
    }),
    allowed_fork_workspaces: z
      .array(z.string().max(MAX_NAME).regex(WORKSPACE_NAME, { error: WORKSPACE_NAME_RULE }))
      .max(MAX_LISTED)
      .optional()
      .openapi({ description: "Workspaces whose forks' pull requests may run. Default: none." }),
    deployers: z
      .array(z.string().regex(ACCOUNT_UUID, { error: ACCOUNT_UUID_RULE }))
      .max(MAX_LISTED)
      .optional()
      .openapi({ description: "Uuids of the accounts that may deploy by a comment. Default: nobody." }),
    coalesce: z
      .boolean()
      .optional()
      .openapi({ description: "Whether a newer tracked run replaces those that wait. Default: `false`." }),
    enabled: z
      .boolean()
      .optional()
      .openapi({ description: "`false`: events are recorded and make nothing. Default: `true`." }),
  })
  .openapi("StackEntry");

const moduleBodySchema = stackBodySchema
  .extend({
    version_from: z
      .enum(["tag", "file"])
      .optional()
      .openapi({
        description: `\`tag\`: the tags \`v1.2.3\` release it; \`file\`: \`module_version\` in a file does. Default: \`${DEFAULT_VERSION_FROM}\`.`,
      }),
  })
  .openapi("ModuleEntry");

const stackSchema = z
  .object({
    id: z.guid(),
    name: z.string(),
    external_id: z.string().nullable(),
    space: z.string(),
    space_id: z.guid(),
    state: z.enum(["active", "detached", "disabled"]).openapi({
      description:
        "`detached`: its integration was deleted. `disabled`: it, or its integration, is switched off. Both ignore every event.",
    }),
    integration: z.string().nullable().openapi({ description: "Null: detached." }),
    integration_id: z.guid().nullable(),
    repository: z.string().openapi({ description: "As Bitbucket last wrote it." }),
    repository_id: z.guid(),
    tracked_branch: z.string(),
    project_root: z.string().openapi({ description: "Empty: the whole repository." }),
    project_globs: z.array(z.string()),
    labels: z.array(z.string()),
    metadata: z.record(z.string(), z.unknown()),
    on_unknown_files: z.enum(["run", "hold", "skip"]).nullable(),
    allowed_fork_workspaces: z.array(z.string()),
    deployers: z.array(z.string()),
    coalesce: z.boolean(),
    enabled: z.boolean(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi("Stack");

const moduleSchema = stackSchema
  .extend({
    version_from: z
      .enum(["tag", "file"])
      .nullable()
      .openapi({ description: "Null: written before modules had one." }),
  })
  .openapi("Module");

/** A stack, or a module, which alone has `version_from`. */
export type TargetDocument = z.infer<typeof stackSchema> & {
  version_from?: Target["moduleVersionSource"];
};

/** One of the two resources. */
export interface TargetResource {
  readonly kind: Target["kind"];
  readonly path: "/v1/stacks" | "/v1/modules";
  readonly tag: string;
  /** With its article. */
  readonly noun: string;
  readonly schema: z.ZodType<TargetDocument>;
  readonly bodySchema: z.ZodType<TargetBody>;
  readonly replacementSchema: z.ZodType<TargetReplacement>;
}

export const TARGET_RESOURCES: readonly TargetResource[] = [
  {
    kind: "stack",
    path: "/v1/stacks",
    tag: "Stacks",
    noun: "a stack",
    schema: stackSchema,
    bodySchema: stackBodySchema,
    replacementSchema: stackBodySchema.partial({ name: true }).openapi("StackReplacement"),
  },
  {
    kind: "module",
    path: "/v1/modules",
    tag: "Modules",
    noun: "a module",
    schema: moduleSchema,
    bodySchema: moduleBodySchema,
    replacementSchema: moduleBodySchema.partial({ name: true }).openapi("ModuleReplacement"),
  },
];

/** A target as people see it. */
export function toTargetDocument(record: TargetRecord): TargetDocument {
  return {
    id: record.id,
    name: record.name,
    external_id: record.externalId,
    space: record.space,
    space_id: record.spaceId,
    state: record.state,
    integration: record.integration,
    integration_id: record.integrationId,
    repository: record.repository,
    repository_id: record.repositoryId,
    tracked_branch: record.trackedBranch,
    project_root: record.projectRoot,
    project_globs: [...record.projectGlobs],
    labels: [...record.labels],
    metadata: record.metadata,
    on_unknown_files: record.onUnknownFiles,
    allowed_fork_workspaces: [...record.allowedForkWorkspaces],
    deployers: [...record.deployers],
    coalesce: record.coalesce,
    enabled: record.enabled,
    created_at: record.createdAt,
    updated_at: record.updatedAt,
    ...(record.kind === "module" ? { version_from: record.moduleVersionSource } : {}),
  };
}

/** What a body means. */
export function readTargetBody(kind: Target["kind"], body: TargetBody): WantedTarget {
  return {
    ...readTargetEntry(body),
    kind,
    space: body.space ?? ROOT_SPACE,
    integration: body.integration ?? null,
    moduleVersionSource: kind === "module" ? (body.version_from ?? DEFAULT_VERSION_FROM) : null,
  };
}

function isMap(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
