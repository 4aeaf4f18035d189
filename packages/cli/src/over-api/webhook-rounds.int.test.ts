import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, beforeEach, expect, test } from "vitest";

import { runTestCli } from "../test-cli-run.ts";

const ACTION = {
  kind: "create",
  hook_id: null,
  reasons: ["missing"],
  current_url: null,
  url: "https://s.example.com/h",
};
const COMMON = { covered_by_workspace: false, drift: [], problem: null, manual: null };
const planned = (name: string) => ({ ...COMMON, name, state: "read", actions: [ACTION] });
const handled = (name: string, state: string, done: number, left: number) => ({
  ...COMMON,
  name,
  state,
  done: Array.from({ length: done }, () => ACTION),
  left: Array.from({ length: left }, () => ACTION),
  is_uncertain: false,
});
const PLAN = { items: [planned("acme/a"), planned("acme/b")], next_cursor: null, plan_digest: "d" };
const APPLY = ["webhook", "apply", "00000000-0000-4000-8000-000000000001", "--targets", "--yes", "--json"];

let answers: unknown[];
let asked: number;
let url: string;
let close: () => Promise<void>;

/** An API that answers as it is told: a Bitbucket that is slow enough for several rounds would make a slow test. */
beforeEach(async () => {
  asked = 0;
  const server = createServer((request, response) => {
    const isApply = request.url?.endsWith("/apply") === true;
    if (isApply) asked += 1;
    const integration = {
      id: "i",
      name: "acme",
      default: true,
      space: null,
      labels: [],
      description: "",
      details: null,
    };
    const answer = isApply ? answers.shift() : request.url?.endsWith("/plan") === true ? PLAN : integration;
    response.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  close = () => new Promise((resolve) => void server.close(() => resolve()));
});

afterEach(async () => {
  await close();
});

const apply = async () => {
  const { code, out } = await runTestCli(APPLY, { environment: { SLUICE_URL: url, SLUICE_API_KEY: "k" } });
  return { code, answer: JSON.parse(out) as unknown };
};

test("where time was all that was missing it is asked for again, and all that was done is told", async () => {
  answers = [
    { items: [handled("acme/a", "incomplete", 1, 1)], not_reached: ["acme/b"], is_complete: false },
    { items: [handled("acme/a", "applied", 1, 0)], not_reached: ["acme/b"], is_complete: false },
    {
      items: [handled("acme/a", "unchanged", 0, 0), handled("acme/b", "applied", 1, 0)],
      not_reached: [],
      is_complete: true,
    },
  ];
  expect(await apply()).toMatchObject({
    code: 0,
    answer: {
      is_complete: true,
      items: [
        { name: "acme/a", state: "applied", done: [ACTION, ACTION], left: [] },
        { name: "acme/b", state: "applied", done: [ACTION] },
      ],
    },
  });
});

test("where nothing gets further, or something is wrong, it is not asked for again", async () => {
  const stuck = {
    items: [handled("acme/a", "incomplete", 0, 1)],
    not_reached: ["acme/b"],
    is_complete: false,
  };
  answers = [stuck];
  expect(await apply()).toMatchObject({ code: 1, answer: { is_complete: false, not_reached: ["acme/b"] } });
  const problem = { code: "bitbucket_forbidden", message: "no", retry_after_ms: null };
  answers = [{ ...stuck, items: [{ ...handled("acme/a", "incomplete", 1, 1), problem }] }];
  expect(await apply()).toMatchObject({ code: 1, answer: { is_complete: false } });
  expect(asked).toBe(2);
});
