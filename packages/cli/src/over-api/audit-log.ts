/** `sluice audit`: who changed what, and who looked at which secret. */
import { z } from "zod";

import { createApiClient } from "../api-client.ts";
import type { CliContext, ExitCode } from "../cli-context.ts";
import { findApi } from "../find-api.ts";
import type { ListOptions } from "./api-options.ts";
import { printList } from "./print-answer.ts";

const auditSchema = z.looseObject({
  at: z.string(),
  actor: z.looseObject({ kind: z.string(), name: z.string(), address: z.string().nullable() }),
  action: z.string(),
  subject: z.looseObject({ kind: z.string(), name: z.string() }),
});

/** Which lines are listed. */
export interface ListAuditOptions extends ListOptions {
  readonly subject?: string;
  readonly action?: string;
}

/** Lists the audit log, the newest first. */
export async function listAudit(options: ListAuditOptions, context: CliContext): Promise<ExitCode> {
  return printList(
    createApiClient(findApi(options.url, context)),
    {
      path: "/v1/audit-log",
      schema: auditSchema,
      query: { subject_id: options.subject, action: options.action },
      columns: [
        { title: "AT", of: ({ at }) => at },
        { title: "WHO", of: ({ actor }) => (actor.kind === "api_key" ? `key ${actor.name}` : actor.name) },
        { title: "FROM", of: ({ actor }) => actor.address },
        { title: "DID", of: ({ action }) => action },
        { title: "TO", of: ({ subject }) => `${subject.kind} ${subject.name}` },
      ],
      empty: "Nothing was changed yet, as far as this key sees.",
    },
    options,
    context,
  );
}
