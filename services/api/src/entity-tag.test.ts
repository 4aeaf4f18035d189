import { describe, expect, test } from "vitest";

import { checkMatch, entityTag } from "./entity-tag.ts";

const RESOURCE = { name: "network" };
const TAG = entityTag(RESOURCE);

describe("If-Match", () => {
  test.each([TAG, ` ${TAG} `, "*", " * ", `"other", ${TAG}`, `${TAG},"other"`, `,, ${TAG}`])(
    "%s is met",
    (header) => {
      expect(() => checkMatch(header, RESOURCE)).not.toThrow();
    },
  );

  // Weak tags are never equal here (RFC 9110, 13.1.1).
  test.each(["", ",", '"other"', `W/${TAG}`, TAG.slice(1, -1), `${TAG.slice(0, -1)}x"`, '*, "other"', '"*"'])(
    "%s is not met",
    (header) => {
      expect(() => checkMatch(header, RESOURCE)).toThrow(
        expect.objectContaining({ code: "precondition_failed", members: { etag: TAG } }),
      );
    },
  );

  test("left out is refused", () => {
    expect(() => checkMatch(undefined, RESOURCE)).toThrow(
      expect.objectContaining({ code: "precondition_required" }),
    );
  });
});
