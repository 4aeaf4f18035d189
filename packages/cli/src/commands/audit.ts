import type { Command } from "commander";

import type { RunCommand } from "../cli-context.ts";
import { withListOptions } from "../over-api/api-options.ts";
import type { ListAuditOptions } from "../over-api/audit-log.ts";

const HELP = `
Examples:
  $ sluice audit list
  $ sluice audit list --action webhook_secret.seen --all --json`;

/** `sluice audit` */
export function addAuditCommand(program: Command, run: RunCommand): void {
  const audit = program
    .command("audit")
    .description("who changed what, and who looked at which secret")
    .addHelpText("after", HELP);
  withListOptions(
    audit
      .command("list")
      .description("list changes and looks at secrets, the newest first")
      .option("--subject <id>", "only what was done to this")
      .option("--action <name>", "only this, such as api_key.created"),
  ).action((options: ListAuditOptions) =>
    run(async (context) => (await import("../over-api/audit-log.ts")).listAudit(options, context)),
  );
}
