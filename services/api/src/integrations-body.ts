/** What is sent of integrations. */
import { z } from "@hono/zod-openapi";
import { parseCheckPlace, type CheckPlace } from "@sluice/bitbucket/credential-check";
import { integrationSlug } from "@sluice/store/integration-slug";

import { entryLabel, entryName, storable, storableTime } from "./body-text.ts";

const MAX_DESCRIPTION_BYTES = 16 * 1024;
const MAX_LABELS = 100;
const MAX_CALLS_PER_HOUR = 100_000;
/** Bitbucket's own limit. */
const DEFAULT_CALLS_PER_HOUR = 1_000;
const MAX_TOKEN_LENGTH = 4_096;
const MAX_EMAIL_LENGTH = 320;
const MAX_PLACE_LENGTH = 300;
const APP_PASSWORDS_GONE =
  "app passwords are refused: Bitbucket has removed them; make an API token with scopes (Atlassian account settings > Security > Create API token with scopes) and use api_token";

const token = z
  .string()
  .max(MAX_TOKEN_LENGTH)
  .regex(/^[\x21-\x7e]+$/, {
    error: "is empty or has a character that tokens do not have: copy it again",
  })
  .openapi({ description: "It is stored encrypted, and never shown again.", format: "password" });

const expiresAt = storableTime().optional().openapi({
  description: "When the token ends. Bitbucket does not tell, so that only this makes it known.",
});

/** How an integration signs in to Bitbucket. */
export const newCredentialSchema = z.discriminatedUnion(
  "kind",
  [
    z.strictObject({
      kind: z.literal("api_token"),
      email: z
        .string()
        .max(MAX_EMAIL_LENGTH)
        .regex(/^[^\s@:]+@[^\s@:]+$/, { error: "is not a mail address" })
        .openapi({ description: "Mail address of the Atlassian account that the token belongs to." }),
      token,
      expires_at: expiresAt,
    }),
    z.strictObject({ kind: z.literal("access_token"), token, expires_at: expiresAt }),
  ],
  {
    error: ({ input }) =>
      isAppPassword(input) ? APP_PASSWORDS_GONE : "is neither api_token nor access_token",
  },
);

/** What a credential is tried on. */
export const checkAgainst = z
  .string()
  .max(MAX_PLACE_LENGTH)
  .refine((text) => parseCheckPlace(text) !== null, {
    error: "is neither workspace/slug of a repository nor the name of a workspace",
  })
  .optional()
  .openapi({
    description:
      "A repository (`workspace/slug`) or a workspace to try the credential on. Default: a repository that a stack or module of the integration uses.",
    example: "acme/infrastructure",
  });

const settingsShape = {
  labels: z.array(entryLabel()).max(MAX_LABELS).default([]),
  description: storable(z.string())
    .refine((text) => Buffer.byteLength(text) <= MAX_DESCRIPTION_BYTES, {
      error: `is larger than ${String(MAX_DESCRIPTION_BYTES)} bytes`,
    })
    .default("")
    .openapi({
      description: "Markdown, at most 16 KiB. It is kept as it is, and shown as text.",
    }),
  checks: z
    .enum(["individual", "aggregated", "all"])
    .default("individual")
    .openapi({ description: "Which commit statuses are sent: one a target, one for all, or both." }),
  calls_per_hour: z
    .int()
    .min(1)
    .max(MAX_CALLS_PER_HOUR)
    .default(DEFAULT_CALLS_PER_HOUR)
    .openapi({ description: "Calls to Bitbucket that the credential may make in an hour." }),
  enabled: z.boolean().default(true).openapi({
    description:
      "`false`: webhooks are verified and kept, and make nothing; Bitbucket is not looked at by sweeps.",
  }),
};

const isDefault = z
  .boolean()
  .optional()
  .openapi({ description: "`true`: the one integration that every space may use." });
const space = entryName()
  .optional()
  .openapi({ description: "Name of the space that owns it. Either this or `default`." });

/** A new integration. */
export const newIntegrationSchema = z
  .strictObject({
    name: entryName()
      .refine((name) => integrationSlug(name) !== null, {
        error: "has no letter or digit that the endpoint could be named by",
      })
      .openapi({
        description: "Unique, and never changed: the webhook endpoint is made from it.",
        example: "acme",
      }),
    default: isDefault,
    space,
    credential: newCredentialSchema,
    check_against: checkAgainst,
    ...settingsShape,
  })
  .refine((body) => (body.default === true) !== (body.space !== undefined), {
    error: "give either default: true or a space",
    path: ["space"],
  })
  .openapi("NewIntegration");

/** What an integration becomes; what is left out gets its default. */
export const integrationReplacementSchema = z
  .strictObject({
    name: entryName().optional().openapi({ description: "As it is: a name never changes." }),
    default: isDefault.openapi({ description: "As it is: an integration stays where it is." }),
    space: space.openapi({ description: "As it is: an integration stays where it is." }),
    ...settingsShape,
  })
  .openapi("IntegrationReplacement");

export type NewCredential = z.output<typeof newCredentialSchema>;
export type NewIntegration = z.output<typeof newIntegrationSchema>;
export type IntegrationReplacement = z.output<typeof integrationReplacementSchema>;

/** The place of `checkAgainst`; null when none was named. */
export function placeOf(text: string | undefined): CheckPlace | null {
  return text === undefined ? null : parseCheckPlace(text);
}

function isAppPassword(input: unknown): boolean {
  return typeof input === "object" && input !== null && "kind" in input && input.kind === "app_password";
}
