import { expect, test } from "vitest";

import { parseSimulatedFault } from "./simulated-fault.ts";

test.each([
  ["duplicate", { fault: { kind: "duplicate" }, times: null, eventKey: null }],
  ["lose 1", { fault: { kind: "lose" }, times: 1, eventKey: null }],
  ["hold repo:push", { fault: { kind: "hold" }, times: null, eventKey: "repo:push" }],
  [
    "delay=2 3 pullrequest:comment_created",
    { fault: { kind: "delay", delayMs: 2_000 }, times: 3, eventKey: "pullrequest:comment_created" },
  ],
  ["delay", { fault: { kind: "delay", delayMs: 5_000 }, times: null, eventKey: null }],
])("reads fault webhook %s", (text, fault) => {
  expect(parseSimulatedFault(["webhook", ...text.split(" ")])).toEqual({ kind: "webhook_fault", ...fault });
});

test.each([
  ["429", { fault: { kind: "rate_limited" }, times: null, route: "*" }],
  ["429=7 2", { fault: { kind: "rate_limited", retryAfterSeconds: 7 }, times: 2, route: "*" }],
  ["503", { fault: { kind: "status", status: 503 }, times: null, route: "*" }],
  ["555 1 GET *diffstat*", { fault: { kind: "status", status: 555 }, times: 1, route: "GET *diffstat*" }],
  ["slow=30 */refs/*", { fault: { kind: "slow", delayMs: 30_000 }, times: null, route: "*/refs/*" }],
  ["wrong-json", { fault: { kind: "wrong_json" }, times: null, route: "*" }],
  ["cut-json", { fault: { kind: "cut_json" }, times: null, route: "*" }],
  ["html", { fault: { kind: "html" }, times: null, route: "*" }],
  ["reset", { fault: { kind: "reset" }, times: null, route: "*" }],
])("reads fault api %s", (text, fault) => {
  expect(parseSimulatedFault(["api", ...text.split(" ")])).toEqual({ kind: "api_fault", ...fault });
});

test.each([
  "",
  "webhook",
  "webhook 503",
  "webhook lose=3",
  "webhook lose 0",
  "webhook lose 1 push",
  "webhook lose 1 repo:push repo:push",
  "webhook delay=soon",
  "api lose",
  "api 200",
  "api 503=1",
  "api 503 1 diffstat",
  "api 503 1 get *diffstat*",
  "git lose",
])("does not know fault %s", (text) => {
  expect(parseSimulatedFault(text.split(" "))).toBeNull();
});
