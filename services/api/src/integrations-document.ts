/** Integrations as the API shows them: to everybody who sees them, and to those who administer them (rule 2). */
import { z } from "@hono/zod-openapi";
import { isWithinReach, mayDo, type Access } from "@sluice/domain/access";
import { webhookUrl } from "@sluice/domain/webhook-url";
import type { CredentialHealth } from "@sluice/store/credential-health";
import type { IntegrationRecord } from "@sluice/store/integration-records";
import { toRfc3339 } from "@sluice/store/rfc3339";

/** Where Bitbucket sends an integration's webhooks. */
export const endpointSchema = z.object({
  path: z.string().openapi({ example: "/webhooks/bitbucket-cloud/acme" }),
  url: z
    .string()
    .nullable()
    .openapi({ description: "What is entered at Bitbucket; null while SLUICE_PUBLIC_URL is not set." }),
  note: z.string().nullable().openapi({ description: "What to do about an address that is null." }),
});

/** A credential, without itself: that is shown to nobody. */
export const credentialSchema = z.object({
  kind: z.enum(["api_token", "access_token"]),
  email: z.string().nullable().openapi({ description: "Of the account; null with an access token." }),
  expires_at: z.iso
    .datetime()
    .nullable()
    .openapi({ description: "As whoever saved it said; Bitbucket does not tell. Null: not known." }),
  is_set: z.boolean().openapi({ description: "False: none is stored, and Bitbucket cannot be asked." }),
});

const healthSchema = z.object({
  state: z.enum(["ok", "refused"]),
  since: z.iso.datetime(),
  http_status: z.int().nullable(),
  message: z.string().nullable(),
  checked_at: z.iso.datetime().nullable(),
  next_check_at: z.iso.datetime().nullable(),
  scopes: z.array(z.string()).nullable(),
});

const detailsSchema = z.object({
  slug: z.string(),
  endpoint: endpointSchema,
  credential: credentialSchema,
  health: healthSchema
    .nullable()
    .openapi({ description: "What was last found out about the credential; null: nothing yet." }),
  checks: z.enum(["individual", "aggregated", "all"]),
  calls_per_hour: z.int(),
  enabled: z.boolean(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
});

/** An integration. */
export const integrationSchema = z
  .object({
    id: z.guid(),
    name: z.string(),
    default: z.boolean().openapi({ description: "Whether it is the one that every space may use." }),
    space_id: z.guid().nullable().openapi({ description: "Null for the default one." }),
    space: z.string().nullable().openapi({ description: "Name of the space that owns it." }),
    labels: z.array(z.string()),
    description: z.string().openapi({
      description:
        "Markdown as somebody wrote it, not to be trusted: it is never made HTML here. Whoever renders it has to allow no HTML and no scripts.",
    }),
    details: detailsSchema.nullable().openapi({
      description:
        "For admins of its space, of the default one for admins of the root space; null for everybody else.",
    }),
  })
  .openapi("Integration");

export type IntegrationDocument = z.infer<typeof integrationSchema>;

/** The endpoint of an integration; `publicUrl` null: nobody said where the ingress is. */
export function toEndpoint(slug: string, publicUrl: string | null): z.infer<typeof endpointSchema> {
  const path = webhookUrl("", slug);
  return publicUrl === null
    ? {
        path,
        url: null,
        note: "Put the address of the ingress before the path, or set SLUICE_PUBLIC_URL to it.",
      }
    : { path, url: webhookUrl(publicUrl, slug), note: null };
}

/** What is shown of a credential. */
export function toCredentialDocument(
  record: Pick<
    IntegrationRecord,
    "credentialKind" | "credentialEmail" | "credentialExpiresAt" | "credentialCiphertext"
  >,
): z.infer<typeof credentialSchema> {
  return {
    kind: record.credentialKind,
    email: record.credentialEmail,
    expires_at: record.credentialExpiresAt === null ? null : toRfc3339(record.credentialExpiresAt),
    is_set: record.credentialCiphertext !== null,
  };
}

/** An integration as this key may see it. */
export function toIntegrationDocument(
  record: IntegrationRecord,
  context: {
    readonly access: Access;
    readonly health: CredentialHealth | null;
    readonly publicUrl: string | null;
  },
): IntegrationDocument {
  const { id, name, spaceId, space, labels, description } = record;
  const { access, health, publicUrl } = context;
  return {
    id,
    name,
    default: spaceId === null,
    space_id: spaceId,
    space,
    labels: [...labels],
    description,
    details: seesDetails(access, spaceId) ? toDetails(record, health, publicUrl) : null,
  };
}

/** Rule 2. Of what belongs to no space only admins of the root are within reach. */
function seesDetails({ role, reach }: Access, spaceId: string | null): boolean {
  return mayDo(role, "admin") && isWithinReach(reach, spaceId);
}

/** What its `ETag` is made of: a check of the credential makes no other version. */
export function versionOf({ details, ...rest }: IntegrationDocument): unknown {
  return { ...rest, details: details === null ? null : { ...details, health: null } };
}

function toDetails(
  record: IntegrationRecord,
  health: CredentialHealth | null,
  publicUrl: string | null,
): z.infer<typeof detailsSchema> {
  return {
    slug: record.slug,
    endpoint: toEndpoint(record.slug, publicUrl),
    credential: toCredentialDocument(record),
    health: health === null ? null : toHealthDocument(health),
    checks: record.checksMode,
    calls_per_hour: record.callsPerHour,
    enabled: record.enabled,
    created_at: record.createdAt,
    updated_at: record.updatedAt,
  };
}

function toHealthDocument(health: CredentialHealth): z.infer<typeof healthSchema> {
  return {
    state: health.state,
    since: health.since,
    http_status: health.httpStatus,
    message: health.message,
    checked_at: health.checkedAt,
    next_check_at: health.nextCheckAt,
    scopes: health.scopes === null ? null : [...health.scopes],
  };
}
