/** What a person names an event by on the command line. */
import { AppError } from "@sluice/domain/app-error";
import type { EventReference } from "@sluice/store/event-references";
import { z } from "zod";

const BRACED = /^\{(.*)\}$/;
const COMMIT = /^[0-9a-f]{7,40}$/i;
/** Neither a workspace nor a repository has an `@`; a branch may have one. */
const BRANCH = /^([^/@\s]+\/[^/@\s]+)@(?:refs\/heads\/)?([^\s]+)$/;

/** @throws AppError `usage_invalid` for what can name no event. */
export function parseEventReference(text: string): EventReference {
  // Bitbucket writes some of its UUIDs in braces.
  const id = BRACED.exec(text)?.[1] ?? text;
  if (z.guid().safeParse(id).success) return { kind: "id", id: id.toLowerCase() };
  if (COMMIT.test(text)) return { kind: "commit", sha: text.toLowerCase() };
  const [, repository, branch] = BRANCH.exec(text) ?? [];
  if (repository !== undefined && branch !== undefined) return { kind: "branch", repository, branch };
  throw new AppError(
    "usage_invalid",
    `${text} names no event: give the id of a delivery, a request, an event or a trigger, 7 to 40 digits of a commit, or workspace/repository@branch`,
    { retry: "never" },
  );
}
