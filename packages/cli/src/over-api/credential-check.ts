/** What a credential may do at Bitbucket, in words. */
import { z } from "zod";

import { toOneLine } from "../one-line.ts";

const abilitySchema = z.looseObject({
  answer: z.enum(["yes", "no", "unknown"]),
  said: z.string(),
  remedy: z.string().nullable(),
});

/** The API's answer to a check. */
export const credentialCheckSchema = z.looseObject({
  verdict: z.enum(["ok", "refused", "unknown"]),
  repository: z.string().nullable(),
  expires_at: z.string().nullable(),
  read_repository: abilitySchema,
  read_pull_request: abilitySchema,
  webhooks: abilitySchema,
});

/** One of them. */
export type CredentialCheck = z.output<typeof credentialCheckSchema>;

const VERDICTS = {
  ok: "Bitbucket accepts the credential",
  refused: "Bitbucket refuses the credential: it is wrong, expired or revoked",
  unknown: "It could not be found out whether Bitbucket accepts the credential",
} as const;

/** A line for the whole, and one for each ability, with what mends it below. */
export function describeCheck(check: CredentialCheck): string {
  const about = check.repository === null ? "" : `, asked about ${check.repository}`;
  const end = check.expires_at === null ? "" : ` It ends ${check.expires_at}.`;
  return [
    `${VERDICTS[check.verdict]}${about}.${end}`,
    ...describeAbility("read repositories", check.read_repository),
    ...describeAbility("read pull requests", check.read_pull_request),
    ...describeAbility("read webhooks", check.webhooks),
  ]
    .map((line) => `${toOneLine(line)}\n`)
    .join("");
}

function describeAbility(what: string, { answer, said, remedy }: z.output<typeof abilitySchema>): string[] {
  return [
    `  ${what}: ${answer}${answer === "yes" ? "" : `. ${said}`}`,
    ...(remedy === null ? [] : [`    ${remedy}`]),
  ];
}
