import fc from "fast-check";
import { describe, expect, test } from "vitest";

import {
  commandText,
  MAX_COMMAND_TARGETS,
  parseCommentCommand,
  type CommentCommand,
} from "./comment-command.ts";

const parse = (text: string, prefixes?: readonly string[]) =>
  parseCommentCommand({ text, isDeleted: false }, prefixes);
const propose = (...targets: string[]): CommentCommand => ({ kind: "propose", targets });

describe("a comment is a command when it begins with the command word (rule 24)", () => {
  test.each([
    ["/sluice propose", propose()],
    ["  \n\t/sluice  propose  ", propose()],
    ["/sluice propose network", propose("network")],
    ["/sluice propose network\tdns", propose("network", "dns")],
    ["/sluice\u00a0propose\u00a0network", propose("network")],
    ["/sluice propose network\r\nplease, and soon", propose("network")],
    ["/sluice deploy network", { kind: "deploy", target: "network" }],
    ["/sluice unlock network", { kind: "unlock", targets: ["network"] }],
    ["/sluice status", { kind: "status", targets: [] }],
    ["/sluice help", { kind: "help", targets: [] }],
  ] as const)("%j", (text, command) => {
    expect(parse(text)).toEqual(command);
  });

  test.each([
    "",
    "please /sluice propose",
    "/sluicer propose",
    "/sluice: propose",
    "/SLUICE propose",
    "> /sluice propose",
    "Looks good.\n/sluice deploy network",
    "sluice propose",
  ])("%j is none", (text) => {
    expect(parse(text)).toEqual({ kind: "not_a_command" });
  });

  test("a deleted comment is none, whatever it said", () => {
    const deleted = parseCommentCommand({ text: "/sluice deploy network", isDeleted: true });
    expect(deleted).toEqual({ kind: "not_a_command" });
  });

  test("the words are those of the list, and no others", () => {
    expect(parse("/infra propose", ["/sluice", "/infra"])).toEqual(propose());
    expect(parse("/sluice propose", ["/infra"])).toEqual({ kind: "not_a_command" });
    expect(parse("propose", [""])).toEqual({ kind: "not_a_command" });
  });
});

describe("a name", () => {
  test.each([
    ['"my stack"', "my stack"],
    ["'my stack'", "my stack"],
    ["“my stack”", "my stack"],
    ["‘my stack’", "my stack"],
    [String.raw`"the \"old\" stack"`, 'the "old" stack'],
    [String.raw`'it\'s here'`, "it's here"],
    [String.raw`my\_stack`, "my_stack"],
    [String.raw`a\b`, String.raw`a\b`],
    [String.raw`a\\b`, String.raw`a\b`],
    ["it's", "it's"],
    ["données-réseau", "données-réseau"],
    ["網路", "網路"],
    ["🚀", "🚀"],
    ['"two  blanks"', "two  blanks"],
  ])("is read from %s", (typed, name) => {
    expect(parse(`/sluice deploy ${typed}`)).toEqual({ kind: "deploy", target: name });
  });
});

describe("a comment that begins as a command does and is none says what is wrong", () => {
  test.each([
    ["/sluice", "nothing follows /sluice"],
    ["/sluice \n deploy network", "nothing follows /sluice"],
    ["/sluice aply network", '"aply" is not a command'],
    ["/sluice Deploy network", '"Deploy" is not a command'],
    ["/sluice deploy", "deploy takes the name of one target"],
    ["/sluice deploy my stack", "deploy takes the name of one target"],
    ['/sluice deploy "my stack', 'the quote before "my stack" is not closed'],
    ['/sluice propose "a"b', 'a blank is missing behind "a"'],
    ['/sluice propose ""', "nothing between the quotes"],
  ])("%j", (text, because) => {
    expect(parse(text)).toEqual({ kind: "malformed", because: expect.stringContaining(because) });
  });

  test("too many names are refused, as many as are allowed are not", () => {
    const names = Array.from({ length: MAX_COMMAND_TARGETS }, (_, index) => `t${String(index)}`);
    expect(parse(`/sluice propose ${names.join(" ")}`)).toEqual(propose(...names));
    expect(parse(`/sluice propose ${names.join(" ")} one-more`)).toMatchObject({ kind: "malformed" });
  });

  test("a comment of 32 KB is read, and its sentence and its text stay short", () => {
    const text = `/sluice ${"🚀".repeat(16_000)}`;
    const command = parse(text);
    expect(command).toMatchObject({ kind: "malformed" });
    expect(command.kind === "malformed" ? command.because.length : 0).toBeLessThan(1_000);
    expect(commandText({ text }).length).toBeLessThan(1_000);
    expect(commandText({ text })).not.toMatch(/\p{Surrogate}/u);
  });
});

test("no text makes the parser throw, nor a command of what does not begin with the word", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc
      .array(fc.constantFrom("/sluice", "propose", "deploy", " ", "\n", '"', "'", "“", "\\", "a", "🚀"), {
        maxLength: 30,
      })
      .map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, (typed) => {
      const { kind } = parse(typed);
      const begins = /^\s*\/sluice(\s|$)/.test(typed);
      expect(kind === "not_a_command").toBe(!begins);
    }),
    { numRuns: 500 },
  );
});

test("a command that is printed is read again as it was", () => {
  const name = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 100 })
    .filter((text) => text.trim() === text && !/\p{Cc}/u.test(text));
  const command: fc.Arbitrary<CommentCommand> = fc.oneof(
    fc.record({
      kind: fc.constantFrom("propose", "unlock", "status", "help"),
      targets: fc.array(name, { maxLength: 5 }),
    }),
    fc.record({ kind: fc.constant("deploy" as const), target: name }),
  );
  fc.assert(
    fc.property(command, fc.constantFrom('"', "'"), (wanted, quote) => {
      expect(parse(print(wanted, quote))).toEqual(wanted);
    }),
    { numRuns: 500 },
  );
});

function print(command: CommentCommand, quote: string): string {
  if (command.kind === "not_a_command" || command.kind === "malformed") return "";
  const names = command.kind === "deploy" ? [command.target] : command.targets;
  const quoted = names.map((name) => quote + name.replaceAll(/[\\"'“”‘’]/g, (char) => escape(char)) + quote);
  return ["/sluice", command.kind, ...quoted].join(" ");
}

/** Curly quotes are no ASCII punctuation, and need nothing within straight ones. */
function escape(char: string): string {
  return /[\\"']/.test(char) ? `\\${char}` : char;
}
