import { expect, test } from "vitest";
import { parseQuery } from "./rest-query.ts";

test.each([
  ['state="OPEN"', [{ field: "state", value: "OPEN" }]],
  [
    ' state = "OPEN"  and  source.branch.name="x" ',
    [
      { field: "state", value: "OPEN" },
      { field: "source.branch.name", value: "x" },
    ],
  ],
  [String.raw`title="say \"hi\" \\ bye"`, [{ field: "title", value: String.raw`say "hi" \ bye` }]],
  ['title="this AND that"', [{ field: "title", value: "this AND that" }]],
  ['title=""', [{ field: "title", value: "" }]],
])("reads %s", (query, conditions) => {
  expect(parseQuery(query)).toEqual(conditions);
});

test.each([
  "",
  "state",
  "state=OPEN",
  'state="OPEN',
  String.raw`state="OPEN\"`,
  'state="OPEN" AND ',
  'state="OPEN" title="x"',
  'state="OPEN" OR title="x"',
])("does not pretend to understand %s", (query) => {
  expect(parseQuery(query)).toBeNull();
});

test.each([`"`, "\\", String.raw`\"`, String.raw`"\\" AND state="OPEN`, "two\nlines", "größer 🦥", "'"])(
  "what is quoted with escapes is read as it was: %j",
  (text) => {
    const quoted = `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
    expect(parseQuery(`title=${quoted} AND title=${quoted}`)).toEqual([
      { field: "title", value: text },
      { field: "title", value: text },
    ]);
  },
);
