/** What a person can make happen in a simulated repository, a line each. */

import { FAULT_FORMS, parseSimulatedFault, type SimulatedFault } from "./simulated-fault.ts";
import { usageInvalid } from "./usage-error.ts";

/** One thing that happens. */
export type SimulatedAction =
  | {
      readonly kind: "push";
      readonly branch: string;
      /** Changed files; a path after `-` is deleted. */
      readonly paths: readonly string[];
      readonly isForced: boolean;
    }
  | { readonly kind: "delete_branch"; readonly branch: string }
  | { readonly kind: "tag"; readonly name: string }
  | { readonly kind: "open"; readonly branch: string; readonly title: string; readonly isDraft: boolean }
  | { readonly kind: "edit"; readonly number: number; readonly title: string }
  | { readonly kind: "set_draft"; readonly number: number; readonly isDraft: boolean }
  | {
      readonly kind: "approve" | "unapprove" | "request_changes" | "unrequest_changes";
      readonly number: number;
      /** A display name; null = a reviewer who is not the author. */
      readonly user: string | null;
    }
  | { readonly kind: "merge"; readonly number: number }
  | { readonly kind: "decline"; readonly number: number; readonly reason: string }
  | { readonly kind: "comment"; readonly number: number; readonly text: string }
  | SimulatedFault
  | { readonly kind: "end_faults" }
  | { readonly kind: "release"; readonly isReversed: boolean }
  | { readonly kind: "wait"; readonly seconds: number };

const FORMS = {
  push: "push <branch> <path>...",
  "force-push": "force-push <branch> <path>...",
  "delete-branch": "delete-branch <branch>",
  tag: "tag <name>",
  open: "open <branch> [title]",
  "open-draft": "open-draft <branch> [title]",
  edit: "edit <number> <title>",
  draft: "draft <number>",
  ready: "ready <number>",
  approve: "approve <number> [user]",
  unapprove: "unapprove <number> [user]",
  "request-changes": "request-changes <number> [user]",
  "unrequest-changes": "unrequest-changes <number> [user]",
  merge: "merge <number>",
  decline: "decline <number> [reason]",
  comment: "comment <number> <text>",
  fault: FAULT_FORMS.join(" | "),
  faults: "faults off",
  release: "release [reversed]",
  wait: "wait <seconds>",
} as const;
type Verb = keyof typeof FORMS;
const MAX_WAIT_S = 3_600;

/** The action of a line; null for an empty one or a remark (`#`). @throws AppError `usage_invalid`. */
export function parseSimulatedAction(line: string): SimulatedAction | null {
  const [verb = "", ...words] = line.trim().split(/\s+/);
  if (verb === "" || verb.startsWith("#")) return null;
  if (!isVerb(verb)) throw usageInvalid(`there is no ${verb}: write ${Object.values(FORMS).join(" | ")}`);
  const action = parseWords(verb, words);
  if (action === null) throw usageInvalid(`write ${FORMS[verb]}`);
  return action;
}

function isVerb(text: string): text is Verb {
  return Object.hasOwn(FORMS, text);
}

/** null when the words do not fit the verb. */
function parseWords(verb: Verb, words: readonly string[]): SimulatedAction | null {
  const [first, ...rest] = words;
  switch (verb) {
    case "fault":
      return parseSimulatedFault(words);
    case "faults":
      return first === "off" && rest.length === 0 ? { kind: "end_faults" } : null;
    case "release":
      if (rest.length > 0 || (first !== undefined && first !== "reversed")) return null;
      return { kind: "release", isReversed: first === "reversed" };
    case "push":
    case "force-push":
    case "delete-branch":
    case "tag":
    case "open":
    case "open-draft":
      return first === undefined ? null : parseRefWords(verb, first, rest);
    default: {
      const number = parseNumber(first);
      return number === null ? null : parseNumberWords(verb, number, rest);
    }
  }
}

/** Verbs that a branch or a tag comes after. */
function parseRefWords(
  verb: "push" | "force-push" | "delete-branch" | "tag" | "open" | "open-draft",
  name: string,
  rest: readonly string[],
): SimulatedAction | null {
  switch (verb) {
    case "push":
    case "force-push":
      if (rest.length === 0) return null;
      return { kind: "push", branch: name, paths: rest, isForced: verb === "force-push" };
    case "delete-branch":
      return rest.length === 0 ? { kind: "delete_branch", branch: name } : null;
    case "tag":
      return rest.length === 0 ? { kind: "tag", name } : null;
    case "open":
    case "open-draft":
      return { kind: "open", branch: name, title: rest.join(" ") || name, isDraft: verb === "open-draft" };
  }
}

/** Verbs that a number comes after: of a pull request, but for `wait`. */
function parseNumberWords(
  verb: Exclude<Verb, Parameters<typeof parseRefWords>[0] | "fault" | "faults" | "release">,
  number: number,
  rest: readonly string[],
): SimulatedAction | null {
  const text = rest.join(" ");
  switch (verb) {
    case "edit":
      return text === "" ? null : { kind: "edit", number, title: text };
    case "draft":
    case "ready":
      return text === "" ? { kind: "set_draft", number, isDraft: verb === "draft" } : null;
    case "approve":
    case "unapprove":
      return { kind: verb, number, user: text || null };
    case "request-changes":
      return { kind: "request_changes", number, user: text || null };
    case "unrequest-changes":
      return { kind: "unrequest_changes", number, user: text || null };
    case "merge":
      return text === "" ? { kind: "merge", number } : null;
    case "decline":
      return { kind: "decline", number, reason: text };
    case "comment":
      return text === "" ? null : { kind: "comment", number, text };
    case "wait":
      return text === "" ? { kind: "wait", seconds: Math.min(number, MAX_WAIT_S) } : null;
  }
}

/** From 1 on; null for anything else. */
function parseNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d+$/.test(text) && Number(text) >= 1 ? Number(text) : null;
}
