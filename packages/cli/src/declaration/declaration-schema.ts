/** The shape of `sluice.yaml`, version 1, said once: read by the parser, by the reference and by editors. */
import { DEFAULT_VERSION_FROM } from "@sluice/domain/target-entry";
import { MAX_EXTERNAL_ID, MAX_LABELS, MAX_LISTED } from "@sluice/domain/target-values";
import { integrationSlug } from "@sluice/store/integration-slug";
import { z } from "zod";

import {
  accountUuid,
  branch,
  duration,
  glob,
  label,
  mailAddress,
  metadata,
  name,
  printable,
  projectRoot,
  prose,
  repository,
  secret,
  time,
  workspace,
} from "./declaration-values.ts";

/** The budget of an integration that does not say another: Bitbucket's own limit. */
export const DEFAULT_CALLS_PER_HOUR = 1000;
/** How long a replaced webhook secret still verifies. */
export const DEFAULT_SECRET_OVERLAP = "24h";

const MAX_CALLS_PER_HOUR = 100_000;

/** A node of the tree of spaces. */
export const spaceSchema = z.strictObject({
  name: name.describe("Unique. `root` is always there and is not declared."),
  parent: name.optional().describe("The space that it is in. Default: `root`."),
  inherit_entities: z
    .boolean()
    .optional()
    .describe("Whether integrations of its parent can be used in it too. Default: `false`."),
});

const expiresAt = time
  .optional()
  .describe("When the token ends, a day or a time: Bitbucket does not tell. Default: not known.");

/** How an integration signs in to Bitbucket. */
export const credentialSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("api_token").describe("An API token of an Atlassian account."),
    email: mailAddress.describe("The account's mail address, or `${NAME}`. Only with `api_token`."),
    token: secret.describe("The token, as `${NAME}`."),
    expires_at: expiresAt,
  }),
  z.strictObject({
    kind: z.literal("access_token").describe("An access token of a repository, project or workspace."),
    token: secret.describe("The token, as `${NAME}`."),
    expires_at: expiresAt,
  }),
]);

/** A connection to Bitbucket Cloud. */
export const integrationSchema = z.strictObject({
  name: name
    .refine((value) => integrationSlug(value) !== null, {
      error: "has no letter or digit that the endpoint could be named by",
    })
    .describe("Unique, and never changed: the webhook endpoint is made from it."),
  default: z
    .literal(true)
    .optional()
    .describe("`true` for the one integration that can be used in every space."),
  space: name.optional().describe("The space that owns it. Either this or `default`."),
  credential: credentialSchema.describe("How Sluice signs in to Bitbucket."),
  webhook_secret: secret
    .optional()
    .describe(
      "Signs what Bitbucket sends, as `${NAME}`; 16 to 128 characters. Left out: one is generated, and shown once.",
    ),
  previous_webhook_secret: secret
    .optional()
    .describe("One more secret that verifies, for as long as this line is here."),
  secret_overlap: duration
    .optional()
    .describe(
      `After \`webhook_secret\` has changed: how long the one before still verifies (\`s\`, \`m\`, \`h\`, \`d\`; \`0s\`: not at all). Default: \`${DEFAULT_SECRET_OVERLAP}\`.`,
    ),
  checks: z
    .enum(["individual", "aggregated", "all"])
    .optional()
    .describe("Which commit statuses are sent: one a target, one for all, or both. Default: `individual`."),
  labels: z.array(label).max(MAX_LABELS).optional().describe("Default: none."),
  description: prose.optional().describe("Markdown. Default: empty."),
  calls_per_hour: z
    .int()
    .min(1)
    .max(MAX_CALLS_PER_HOUR)
    .optional()
    .describe(
      `Calls to Bitbucket that this credential may make in an hour. Default: \`${String(DEFAULT_CALLS_PER_HOUR)}\`.`,
    ),
  enabled: z
    .boolean()
    .optional()
    .describe("`false`: webhooks are verified and kept, and make nothing. Default: `true`."),
});

/** What a stack or module may leave to `defaults`. */
const sharedTargetShape = {
  space: name.optional().describe("The space that it is in. Default: `root`."),
  integration: name.optional().describe("The integration to use. Default: the default integration."),
  repository: repository.describe("`workspace/slug`."),
  tracked_branch: branch.describe("The branch whose pushes make tracked runs."),
  project_root: projectRoot
    .optional()
    .describe("The folder whose files concern it. Default: the whole repository."),
  project_globs: z
    .array(glob)
    .max(MAX_LISTED)
    .optional()
    .describe("Further files that concern it: `**`, `*`, `?`, `[a-z]`, `{a,b}`. Default: none."),
  labels: z.array(label).max(MAX_LABELS).optional().describe("Default: none."),
  metadata: metadata
    .optional()
    .describe("A map that the scheduler gets with each trigger; at most 16 KiB. Default: empty."),
  on_unknown_files: z
    .enum(["run", "hold", "skip"])
    .optional()
    .describe("When Bitbucket cannot say what changed. Default: propose anyway, hold tracked runs."),
  allowed_fork_workspaces: z
    .array(workspace)
    .max(MAX_LISTED)
    .optional()
    .describe("Workspaces whose forks' pull requests may run. Default: none."),
  deployers: z
    .array(accountUuid)
    .max(MAX_LISTED)
    .optional()
    .describe("Account uuids that may deploy by a comment. Default: nobody."),
  coalesce: z
    .boolean()
    .optional()
    .describe("Whether a newer tracked run replaces those that wait. Default: `false`."),
  enabled: z.boolean().optional().describe("`false`: events are recorded and make nothing. Default: `true`."),
};

/** A stack, or what a module has in common with it, after `defaults` were added. */
export const targetSchema = z.strictObject({
  name: name.describe("Unique among the stacks, or the modules, of its space."),
  external_id: printable(MAX_EXTERNAL_ID)
    .optional()
    .describe("The scheduler's own name for it. Default: none."),
  ...sharedTargetShape,
});

/** A module, after `defaults` were added. */
export const moduleSchema = targetSchema.extend({
  version_from: z
    .enum(["tag", "file"])
    .optional()
    .describe(
      `Only of modules. \`tag\`: the tags \`v1.2.3\` release it; \`file\`: \`module_version\` in a file does. Default: \`${DEFAULT_VERSION_FROM}\`.`,
    ),
});

/** Values of every stack and module of the file that does not give its own. */
export const defaultsSchema = z.strictObject(sharedTargetShape).partial();

/** The whole file. Further keys may begin with `x-`: a place for YAML anchors. */
export const fileSchema = z
  .object({
    version: z.literal(1).describe("The version of this format: `1`."),
    defaults: defaultsSchema
      .optional()
      .describe("Values for every stack and module that does not give its own."),
    spaces: z.array(spaceSchema).optional().describe("The tree of spaces."),
    integrations: z.array(integrationSchema).optional().describe("Connections to Bitbucket Cloud."),
    stacks: z.array(targetSchema).optional().describe("Stacks."),
    modules: z.array(moduleSchema).optional().describe("Modules."),
  })
  .catchall(z.unknown());

/** An entry of the file as its schema leaves it. */
export type SpaceEntry = z.output<typeof spaceSchema>;
/** An entry of the file as its schema leaves it. */
export type IntegrationEntry = z.output<typeof integrationSchema>;
/** An entry of the file as its schema leaves it, defaults added. */
export type TargetEntry = z.output<typeof targetSchema>;
/** An entry of the file as its schema leaves it, defaults added. */
export type ModuleEntry = z.output<typeof moduleSchema>;
