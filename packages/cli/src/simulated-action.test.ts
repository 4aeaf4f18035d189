import { expect, test } from "vitest";

import { parseSimulatedAction } from "./simulated-action.ts";

test.each([
  ["push main a.tf -b.tf", { kind: "push", branch: "main", paths: ["a.tf", "-b.tf"], isForced: false }],
  ["  force-push   feature/x a.tf ", { kind: "push", branch: "feature/x", paths: ["a.tf"], isForced: true }],
  ["delete-branch feature/x", { kind: "delete_branch", branch: "feature/x" }],
  ["tag v1.2.3", { kind: "tag", name: "v1.2.3" }],
  ["open feature/x", { kind: "open", branch: "feature/x", title: "feature/x", isDraft: false }],
  [
    "open feature/x A new network",
    { kind: "open", branch: "feature/x", title: "A new network", isDraft: false },
  ],
  ["open-draft feature/x", { kind: "open", branch: "feature/x", title: "feature/x", isDraft: true }],
  ["edit 3 A better title", { kind: "edit", number: 3, title: "A better title" }],
  ["draft 3", { kind: "set_draft", number: 3, isDraft: true }],
  ["ready 3", { kind: "set_draft", number: 3, isDraft: false }],
  ["approve 3", { kind: "approve", number: 3, user: null }],
  ["approve 3 Ada Lovelace", { kind: "approve", number: 3, user: "Ada Lovelace" }],
  ["unapprove 3", { kind: "unapprove", number: 3, user: null }],
  ["request-changes 3", { kind: "request_changes", number: 3, user: null }],
  ["unrequest-changes 3 Ada", { kind: "unrequest_changes", number: 3, user: "Ada" }],
  ["merge 3", { kind: "merge", number: 3 }],
  ["decline 3", { kind: "decline", number: 3, reason: "" }],
  ["decline 3 Not now", { kind: "decline", number: 3, reason: "Not now" }],
  ["comment 3 /sluice propose", { kind: "comment", number: 3, text: "/sluice propose" }],
  ["faults off", { kind: "end_faults" }],
  ["release", { kind: "release", isReversed: false }],
  ["release reversed", { kind: "release", isReversed: true }],
  ["fault webhook lose 2", { kind: "webhook_fault", fault: { kind: "lose" }, times: 2, eventKey: null }],
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
  ["merge 3 now", "write merge <number>"],
  ["comment 3", "write comment <number> <text>"],
  ["tag", "write tag <name>"],
  ["delete-branch a b", "write delete-branch <branch>"],
  ["edit 3", "write edit <number> <title>"],
  ["draft 3 yes", "write draft <number>"],
  ["approve Ada 3", "write approve <number> [user]"],
  ["request-changes", "write request-changes <number> [user]"],
  ["unrequest-changes", "write unrequest-changes <number> [user]"],
  ["decline Not now", "write decline <number> [reason]"],
  ["faults", "write faults off"],
  ["release twice", "write release [reversed]"],
  ["wait 2 seconds", "write wait <seconds>"],
  ["fault", "write fault webhook <duplicate|lose|hold|delay[=seconds]> [times] [event] | fault api <429"],
])("says how to write %j", (line, message) => {
  expect(() => parseSimulatedAction(line)).toThrow(message);
});

test("names what there is for a verb that there is not", () => {
  expect(() => parseSimulatedAction("pull main")).toThrow(
    /^there is no pull: write push <branch> <path>\.\.\. \| /,
  );
  expect(() => parseSimulatedAction("constructor 1")).toThrow(/^there is no constructor: /);
});
