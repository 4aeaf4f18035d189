/** What a person can make happen in a simulated repository, a line each. */
import { AppError } from "@sluice/domain/app-error";

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
  | { readonly kind: "open"; readonly branch: string; readonly title: string }
  | { readonly kind: "merge"; readonly number: number }
  | { readonly kind: "comment"; readonly number: number; readonly text: string }
  | { readonly kind: "wait"; readonly seconds: number };

const FORMS = {
  push: "push <branch> <path>...",
  "force-push": "force-push <branch> <path>...",
  "delete-branch": "delete-branch <branch>",
  tag: "tag <name>",
  open: "open <branch> [title]",
  merge: "merge <number>",
  comment: "comment <number> <text>",
  wait: "wait <seconds>",
} as const;
const MAX_WAIT_S = 3_600;

/** The action of a line; null for an empty one or a remark (`#`). @throws AppError `usage_invalid`. */
export function parseSimulatedAction(line: string): SimulatedAction | null {
  const words = line.trim().split(/\s+/);
  const [verb = "", first, ...rest] = words;
  if (verb === "" || verb.startsWith("#")) return null;
  switch (verb) {
    case "push":
    case "force-push":
      if (first === undefined || rest.length === 0) throw wrongForm(verb);
      return { kind: "push", branch: first, paths: rest, isForced: verb === "force-push" };
    case "delete-branch":
      if (first === undefined) throw wrongForm(verb);
      return { kind: "delete_branch", branch: first };
    case "tag":
      if (first === undefined) throw wrongForm(verb);
      return { kind: "tag", name: first };
    case "open":
      if (first === undefined) throw wrongForm(verb);
      return { kind: "open", branch: first, title: rest.join(" ") || first };
    case "merge":
      return { kind: "merge", number: parseNumber(first, verb) };
    case "comment":
      if (rest.length === 0) throw wrongForm(verb);
      return { kind: "comment", number: parseNumber(first, verb), text: rest.join(" ") };
    case "wait":
      return { kind: "wait", seconds: Math.min(parseNumber(first, verb), MAX_WAIT_S) };
    default:
      throw new AppError("usage_invalid", `there is no ${verb}: write ${Object.values(FORMS).join(" | ")}`, {
        retry: "never",
      });
  }
}

function parseNumber(text: string | undefined, verb: keyof typeof FORMS): number {
  const number = Number(text);
  if (text === undefined || !/^\d+$/.test(text) || number < 1) throw wrongForm(verb);
  return number;
}

function wrongForm(verb: keyof typeof FORMS): AppError {
  return new AppError("usage_invalid", `write ${FORMS[verb]}`, { retry: "never" });
}
