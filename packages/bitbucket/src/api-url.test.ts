import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { apiUrl, followUrl, pathSegment, repositoryPath } from "./api-url.ts";

const BASE = new URL("https://api.bitbucket.org/2.0");
const FROM = new URL("https://api.bitbucket.org/2.0/repositories/northwind/x/diffstat/a..b?page=1");

describe("repositoryPath", () => {
  it("names a repository by its uuid, which survives a rename", () => {
    expect(repositoryPath({ fullName: "northwind/landing-zone", uuid: "{5b0c}" })).toBe(
      "repositories/northwind/%7B5b0c%7D",
    );
  });

  it.each([null, "5b0c", "{}"])("names it by its slug where the uuid is %j", (uuid) => {
    expect(repositoryPath({ fullName: "northwind/landing-zone", uuid })).toBe(
      "repositories/northwind/landing-zone",
    );
  });

  it.each(["", "northwind", "northwind/", "/x", "a/b/c", "../x", "northwind/.."])(
    "refuses %j",
    (fullName) => {
      expect(() => repositoryPath({ fullName, uuid: null })).toThrow(
        expect.objectContaining({ code: "bitbucket_invalid_name" }),
      );
    },
  );
});

it("keeps any name one segment of the path, and gives it back whole", () => {
  const name = fc.string({ minLength: 1 }).filter((text) => text !== "." && text !== "..");
  fc.assert(
    fc.property(name, (text) => {
      const { pathname, search, hash } = apiUrl(BASE, `branches/${pathSegment(text)}/end`);
      expect(pathname.split("/")).toHaveLength(5);
      expect(search + hash).toBe("");
      expect(decodeURIComponent(pathname.split("/")[3]!)).toBe(text.replaceAll("\0", "\ufffd"));
    }),
  );
});

describe("followUrl", () => {
  it.each([
    ["https://api.bitbucket.org/2.0/repositories/northwind/x?page=2", "/2.0/repositories/northwind/x?page=2"],
    ["/2.0/repositories/northwind/y", "/2.0/repositories/northwind/y"],
    ["?page=2", "/2.0/repositories/northwind/x/diffstat/a..b?page=2"],
    ["https://api.bitbucket.org:443/2.0/x", "/2.0/x"],
  ])("follows %s", (reference, expected) => {
    const url = followUrl(BASE, FROM, reference);
    expect(`${url?.pathname}${url?.search}`).toBe(expected);
    expect(url?.origin).toBe(BASE.origin);
  });

  it.each([
    "https://api.bitbucket.org.example/2.0/x",
    "https://evil.example/2.0/x",
    "//evil.example/2.0/x",
    "http://api.bitbucket.org/2.0/x",
    "https://api.bitbucket.org:8443/2.0/x",
    "https://ada:pw@api.bitbucket.org/2.0/x",
    "https://api.bitbucket.org@evil.example/2.0/x",
    "https://api.bitbucket.org/1.0/x",
    "https://api.bitbucket.org/2.0",
    "https://api.bitbucket.org/2.0evil/x",
    "https://api.bitbucket.org/2.0/../1.0/x",
    "https://api.bitbucket.org/2.0/%2e%2e/1.0/x",
    String.raw`\\evil.example\2.0\x`,
    "file:///etc/passwd",
    "http://[",
  ])("does not follow %s", (reference) => {
    expect(followUrl(BASE, FROM, reference)).toBeNull();
  });
});
