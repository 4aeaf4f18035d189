import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generateKey, parseKeyring } from "./keyring.ts";

const KEY_1 = `k1:${Buffer.alloc(32, 1).toString("base64")}`;
const KEY_2 = `k2:${Buffer.alloc(32, 2).toString("base64")}`;
const anyText = fc.string({ unit: "grapheme", maxLength: 200 });
const keyring = parseKeyring(KEY_1);

describe("encrypt and decrypt", () => {
  it("give back every text in its context", () => {
    fc.assert(
      fc.property(anyText, anyText, (plaintext, context) => {
        expect(keyring.decrypt(keyring.encrypt(plaintext, context), context)).toBe(plaintext);
      }),
    );
  });

  it("refuse a ciphertext in which any one character is another", () => {
    const character = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 1 });
    fc.assert(
      fc.property(anyText, fc.nat(), character, (plaintext, position, replacement) => {
        const ciphertext = keyring.encrypt(plaintext, "context");
        const at = position % ciphertext.length;
        fc.pre(ciphertext[at] !== replacement);
        const changed = ciphertext.slice(0, at) + replacement + ciphertext.slice(at + 1);
        expect(() => keyring.decrypt(changed, "context")).toThrow(
          expect.objectContaining({
            code: expect.stringMatching(
              /^(?:ciphertext_malformed|encryption_key_unknown|ciphertext_rejected)$/,
            ),
          }),
        );
      }),
      { numRuns: 500 },
    );
  });

  it("refuse a ciphertext that was cut or lengthened", () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 20 }), (plaintext, count) => {
        const ciphertext = keyring.encrypt(plaintext, "context");
        expect(() => keyring.decrypt(ciphertext.slice(0, -count), "context")).toThrow("a stored value");
        expect(() => keyring.decrypt(ciphertext + "A".repeat(count), "context")).toThrow("a stored value");
      }),
    );
  });

  it("refuse another context", () => {
    fc.assert(
      fc.property(anyText, anyText, anyText, (plaintext, context, other) => {
        fc.pre(context !== other);
        const ciphertext = keyring.encrypt(plaintext, context);
        expect(() => keyring.decrypt(ciphertext, other)).toThrow(
          expect.objectContaining({ code: "ciphertext_rejected", retry: "never" }),
        );
      }),
    );
  });

  it("never make the same ciphertext twice", () => {
    const made = new Set(Array.from({ length: 1_000 }, () => keyring.encrypt("same", "context")));
    expect(made.size).toBe(1_000);
  });

  it("write v1, the key id, a 12-byte iv, and the tag before the ciphertext", () => {
    const [version, id, iv, sealed] = keyring.encrypt("12345", "context").split(".");
    expect([version, id]).toEqual(["v1", "k1"]);
    expect(Buffer.from(iv ?? "", "base64url")).toHaveLength(12);
    expect(Buffer.from(sealed ?? "", "base64url")).toHaveLength(16 + 5);
  });

  it("go on to read a value that was written by this version before", () => {
    // Made once with KEY_1: a change of the format must keep reading it.
    const old = "v1.k1.AAECAwQFBgcICQoL.WFC3drb1TLzEms3YTkuTs9qG5lJPjGMd3hmCp1IMvA";
    expect(keyring.decrypt(old, "integration:1:webhook_secret")).toBe("a stored secret");
  });
});

describe("rotation", () => {
  it("encrypts with the first key and decrypts with all", () => {
    const old = keyring.encrypt("text", "context");
    const rotated = parseKeyring(`${KEY_2},${KEY_1}`);
    expect(rotated.decrypt(old, "context")).toBe("text");
    expect(rotated.needsRotation(old)).toBe(true);
    const renewed = rotated.encrypt("text", "context");
    expect(rotated.needsRotation(renewed)).toBe(false);
    expect(() => keyring.decrypt(renewed, "context")).toThrow(
      expect.objectContaining({ code: "encryption_key_unknown", message: expect.stringContaining('"k2"') }),
    );
  });

  it("rejects a value whose key id has been given to another key", () => {
    const other = parseKeyring(`k1:${Buffer.alloc(32, 9).toString("base64")}`);
    expect(() => other.decrypt(keyring.encrypt("text", "c"), "c")).toThrow(
      expect.objectContaining({ code: "ciphertext_rejected" }),
    );
  });
});

describe("parseKeyring", () => {
  const secret = Buffer.alloc(32, 5).toString("base64");
  it.each([
    ["entry 1 is not of the form", ""],
    ["entry 1 is not of the form", secret],
    ["entry 2 is not of the form", `${KEY_1},`],
    ["entry 1 is not of the form", `k1:${secret}:k2`],
    ["entry 1 has an id", `:${secret}`],
    ["entry 1 has an id", `${secret}:k1`],
    ["the key of entry 1 is not base64", `k1:${secret.slice(0, -1)}!`],
    ["the key of entry 2 has 33 bytes", `${KEY_1},k2:${Buffer.alloc(33, 5).toString("base64")}`],
    ["the key of entry 1 has 0 bytes", "k1:"],
    ['"k1" is there twice', `${KEY_1},k1:${secret}`],
  ])("says that %s, without a key", (reason, given) => {
    const error = thrownBy(() => parseKeyring(given));
    expect(error).toMatchObject({ code: "keyring_invalid", retry: "never" });
    expect(String(error)).toContain(reason);
    expect(String(error)).not.toContain(secret.slice(0, 8));
  });

  it("takes base64url keys and blanks around entries", () => {
    const key = Buffer.alloc(32, 0xfb);
    const standard = parseKeyring(`k1:${key.toString("base64")}`);
    const urlSafe = parseKeyring(` k1:${key.toString("base64url")} , ${KEY_2}`);
    expect(urlSafe.decrypt(standard.encrypt("text", "c"), "c")).toBe("text");
  });

  it("shows no key when it is logged or printed", () => {
    expect(JSON.stringify(keyring)).toBe("{}");
  });
});

it("generateKey makes a new keyring each time", () => {
  const [one, other] = [generateKey(), generateKey()];
  expect(one).not.toBe(other);
  expect(parseKeyring(one).decrypt(parseKeyring(one).encrypt("text", "c"), "c")).toBe("text");
});

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}
