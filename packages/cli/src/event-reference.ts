/** What a person names an event by on the command line. */
import type { EventReference } from "@sluice/store/event-references";
import { z } from "zod";

import { usageInvalid } from "./usage-error.ts";

const BRACED = /^\{(.*)\}$/;
const COMMIT = /^[0-9a-f]{7,40}$/i;
/** Neither a workspace nor a repository has an `@`; a branch may have one. */
const BRANCH = /^([^/@\s]+\/[^/@\s]+)@(?:refs\/heads\/)?([^\s]+)$/;

/** `acme/infra#12`, or the address of any page of the pull request, with what browsers show before and behind it. */
const PULL_REQUEST =
  /^(?:(?:https?:\/\/)?bitbucket\.org\/([^/@#?\s]+\/[^/@#?\s]+)\/pull-requests\/|([^/@#\s]+\/[^/@#\s]+)#)([1-9]\d{0,8})(?:[/?#]\S*)?$/i;

/** @throws AppError `usage_invalid` for what can name no event. */
export function parseEventReference(text: string): EventReference {
  // Bitbucket writes some of its UUIDs in braces.
  const id = BRACED.exec(text)?.[1] ?? text;
  if (z.guid().safeParse(id).success) return { kind: "id", id: id.toLowerCase() };
  if (COMMIT.test(text)) return { kind: "commit", sha: text.toLowerCase() };
  const [, repository, branch] = BRANCH.exec(text) ?? [];
  if (repository !== undefined && branch !== undefined) return { kind: "branch", repository, branch };
  const [, ofPage, ofName, number] = PULL_REQUEST.exec(text) ?? [];
  const destination = ofPage ?? ofName;
  if (destination !== undefined && number !== undefined) {
    return { kind: "pull_request", repository: destination, number: Number(number) };
  }
  throw usageInvalid(
    `${text} names no event: give the id of a delivery, a request, an event or a trigger, 7 to 40 digits of a commit, workspace/repository@branch, or a pull request as workspace/repository#12`,
  );
}
