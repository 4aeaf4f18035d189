/** What an answer costs tells nothing about a slug (rule 8): counted, not timed. */
import crypto, { type Hmac } from "node:crypto";
import { syncBuiltinESMExports } from "node:module";

import { afterEach, beforeEach, expect, test } from "vitest";

import { signBody, verifySignature, type WebhookSecrets } from "./signature.ts";

const BODY = Buffer.from(JSON.stringify({ push: { changes: [] } }));
const { createHmac, timingSafeEqual } = crypto;

/** Each step of the real functions, in order. */
let work: string[] = [];

beforeEach(() => {
  crypto.createHmac = (...given) => countUpdates(createHmac(...given));
  crypto.timingSafeEqual = (one, other) => {
    work.push(`compare ${String(one.byteLength)} with ${String(other.byteLength)} bytes`);
    return timingSafeEqual(one, other);
  };
  syncBuiltinESMExports();
});

afterEach(() => {
  Object.assign(crypto, { createHmac, timingSafeEqual });
  syncBuiltinESMExports();
});

function countUpdates(hmac: Hmac): Hmac {
  const update = hmac.update.bind(hmac) as (data: Buffer) => Hmac;
  return Object.assign(hmac, {
    update: (data: Buffer) => {
      work.push(`hash ${String(data.byteLength)} bytes`);
      return update(data);
    },
  });
}

function workOf(secrets: WebhookSecrets | null, header: string | undefined): readonly string[] {
  work = [];
  expect(verifySignature({ body: BODY, header, secrets })).toBeNull();
  return work;
}

const PLACES: readonly (readonly [string, WebhookSecrets | null])[] = [
  ["an unknown slug", null],
  ["a known one", { current: "the-secret", previous: null }],
  ["one whose secret was rotated", { current: "the-secret", previous: "the-secret-before" }],
];

test("a wrong signature costs the same at an unknown slug, at a known one, and while a secret is rotated", () => {
  const twice = [`hash ${String(BODY.byteLength)} bytes`, "compare 32 with 32 bytes"];
  const wrong = signBody(BODY, "another");
  for (const [place, secrets] of PLACES) {
    expect([place, workOf(secrets, wrong)]).toEqual([place, [...twice, ...twice]]);
  }
});

test.each([undefined, "", "sha1=00", "sha256=", `sha256=${"G".repeat(64)}`])(
  "a signature of the form %s costs nothing anywhere",
  (header) => {
    for (const [place, secrets] of PLACES) expect([place, workOf(secrets, header)]).toEqual([place, []]);
  },
);
