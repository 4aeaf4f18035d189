import { AppError } from "@sluice/domain/app-error";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import {
  boolean,
  bytes,
  durationMs,
  integer,
  list,
  oneOf,
  parsedText,
  port,
  text,
  url,
} from "./configuration-values.ts";

const range = { min: 1, max: 5_000_000 };
const database = url({ protocols: ["postgres"], shape: "postgres://host/database", manyHosts: true });
const site = url({ protocols: ["https", "http"], shape: "https://host" });

describe("a text that is taken", () => {
  it.each<[string, z.ZodType<unknown, string>, string, unknown]>([
    ["integer", integer(range), " 42 ", 42],
    ["integer with groups", integer(range), "10_000", 10_000],
    ["negative integer", integer({ min: -5, max: 5 }), "-5", -5],
    ["duration", durationMs(range), "1_500", 1_500],
    ["bytes", bytes(range), "1024", 1_024],
    ["KiB", bytes(range), "16KiB", 16_384],
    ["MiB", bytes(range), "1 MiB", 1_048_576],
    ["port", port(), "8080", 8_080],
    ["any free port", port(), "0", 0],
    ["boolean", boolean(), "TRUE", true],
    ["boolean", boolean(), "off", false],
    ["word", oneOf(["json", "pretty"]), "json", "json"],
    ["text", text("a name"), " a b ", "a b"],
    ["list", list("names"), "a, b,,c ", ["a", "b", "c"]],
    ["url", site, "https://example.com/x", "https://example.com/x"],
    ["url with password", database, "postgres://u:p%40ss@db:5432/x", "postgres://u:p%40ss@db:5432/x"],
    ["url of many hosts", database, "postgres://u:p@a:1,b:2/x", "postgres://u:p@a:1,b:2/x"],
    ["url of a socket", database, "postgres:///x?host=/run/postgresql", "postgres:///x?host=/run/postgresql"],
    ["url of an IPv6 host", database, "postgres://[::1]:5432/x", "postgres://[::1]:5432/x"],
  ])("%s", (_, schema, given, expected) => {
    expect(schema.parse(given)).toEqual(expected);
  });
});

describe("a text that is refused", () => {
  it.each<[string, z.ZodType<unknown, string>, string]>([
    ["a number below the range", integer(range), "0"],
    ["a number above the range", integer(range), "5000001"],
    ["a fraction", integer(range), "1.5"],
    ["an exponent", integer(range), "1e3"],
    ["hexadecimal", integer(range), "0x10"],
    ["a unit", durationMs(range), "10s"],
    ["an unknown unit", bytes(range), "1MB"],
    ["too many bytes", bytes(range), "1GiB"],
    ["a port that is none", port(), "65536"],
    ["a blank", text("a name"), "  "],
    ["maybe", boolean(), "maybe"],
    ["another word", oneOf(["json"]), "JSON"],
    ["another protocol", site, "ftp://example.com"],
    ["no protocol", site, "example.com"],
    ["no host", site, "https://"],
    ["many hosts where one is meant", site, "https://a,b"],
    ["an empty host among many", database, "postgres://a,,b/x"],
    ["a port in letters", database, "postgres://db:port/x"],
    ["an unencoded slash in the password", database, "postgres://u:p/w@db:5432/x"],
  ])("%s", (_, schema, given) => {
    expect(schema.safeParse(given).success).toBe(false);
  });
});

describe("parsedText", () => {
  it("tells the reason of an AppError and no words of any other error", () => {
    const reasonOf = (error: Error) =>
      parsedText("a thing", () => {
        throw error;
      }).safeParse("value").error?.issues[0]?.message;
    expect(reasonOf(new AppError("wrong", "the second half is missing"))).toBe("the second half is missing");
    expect(reasonOf(new Error("value"))).toBe("cannot be read");
  });
});

it("an integer is taken exactly when it is in the range", () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.maxSafeInteger(), fc.maxSafeInteger(), (value, one, other) => {
      const limits = { min: Math.min(one, other), max: Math.max(one, other) };
      expect(integer(limits).safeParse(String(value)).success).toBe(
        value >= limits.min && value <= limits.max,
      );
    }),
  );
});
