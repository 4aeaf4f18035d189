import { describe, expect, it } from "vitest";

import { isJsonContentType, parseDeliveryHeaders } from "./headers.ts";

const COMPLETE = {
  "x-event-key": "repo:push",
  "x-request-uuid": "6f2d0f7c-2f8e-4a35-a1f9-0d1c2b3a4958",
  "x-hook-uuid": "0b1c2d3e-4f50-4617-8293-a4b5c6d7e8f9",
  "x-attempt-number": "2",
};
const parse = (headers: Record<string, string | undefined>) => parseDeliveryHeaders((name) => headers[name]);

describe("parseDeliveryHeaders", () => {
  it("reads the four headers of a delivery", () => {
    expect(parse(COMPLETE)).toEqual({
      kind: "ok",
      eventKey: "repo:push",
      requestId: "6f2d0f7c-2f8e-4a35-a1f9-0d1c2b3a4958",
      hookId: "0b1c2d3e-4f50-4617-8293-a4b5c6d7e8f9",
      attempt: 2,
    });
  });

  it("takes braces off, so that headers and bodies name one thing alike", () => {
    const braced = {
      ...COMPLETE,
      "x-request-uuid": `{${COMPLETE["x-request-uuid"]}}`,
      "x-hook-uuid": `{${COMPLETE["x-hook-uuid"]}}`,
    };
    expect(parse(braced)).toEqual(parse(COMPLETE));
  });

  it.each(["x-event-key", "x-request-uuid"])("names %s when it is missing or blank", (header) => {
    expect(parse({ ...COMPLETE, [header]: undefined })).toEqual({ kind: "missing", header });
    expect(parse({ ...COMPLETE, [header]: " " })).toEqual({ kind: "missing", header });
  });

  it.each([
    ["longer than 128 characters", "x".repeat(129)],
    ["with a space", "repo: push"],
    ["with a control character", "repo:\u0007push"],
    ["not ASCII", "repo:pús"],
    ["of braces alone", "{}"],
  ])("refuses a required value that is %s", (_, value) => {
    expect(parse({ ...COMPLETE, "x-event-key": value })).toMatchObject({
      kind: "invalid",
      header: "x-event-key",
    });
    expect(parse({ ...COMPLETE, "x-request-uuid": value })).toMatchObject({
      kind: "invalid",
      header: "x-request-uuid",
    });
  });

  it.each([undefined, "", "0", "-1", "1.5", "two", "9999999"])(
    "counts a delivery whose attempt is %j as the first, and never refuses it",
    (attempt) => {
      expect(parse({ ...COMPLETE, "x-attempt-number": attempt })).toMatchObject({ kind: "ok", attempt: 1 });
    },
  );

  it.each([undefined, "", "{}", "é", "x".repeat(129)])("takes a hook id of %j as not sent", (hookId) => {
    expect(parse({ ...COMPLETE, "x-hook-uuid": hookId })).toMatchObject({ kind: "ok", hookId: null });
  });

  it("passes an event key that it does not know", () => {
    expect(parse({ ...COMPLETE, "x-event-key": "pipeline:span_created" })).toMatchObject({
      eventKey: "pipeline:span_created",
    });
  });
});

describe("isJsonContentType", () => {
  it.each(["application/json", "application/json; charset=utf-8", "Application/JSON ;charset=UTF-8"])(
    "takes %s",
    (value) => {
      expect(isJsonContentType(value)).toBe(true);
    },
  );

  it.each([
    undefined,
    "",
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/jsonp",
    "text/application/json",
  ])("refuses %s", (value) => {
    expect(isJsonContentType(value)).toBe(false);
  });
});
