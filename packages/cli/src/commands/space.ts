import type { Command } from "commander";

import type { RunCommand } from "../cli-context.ts";
import {
  type AgreeOptions,
  type ApiOptions,
  type ListOptions,
  withAgreement,
  withApiOptions,
  withListOptions,
} from "../over-api/api-options.ts";
import type { CreateSpaceOptions, UpdateSpaceOptions } from "../over-api/spaces.ts";

const HELP = `
Examples:
  $ sluice space list
  $ sluice space create payments --parent teams --inherit
  $ sluice space update payments --parent root --no-inherit
  $ sluice space delete payments`;

const load = () => import("../over-api/spaces.ts");

/** `sluice space` */
export function addSpaceCommand(program: Command, run: RunCommand): void {
  const space = program
    .command("space")
    .description("spaces, the tree that all belongs to")
    .addHelpText("after", HELP);
  withListOptions(space.command("list").description("list spaces, each below its parent")).action(
    (options: ListOptions) => run(async (context) => (await load()).listSpaces(options, context)),
  );
  withApiOptions(
    space
      .command("create")
      .description("make a space")
      .argument("<name>", "unique, and never changed")
      .option("--parent <name>", "the space that it is in", "root")
      .option(
        "--inherit",
        "integrations of its parent can be used in it, and keys of its parent reach it",
        false,
      ),
  ).action((name: string, options: CreateSpaceOptions) =>
    run(async (context) => (await load()).createSpace(name, options, context)),
  );
  withApiOptions(
    space.command("show").description("show a space").argument("<space>", "its name or its id"),
  ).action((reference: string, options: ApiOptions) =>
    run(async (context) => (await load()).showSpace(reference, options, context)),
  );
  withApiOptions(
    space
      .command("update")
      .description("move a space, or change what it inherits")
      .argument("<space>", "its name or its id")
      .option("--parent <name>", "the space that it is to be in")
      .option("--inherit", "integrations of its parent can be used in it, and keys of its parent reach it")
      .option("--no-inherit", "they cannot, and do not"),
  ).action((reference: string, options: UpdateSpaceOptions) =>
    run(async (context) => (await load()).updateSpace(reference, options, context)),
  );
  withAgreement(
    space.command("delete").description("delete an empty space").argument("<space>", "its name or its id"),
  ).action((reference: string, options: AgreeOptions) =>
    run(async (context) => (await load()).deleteSpace(reference, options, context)),
  );
}
