import { brotliCompressSync, constants } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeDeliveries,
  deliveriesPayload,
  encodeDeliveries,
  MAX_BATCH_BYTES,
  type RawDelivery,
  summarizeDeliveries,
} from "./delivery-codec.ts";

const QUICKLY = { params: { [constants.BROTLI_PARAM_QUALITY]: 0 } };

const anyText = fc.string({ unit: "binary" });
const webhooks: fc.Arbitrary<RawDelivery> = fc.record({
  id: fc.uuid(),
  integrationId: fc.uuid(),
  requestId: anyText,
  hookId: fc.option(anyText),
  eventKey: anyText,
  attempt: fc.integer({ min: 1, max: 3 }),
  secretVersion: fc.constantFrom("current" as const, "previous" as const),
  receivedAt: fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  // Names of HTTP headers, as Node gives them.
  headers: fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), anyText),
  body: fc.uint8Array({ maxLength: 2_000 }),
});
const deliveries = fc.oneof(
  webhooks,
  webhooks.map((delivery): RawDelivery => ({ ...delivery, source: "sweep" })),
);

function aDelivery(body: Uint8Array): RawDelivery {
  return {
    id: "0197a3a0-0000-7000-8000-000000000001",
    integrationId: "0197a3a0-0000-7000-8000-000000000002",
    requestId: "8a1f0d52-3d7f-4f5c-9b1e-2f6f0e4d1c3b",
    hookId: null,
    eventKey: "repo:push",
    attempt: 1,
    secretVersion: "current",
    receivedAt: "2026-11-24T04:05:06.789Z",
    headers: { "x-event-key": "repo:push" },
    body,
  };
}

describe("deliveries in a job", () => {
  test("are shown to people without their bodies and headers; what is not such a job is shown as it is", async () => {
    const { body, headers, ...rest } = aDelivery(Buffer.from("secret things"));
    const payload = await encodeDeliveries([{ ...rest, body, headers }]);
    expect(summarizeDeliveries(payload)).toEqual({ v: 1, deliveries: [{ ...rest, bodyBytes: 13 }] });
    expect(summarizeDeliveries({ v: 2 })).toEqual({ v: 2 });
    const broken = { ...payload, deliveries: "AAAA" };
    expect(summarizeDeliveries(broken)).toEqual(broken);
  });

  test("come back as they were, for any bytes and any strings, also through JSON", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(deliveries, { minLength: 1, maxLength: 12 }), async (sent) => {
        const stored: unknown = JSON.parse(JSON.stringify(await encodeDeliveries(sent)));
        const received = await decodeDeliveries(deliveriesPayload.parse(stored));
        expect(received.map(toComparable)).toEqual(sent.map(toComparable));
      }),
      { numRuns: 200 },
    );
  });

  test("come back as they were when they are too large for one thread", async () => {
    const sent = Array.from({ length: 100 }, (_, index) =>
      aDelivery(Buffer.from(`${index} `.repeat(4_000 + index))),
    );
    const payload = await encodeDeliveries(sent);
    const incompressible = aDelivery(pseudoRandomBytes(300_000));
    const large = await encodeDeliveries([incompressible]);
    expect((await decodeDeliveries(payload)).map(toComparable)).toEqual(sent.map(toComparable));
    expect((await decodeDeliveries(large)).map(toComparable)).toEqual([toComparable(incompressible)]);
  });

  test("take less room than their bodies", async () => {
    const body = JSON.stringify(
      Array.from({ length: 50 }, (_, id) => ({ id, type: "commit", parents: [id - 1] })),
    );
    const payload = await encodeDeliveries(Array.from({ length: 8 }, () => aDelivery(Buffer.from(body))));
    expect(JSON.stringify(payload).length).toBeLessThan(body.length);
  });

  test.each([0, 101])("%i in one job are refused", async (count) => {
    const many = Array.from({ length: count }, () => aDelivery(Buffer.alloc(1)));
    await expect(encodeDeliveries(many)).rejects.toMatchObject({
      code: "deliveries_unencodable",
      retry: "never",
    });
  });

  test("above the limit are neither written nor unpacked", async () => {
    const bomb = Buffer.alloc(MAX_BATCH_BYTES + 1);
    await expect(encodeDeliveries([aDelivery(bomb)])).rejects.toMatchObject({
      code: "deliveries_unencodable",
    });
    const packed = brotliCompressSync(bomb, QUICKLY).toString("base64");
    await expect(
      decodeDeliveries({ v: 1, encoding: "brotli", count: 1, deliveries: packed }),
    ).rejects.toMatchObject({ code: "deliveries_undecodable", retry: "never" });
  });

  test("that were cut or changed are refused for good, not guessed", async () => {
    const payload = await encodeDeliveries([aDelivery(Buffer.from("body")), aDelivery(Buffer.from("other"))]);
    const cut = { ...payload, deliveries: payload.deliveries.slice(0, -8) };
    const fewer = { ...payload, count: 1 };
    const empty = { ...payload, deliveries: brotliCompressSync(Buffer.alloc(2)).toString("base64") };
    const tail = brotliCompressSync(
      Buffer.concat([Buffer.from([0, 0, 0, 2]), Buffer.from("[]"), Buffer.from("?")]),
    );
    for (const bad of [cut, fewer, empty, { ...payload, deliveries: tail.toString("base64") }]) {
      await expect(decodeDeliveries(bad)).rejects.toMatchObject({
        code: "deliveries_undecodable",
        retry: "never",
      });
    }
  });
});

/** Buffers and arrays of bytes are equal by their bytes. */
function toComparable({ body, ...rest }: RawDelivery) {
  return { ...rest, headers: { ...rest.headers }, body: Buffer.from(body).toString("base64") };
}

function pseudoRandomBytes(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 1;
  for (let index = 0; index < length; index++) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    bytes[index] = state >>> 24;
  }
  return bytes;
}
