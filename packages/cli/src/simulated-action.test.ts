import { expect, test } from "vitest";

import { parseSimulatedAction } from "./simulated-action.ts";

test.each([
  ["push main a.tf -b.tf", { kind: "push", branch: "main", paths: ["a.tf", "-b.tf"], isForced: false }],
  ["  force-push   feature/x a.tf ", { kind: "push", branch: "feature/x", paths: ["a.tf"], isForced: true }],
  ["delete-branch feature/x", { kind: "delete_branch", branch: "feature/x" }],
  ["tag v1.2.3", { kind: "tag", name: "v1.2.3" }],
  ["open feature/x", { kind: "open", branch: "feature/x", title: "feature/x" }],
  ["open feature/x A new network", { kind: "open", branch: "feature/x", title: "A new network" }],
  ["merge 3", { kind: "merge", number: 3 }],
  ["comment 3 /sluice propose", { kind: "comment", number: 3, text: "/sluice propose" }],
  ["wait 2", { kind: "wait", seconds: 2 }],
  ["", null],
  ["# push main a.tf", null],
])("reads %j", (line, action) => {
  expect(parseSimulatedAction(line)).toEqual(action);
});

test.each([
  ["push main", "write push <branch> <path>..."],
  ["merge first", "write merge <number>"],
  ["merge 0", "write merge <number>"],
  ["comment 3", "write comment <number> <text>"],
])("says how to write %j", (line, message) => {
  expect(() => parseSimulatedAction(line)).toThrow(message);
});

test("names what there is for a verb that there is not", () => {
  expect(() => parseSimulatedAction("pull main")).toThrow(
    /^there is no pull: write push <branch> <path>\.\.\. \| /,
  );
});
