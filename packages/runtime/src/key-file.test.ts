import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadOrCreateKeyFile } from "./key-file.ts";
import { parseKeyring } from "./keyring.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-key-file-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe("loadOrCreateKeyFile", () => {
  it("makes a file that only its owner may read, in a folder that only its owner may enter", async () => {
    const path = join(folder, "new", "keys");
    const keys = await loadOrCreateKeyFile(path);
    expect(parseKeyring(keys).decrypt(parseKeyring(keys).encrypt("text", "c"), "c")).toBe("text");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "new")).mode & 0o777).toBe(0o700);
    expect(readFileSync(path, "utf8")).toBe(`${keys}\n`);
  });

  it("gives the same keys again", async () => {
    const path = join(folder, "keys");
    expect(await loadOrCreateKeyFile(path)).toBe(await loadOrCreateKeyFile(path));
  });

  it("gives all who start at about the same time the same keys and leaves no other file", async () => {
    for (let round = 0; round < 10; round += 1) {
      const path = join(folder, `${round}`, "keys");
      const starters = Array.from({ length: 20 }, async (_, turns) => {
        for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
        return loadOrCreateKeyFile(path);
      });
      expect(new Set(await Promise.all(starters)).size).toBe(1);
      expect(readdirSync(join(folder, `${round}`))).toEqual(["keys"]);
    }
  });

  it("refuses a file that others may read, and says what to do", async () => {
    const path = join(folder, "keys");
    await loadOrCreateKeyFile(path);
    chmodSync(path, 0o640);
    await expect(loadOrCreateKeyFile(path)).rejects.toMatchObject({
      code: "key_file_exposed",
      message: `the key file ${path} may be read by others (mode 640): run chmod 600 ${path}`,
    });
  });

  it("refuses a file without keys and never overwrites it", async () => {
    const path = join(folder, "keys");
    writeFileSync(path, "", { mode: 0o600 });
    await expect(loadOrCreateKeyFile(path)).rejects.toMatchObject({ code: "key_file_invalid" });
    expect(readFileSync(path, "utf8")).toBe("");
  });

  it("says which file it could not make", async () => {
    const path = join(folder, "file", "keys");
    writeFileSync(join(folder, "file"), "");
    await expect(loadOrCreateKeyFile(path)).rejects.toMatchObject({
      code: "key_file_unusable",
      message: expect.stringContaining(path),
    });
  });
});
