import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { findApi, findApiUrl } from "./find-api.ts";
import { removeRunning, writeRunning } from "./running-environment.ts";

const EMBEDDED = { SLUICE_URL: "http://127.0.0.1:8081", SLUICE_BOOTSTRAP_KEY: "the-key-of-the-embedded-one" };
const ELSEWHERE = "https://sluice.example.com/api";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-find-api-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

const find = (given: string | undefined, environment: Record<string, string> = {}) =>
  findApi(given, {
    environment: { SLUICE_DATA_DIRECTORY: folder, ...environment },
    workingDirectory: "/",
    report: () => undefined,
  });

test("the option is before the variable, and neither keeps a slash at its end", () => {
  const environment = { SLUICE_URL: "https://other.example.com", SLUICE_API_KEY: "k" };
  expect(find(`${ELSEWHERE}/`, environment)).toEqual({ url: ELSEWHERE, key: "k" });
  expect(find(undefined, { ...environment, SLUICE_URL: `${ELSEWHERE}/` })).toEqual({
    url: ELSEWHERE,
    key: "k",
  });
});

test("the embedded one that runs here is found with its key, which is used for no other", async () => {
  await writeRunning(folder, EMBEDDED);
  const own = { url: "http://127.0.0.1:8081", key: "the-key-of-the-embedded-one" };
  expect(find(undefined)).toEqual(own);
  expect(find("http://127.0.0.1:8081/")).toEqual(own);
  expect(find(undefined, { SLUICE_API_KEY: "mine" })).toEqual({ ...own, key: "mine" });
  expect(() => find(ELSEWHERE)).toThrow("SLUICE_API_KEY is missing");
  expect(() => find(undefined, { SLUICE_URL: ELSEWHERE })).toThrow("SLUICE_API_KEY is missing");
  await removeRunning(folder);
  expect(() => find(undefined)).toThrow(
    /2 problems:\n {2}- SLUICE_URL is missing.*\n {2}- SLUICE_API_KEY is missing/,
  );
});

test.each(["https://user:LEAK@sluice.example.com", "https://sluice.example.com/?key=LEAK"])(
  "an address that holds more than an address is refused, and not shown: %s",
  (wrong) => {
    const environment = { SLUICE_API_KEY: "k" };
    const told = "holds a user, a query or a fragment: the key belongs in SLUICE_API_KEY";
    const isRefused = expect.objectContaining({
      message: expect.stringMatching(new RegExp(`^(?!.*LEAK).*${told}`, "s")),
    });
    expect(() => find(wrong, environment)).toThrow(isRefused);
    expect(() => find(undefined, { ...environment, SLUICE_URL: wrong })).toThrow(isRefused);
  },
);

test("what is no address is refused, as an option and as a variable", () => {
  expect(() => find("sluice.example.com")).toThrow("--url has to be a URL like https://sluice.example.com");
  expect(() => find(undefined, { SLUICE_URL: "sluice.example.com" })).toThrow("SLUICE_URL is ");
});

test("a key that no header can carry is refused without being shown", () => {
  const environment = { SLUICE_URL: ELSEWHERE, SLUICE_API_KEY: "LEAK with blanks" };
  expect(() => find(undefined, environment)).toThrow(/^(?!.*LEAK).*SLUICE_API_KEY is not valid/s);
});

test("where only the address matters, no key is asked for", () => {
  const context = {
    environment: { SLUICE_URL: ELSEWHERE },
    workingDirectory: "/nowhere",
    report: () => undefined,
  };
  expect(findApiUrl(undefined, context)).toBe(ELSEWHERE);
  expect(() => findApiUrl(undefined, { ...context, environment: {} })).toThrow("SLUICE_URL is missing");
});
