import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { claimOwnerLock } from "./owner-lock.ts";
import { identifyProcess } from "./process-identity.ts";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-test-"));
  path = join(folder, "owner.lock");
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("of many claims at the same time one succeeds, and the others name the owner", async () => {
  const claims = await Promise.all(Array.from({ length: 20 }, () => claimOwnerLock(path)));
  expect(claims.filter(({ claimed }) => claimed)).toHaveLength(1);
  expect(claims.filter((claim) => !claim.claimed && claim.pid === process.pid)).toHaveLength(19);
});

test("of many claims on a dead owner's lock one succeeds, and nothing else is left behind", async () => {
  const child = spawn(process.execPath, ["--eval", ""]);
  const dead = identifyProcess(child.pid!);
  await once(child, "exit");
  writeFileSync(path, JSON.stringify(dead));
  const claims = await Promise.all(Array.from({ length: 20 }, () => claimOwnerLock(path)));
  expect(claims.filter(({ claimed }) => claimed)).toHaveLength(1);
  expect(readdirSync(folder)).toEqual(["owner.lock"]);
});

test("a released lock can be claimed again, and releasing it once more does not take it away", async () => {
  const first = await claimOwnerLock(path);
  if (first.claimed) await first.release();
  const second = await claimOwnerLock(path);
  expect(second.claimed).toBe(true);
  if (first.claimed) await first.release();
  expect((await claimOwnerLock(path)).claimed).toBe(false);
});

test.each(["", "not json", "{}", '{"pid":-1,"startTime":null}'])(
  "a lock that says %o has no owner",
  async (content) => {
    writeFileSync(path, content);
    expect((await claimOwnerLock(path)).claimed).toBe(true);
  },
);

test.runIf(process.platform === "linux")("a number that another process has by now is no owner", async () => {
  writeFileSync(path, JSON.stringify({ pid: process.pid, startTime: "an-earlier-boot/1" }));
  expect((await claimOwnerLock(path)).claimed).toBe(true);
});
