import { ROLES, type Role } from "@sluice/domain/access";
import { type Command, Option } from "commander";

import type { RunCommand } from "../cli-context.ts";
import type { CreateKeyOptions } from "../over-api/api-keys.ts";
import {
  type AgreeOptions,
  type ApiOptions,
  type ListOptions,
  withAgreement,
  withApiOptions,
  withListOptions,
} from "../over-api/api-options.ts";

const HELP = `
A key has one role on one space, and below it where spaces inherit. (\`sluice keys\` is about those that encrypt.)

Examples:
  $ sluice key list
  $ sluice key create runner --role scheduler --space payments --expires 90d > runner.key
  $ sluice key revoke runner`;

const load = () => import("../over-api/api-keys.ts");

/** `sluice key` */
export function addKeyCommand(program: Command, run: RunCommand): void {
  const key = program.command("key").description("keys of the API").addHelpText("after", HELP);
  withListOptions(key.command("list").description("list keys, also revoked ones")).action(
    (options: ListOptions) => run(async (context) => (await load()).listKeys(options, context)),
  );
  withApiOptions(
    key
      .command("create")
      .description("make a key, and print it, this once")
      .argument("<name>", "unique among those of its space")
      .addOption(new Option("--role <role>", "what it may do").choices(ROLES).makeOptionMandatory())
      .option("--space <name>", "the space that it may do it in", "root")
      .option("--expires <when>", "in 90d, or at 2027-01-31, or at 2027-01-31T12:00:00Z; default: never"),
  ).action((name: string, options: CreateKeyOptions & { readonly role: Role }) =>
    run(async (context) => (await load()).createKey(name, options, context)),
  );
  withApiOptions(
    key
      .command("show")
      .description("show a key, without itself")
      .argument("<key>", "its id, its name, or its beginning as it is listed"),
  ).action((reference: string, options: ApiOptions) =>
    run(async (context) => (await load()).showKey(reference, options, context)),
  );
  withAgreement(
    key
      .command("revoke")
      .description("revoke a key, for good")
      .argument("<key>", "its id, its name, or its beginning as it is listed"),
  ).action((reference: string, options: AgreeOptions) =>
    run(async (context) => (await load()).revokeKey(reference, options, context)),
  );
}
