import fc from "fast-check";
import { describe, expect, test } from "vitest";

import {
  compareVersions,
  isModuleVersion,
  nextVersionAllowed,
  refuseVersion,
  versionOfTag,
  type GivenVersion,
} from "./module-version.ts";

describe("the version of a tag (rule 31)", () => {
  test.each([
    ["v1.2.3", "1.2.3"],
    ["1.2.3", "1.2.3"],
    ["v0.1.0-rc.1", "0.1.0-rc.1"],
    ["v1.0.0+build.5", "1.0.0+build.5"],
    ["v1.0.0-0a.b-c", "1.0.0-0a.b-c"],
  ])("%s releases %s", (tag, version) => {
    expect(versionOfTag(tag)).toBe(version);
  });

  test.each([
    "release",
    "v1",
    "v1.2",
    "v1.2.3.4",
    "vv1.2.3",
    "V1.2.3",
    "v01.2.3",
    "v1.2.3-01",
    "v1.2.3-",
    "v1.2.3-a..b",
    "v1.2.3+",
    "v1.2.3\n",
    "network/v1.2.3",
    `v1.2.3-${"a".repeat(200)}`,
  ])("%j releases nothing", (tag) => {
    expect(versionOfTag(tag)).toBeNull();
  });
});

/** In the order of semver.org's own example, and then some. */
const ASCENDING = [
  "0.0.0-0",
  "0.0.1",
  "0.1.0",
  "1.0.0-alpha",
  "1.0.0-alpha.1",
  "1.0.0-alpha.beta",
  "1.0.0-beta",
  "1.0.0-beta.2",
  "1.0.0-beta.11",
  "1.0.0-rc.1",
  "1.0.0",
  "1.0.1-99999999999999999998",
  "1.0.1-99999999999999999999",
  "1.0.1",
  "1.2.0",
  "1.10.0",
  "2.0.0",
  "99999999999999999999.0.0",
  "100000000000000000000.0.0",
];

describe("the order of versions", () => {
  test("is that of semver.org", () => {
    for (const [a, lower] of ASCENDING.entries()) {
      for (const [b, other] of ASCENDING.entries()) {
        expect(Math.sign(compareVersions(lower, other)), `${lower} and ${other}`).toBe(Math.sign(a - b));
      }
    }
  });

  const part = fc.oneof(fc.nat({ max: 3 }).map(String), fc.constantFrom("a", "b", "-", "0a", "rc"));
  const version = fc
    .record({
      core: fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 3 }), fc.nat({ max: 3 })),
      prerelease: fc.array(part, { maxLength: 3 }),
      build: fc.constantFrom("", "+1", "+a.b"),
    })
    .map(
      ({ core, prerelease, build }) =>
        `${core.join(".")}${prerelease.length > 0 ? `-${prerelease.join(".")}` : ""}${build}`,
    );

  test("is total: both ways agree, and it is transitive", () => {
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect([a, b, c].every(isModuleVersion)).toBe(true);
        expect(Math.sign(compareVersions(a, b))).toBe(0 - Math.sign(compareVersions(b, a)));
        const [low = a, middle = a, high = a] = [a, b, c].toSorted(compareVersions);
        expect(compareVersions(low, middle)).toBeLessThanOrEqual(0);
        expect(compareVersions(low, high)).toBeLessThanOrEqual(0);
      }),
    );
  });

  test("is the same for builds of one version, so none is above another", () => {
    expect(compareVersions("1.0.0+a", "1.0.0+b")).toBe(0);
    expect(nextVersionAllowed("1.0.0+a", "1.0.0+b")).toBe(false);
  });

  test("a set of versions that are given in any order only rises", () => {
    fc.assert(
      fc.property(fc.array(version, { maxLength: 12 }), (told) => {
        let last: string | null = null;
        const given: string[] = [];
        for (const one of told) {
          if (!nextVersionAllowed(last, one)) continue;
          given.push(one);
          last = one;
        }
        expect(given.toSorted(compareVersions)).toEqual(given);
        expect(new Set(given).size).toBe(given.length);
      }),
    );
  });
});

describe("a version (rule 31)", () => {
  const given: readonly GivenVersion[] = [
    { position: 10, version: "1.0.0" },
    { position: 30, version: "1.2.0" },
  ];

  test.each([
    ["of a module that has none yet", { position: 1, version: "0.1.0" }, []],
    ["above the last", { position: 40, version: "1.2.1" }, given],
    ["that skips some", { position: 40, version: "7.0.0" }, given],
    ["of a late push, between those of its neighbours (rule 14)", { position: 20, version: "1.1.0" }, given],
    ["of a late push before all others", { position: 5, version: "0.9.0" }, given],
  ])("%s is given", (_, one, others) => {
    expect(refuseVersion(one, others)).toBeNull();
  });

  test.each([
    ["that is used again", { position: 40, version: "1.2.0" }, "1.2.0", /^$/],
    ["below the last", { position: 40, version: "1.1.9" }, "1.2.0", /^$/],
    [
      "below the last, which it precedes as a prerelease",
      { position: 40, version: "1.2.0-rc.1" },
      "1.2.0",
      /^$/,
    ],
    ["of a late push that a later commit has", { position: 20, version: "1.2.0" }, "1.2.0", /a later commit/],
    ["of a late push above a later commit's", { position: 20, version: "1.3.0" }, "1.2.0", /a later commit/],
    ["of a late push below an earlier one", { position: 20, version: "0.9.0" }, "1.0.0", /^$/],
    ["of the same commit's place", { position: 10, version: "1.0.0" }, "1.0.0", /^$/],
    ["that is none", { position: 40, version: "1.3" }, null, /not a semantic version/],
  ])("%s is refused, and says what is in its way", (_, one, last, because) => {
    const refusal = refuseVersion(one, given);
    expect(refusal?.last).toBe(last);
    expect(refusal?.because ?? "").toMatch(because);
  });

  test("rises from commit to commit, whatever the order in which the pushes are told", () => {
    const pushes = fc
      .uniqueArray(fc.nat({ max: 20 }), { maxLength: 8 })
      .chain((positions) =>
        fc
          .array(fc.nat({ max: 8 }), { minLength: positions.length, maxLength: positions.length })
          .map((minors) =>
            positions.map((position, index) => ({ position, version: `1.${String(minors[index])}.0` })),
          ),
      );
    fc.assert(
      fc.property(pushes, (told) => {
        const made: GivenVersion[] = [];
        for (const one of told) if (refuseVersion(one, made) === null) made.push(one);
        const inOrder = made.toSorted((a, b) => a.position - b.position).map(({ version }) => version);
        expect(inOrder.toSorted(compareVersions)).toEqual(inOrder);
        expect(new Set(inOrder).size).toBe(inOrder.length);
      }),
    );
  });

  test("that rises with every commit is given to all of them, in any order of telling (rule 14)", () => {
    const positions = Array.from({ length: 7 }, (_, index) => index);
    fc.assert(
      fc.property(fc.shuffledSubarray(positions, { minLength: 7 }), (order) => {
        const made: GivenVersion[] = [];
        for (const position of order) {
          const one = { position, version: `1.${String(position)}.0` };
          expect(refuseVersion(one, made)).toBeNull();
          made.push(one);
        }
      }),
    );
  });
});
