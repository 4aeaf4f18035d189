import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { defaultDataDirectory, openDataDirectory } from "./data-directory.ts";
import { findPostgresBinaries } from "./postgres-binaries.ts";
import { canEnter, chooseServerUser } from "./server-user.ts";

const isRoot = process.getuid?.() === 0;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-test-"));
  chmodSync(folder, 0o755);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("the default is .sluice in the checkout", () => {
  expect(defaultDataDirectory(folder)).toBe(join(folder, ".sluice"));
});

test("a machine without binaries is told so in one line", async () => {
  await expect(findPostgresBinaries(null, "sunos-x64")).rejects.toMatchObject({
    code: "platform_unsupported",
    message: expect.stringMatching(/^there is no embedded PostgreSQL for sunos-x64: set DATABASE_URL .*$/),
  });
});

test.runIf(isRoot)("as root, a checkout that the server's user cannot enter keeps its data elsewhere", () => {
  const checkout = join(folder, "closed", "checkout");
  mkdirSync(checkout, { recursive: true });
  chmodSync(join(folder, "closed"), 0o700);
  const directory = defaultDataDirectory(checkout);
  expect(directory).toMatch(/^\/var\/lib\/sluice\/[0-9a-f]{16}$/);
  expect(defaultDataDirectory(join(checkout, "."))).toBe(directory);
});

test.runIf(isRoot)("as root, a data folder below a closed one is refused, naming the user", async () => {
  chmodSync(folder, 0o700);
  const user = chooseServerUser(join(folder, "postgres"));
  await expect(openDataDirectory(join(folder, "postgres"), user)).rejects.toMatchObject({
    code: "data_directory_unreachable",
    message: expect.stringContaining(`user ${user?.uid}`),
  });
});

test.runIf(isRoot)(
  "as root, a new data folder belongs to the server's user, who can enter the folders made above it",
  async () => {
    const umask = process.umask(0o077);
    try {
      const root = join(folder, "a", "b", "postgres");
      const user = chooseServerUser(root);
      await openDataDirectory(root, user);
      expect(canEnter(root, user)).toBe(true);
      expect(statSync(root)).toMatchObject({ uid: user?.uid, gid: user?.gid });
      expect(statSync(root).mode & 0o777).toBe(0o700);
      // From now on the folder itself says whose server it is.
      expect(chooseServerUser(root)).toEqual(user);
    } finally {
      process.umask(umask);
    }
  },
);

test.skipIf(isRoot)("a folder that we may not write to is refused", async () => {
  chmodSync(folder, 0o500);
  await expect(openDataDirectory(join(folder, "postgres"), null)).rejects.toMatchObject({
    code: "data_directory_unwritable",
  });
});
