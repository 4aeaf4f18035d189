import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { DUMMY_SECRET, signBody, verifySignature } from "./signature.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
/** The vector that GitHub and Bitbucket both publish for HMAC-SHA256 over a body. */
const BODY = bytes("Hello World!");
const SECRET = "It's a Secret to Everybody";
const HEADER = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9";

describe("verifySignature (rule 7)", () => {
  it("verifies the published test vector", () => {
    expect(
      verifySignature({ body: BODY, header: HEADER, secrets: { current: SECRET, previous: null } }),
    ).toBe("current");
    expect(signBody(BODY, SECRET)).toBe(HEADER);
  });

  it("says which secret verified while a rotation overlaps (rule 4)", () => {
    const secrets = { current: "the new one", previous: "the old one" };
    expect(verifySignature({ body: BODY, header: signBody(BODY, "the new one"), secrets })).toBe("current");
    expect(verifySignature({ body: BODY, header: signBody(BODY, "the old one"), secrets })).toBe("previous");
  });

  it.each([
    ["absent", undefined],
    ["empty", ""],
    ["another algorithm", HEADER.replace("sha256", "sha1")],
    ["no algorithm", HEADER.slice("sha256=".length)],
    ["upper case", HEADER.toUpperCase().replace("SHA256", "sha256")],
    ["one digit short", HEADER.slice(0, -1)],
    ["one digit long", `${HEADER}0`],
    ["a line after it", `${HEADER}\n`],
    ["a space before it", ` ${HEADER}`],
    ["sent twice", `${HEADER}, ${HEADER}`],
  ])("refuses a header that is %s", (_, header) => {
    expect(verifySignature({ body: BODY, header, secrets: { current: SECRET, previous: null } })).toBeNull();
  });

  it("refuses every signature where the slug is unknown or the secret is empty, also one made with nothing", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.string(), (body, guess) => {
        const header = signBody(body, guess);
        expect(verifySignature({ body, header, secrets: null })).toBeNull();
        expect(
          verifySignature({ body, header: signBody(body, ""), secrets: { current: "", previous: "" } }),
        ).toBeNull();
      }),
    );
  });

  it("refuses what was signed with the dummy secret, whatever secrets there are", () => {
    const header = signBody(BODY, DUMMY_SECRET);
    for (const secrets of [null, { current: "", previous: null }, { current: SECRET, previous: null }]) {
      expect(verifySignature({ body: BODY, header, secrets })).toBeNull();
    }
  });

  it("verifies bytes that are not text", () => {
    const body = Uint8Array.of(0xff, 0x00, 0xfe, 0x80);
    const secrets = { current: "clé-密", previous: null };
    expect(verifySignature({ body, header: signBody(body, "clé-密"), secrets })).toBe("current");
  });

  const signed = fc.record({
    body: fc.uint8Array({ minLength: 1, maxLength: 200 }),
    secret: fc.string({ minLength: 1, maxLength: 64 }),
    position: fc.nat(),
    flip: fc.integer({ min: 1, max: 255 }),
  });

  it("refuses a body of which one byte was changed", () => {
    fc.assert(
      fc.property(signed, ({ body, secret, position, flip }) => {
        const header = signBody(body, secret);
        const changed = flipByte(body, position, flip);
        expect(
          verifySignature({ body: changed, header, secrets: { current: secret, previous: secret } }),
        ).toBeNull();
      }),
    );
  });

  it("refuses a header of which one character was changed", () => {
    fc.assert(
      fc.property(signed, ({ body, secret, position, flip }) => {
        const changed = Buffer.from(flipByte(Buffer.from(signBody(body, secret)), position, flip)).toString(
          "latin1",
        );
        expect(
          verifySignature({ body, header: changed, secrets: { current: secret, previous: null } }),
        ).toBeNull();
      }),
    );
  });

  it("refuses a signature made with a secret that differs in one character", () => {
    fc.assert(
      fc.property(signed, ({ body, secret, position }) => {
        const at = position % secret.length;
        const other = secret.slice(0, at) + (secret[at] === "x" ? "y" : "x") + secret.slice(at + 1);
        const header = signBody(body, other);
        expect(verifySignature({ body, header, secrets: { current: secret, previous: null } })).toBeNull();
      }),
    );
  });
});

function flipByte(source: Uint8Array, position: number, flip: number): Uint8Array {
  const changed = Uint8Array.from(source);
  const at = position % changed.length;
  changed[at] = (changed[at] ?? 0) ^ flip;
  return changed;
}
