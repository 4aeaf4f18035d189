import { describe, expect, test } from "vitest";

import { parseDeclaration } from "./parse-declaration.ts";
import { ENVIRONMENT, problemsOf, problemsOfFiles } from "./test-problems.ts";

const INTEGRATION = `
integrations:
  - name: acme
    default: true
    credential: { kind: access_token, token: "\${TOKEN}" }`;

/** A stack on lines 7 to 10, after an integration that it can use. */
function aStack(lines: string): string {
  return `version: 1${INTEGRATION}
stacks:
  - name: network
    repository: acme/infra
    tracked_branch: main
    ${lines}`;
}

describe("a file that is right", () => {
  test("gives what it declares, with defaults filled in and slashes trimmed", () => {
    const { targets, integrations } = parseDeclaration(
      [{ file: "s.yaml", text: aStack("project_root: /stacks/network/") }],
      ENVIRONMENT,
    );
    const { locate, ...target } = targets[0]!;
    expect(target).toEqual({
      kind: "stack",
      name: "network",
      space: "root",
      integration: null,
      repository: "acme/infra",
      trackedBranch: "main",
      projectRoot: "stacks/network",
      projectGlobs: [],
      labels: [],
      externalId: null,
      metadata: {},
      onUnknownFiles: null,
      allowedForkWorkspaces: [],
      deployers: [],
      coalesce: false,
      moduleVersionSource: null,
      enabled: true,
    });
    expect(locate()).toEqual({ file: "s.yaml", line: 7, column: 5 });
    expect(integrations[0]).toMatchObject({
      slug: "acme",
      space: null,
      token: ENVIRONMENT.TOKEN,
      webhookSecret: null,
    });
  });

  test("may leave what stacks share to defaults, and a stack may say otherwise", () => {
    const { targets } = parseDeclaration(
      [
        {
          file: "s.yaml",
          text: `version: 1${INTEGRATION}
defaults: { repository: acme/infra, tracked_branch: main, labels: [shared] }
stacks:
  - { name: one }
  - { name: two, tracked_branch: release, labels: [] }
modules:
  - { name: one }`,
        },
      ],
      ENVIRONMENT,
    );
    expect(targets.map((target) => [target.kind, target.name, target.trackedBranch, target.labels])).toEqual([
      ["stack", "one", "main", ["shared"]],
      ["stack", "two", "release", []],
      ["module", "one", "main", ["shared"]],
    ]);
  });

  test("says for each module where its version comes from: a file, unless it says a tag (rule 31)", () => {
    const text = `version: 1${INTEGRATION}
defaults: { repository: acme/modules, tracked_branch: main }
modules:
  - { name: vpc }
  - { name: dns, version_from: tag }
  - { name: zone, version_from: file }`;
    const { targets } = parseDeclaration([{ file: "s.yaml", text }], ENVIRONMENT);
    expect(targets.map(({ name, moduleVersionSource }) => [name, moduleVersionSource])).toEqual([
      ["vpc", "file"],
      ["dns", "tag"],
      ["zone", "file"],
    ]);
  });

  test("may be spread over several files, each with its own defaults", () => {
    const { targets, sections } = parseDeclaration(
      [
        { file: "one.yaml", text: aStack("labels: []") },
        {
          file: "two.yaml",
          text: "version: 1\ndefaults: { tracked_branch: dev }\nmodules: [{ name: m, repository: acme/m }]",
        },
      ],
      ENVIRONMENT,
    );
    expect(targets.map((target) => target.trackedBranch)).toEqual(["main", "dev"]);
    expect([...sections]).toEqual(["integrations", "stacks", "modules"]);
  });

  test("may share through YAML anchors below a key that begins with x-", () => {
    const text = `version: 1${INTEGRATION}
x-live: &live { tracked_branch: release, labels: [live] }
stacks:
  - { <<: *live, name: one, repository: acme/infra }`;
    expect(parseDeclaration([{ file: "s.yaml", text }], ENVIRONMENT).targets[0]?.trackedBranch).toBe(
      "release",
    );
  });
});

describe("a problem is shown with its line and column", () => {
  const cases: [title: string, text: string, ...problems: string[]][] = [
    [
      "YAML syntax",
      "version: 1\nstacks: [",
      "s.yaml:2:10: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
    ],
    ["a key twice", "version: 1\nversion: 1", "s.yaml:2:1: not valid YAML: Map keys must be unique"],
    [
      "an unresolved alias",
      "version: 1\nstacks: *nowhere",
      "s.yaml:2:9: there is no anchor &nowhere before its alias",
    ],
    ["an empty file", "", "s.yaml:1:1: the file must be a map that begins with version: 1"],
    ["no version", "stacks: []", "s.yaml:1:1: version is missing: write version: 1"],
    [
      "another version",
      "version: 2",
      "s.yaml:1:10: version is not one that this Sluice reads: write version: 1",
    ],
    ["an unknown section", "version: 1\nstakcs: []", "s.yaml:2:1: unknown key stakcs (did you mean stacks?)"],
    [
      "a section that is no list",
      "version: 1\nstacks:",
      "s.yaml:2:8: stacks must be a list (write [] for an empty one)",
    ],
    [
      "an entry that is no map",
      "version: 1\nspaces: [platform]",
      "s.yaml:2:10: the entry must be a map, and is text",
    ],
    [
      "an unknown key",
      aStack("projct_root: x"),
      "s.yaml:10:5: unknown key projct_root (did you mean project_root?)",
    ],
    [
      "a key far from all others",
      "version: 1\nspaces: [{ name: a, zzzzzzz: 1 }]",
      "s.yaml:2:21: unknown key zzzzzzz (there are name, parent, inherit_entities)",
    ],
    [
      "a missing key",
      `version: 1${INTEGRATION}\nstacks:\n  - name: network\n    tracked_branch: main`,
      "s.yaml:7:5: repository is missing",
    ],
    ["a wrong type", aStack("labels: platform"), "s.yaml:10:13: labels must be a list, and is text"],
    [
      "a number for text",
      aStack("external_id: 1234"),
      "s.yaml:10:18: external_id must be text: put 1234 between quotes",
    ],
    [
      "a word for a choice",
      aStack("enabled: maybe"),
      "s.yaml:10:14: enabled must be true or false, and is text",
    ],
    [
      "a day that is none",
      `version: 1${INTEGRATION.replace(" }", ", expires_at: 2027-02-30 }")}`,
      's.yaml:5:70: expires_at "2027-02-30" is neither a day such as 2027-01-31 nor a time such as 2027-01-31T12:00:00Z',
    ],
    [
      "a word of another list",
      aStack("on_unknown_files: rum"),
      's.yaml:10:23: on_unknown_files "rum" is not one of run, hold, skip',
    ],
    [
      "a glob that does not compile",
      aStack("project_globs: ['ok/**', 'a[']"),
      's.yaml:10:30: project_globs "a[" is not a glob: the [ is not closed (character 2)',
    ],
    [
      "a glob that excludes",
      aStack("project_globs: ['!docs/**']"),
      's.yaml:10:21: project_globs "!docs/**" begins with !, and a glob cannot exclude',
    ],
    [
      "a root outside the repository",
      aStack("project_root: ../other"),
      's.yaml:10:19: project_root "../other" is not a folder as seen from the top of the repository: write it without . or .. and with /',
    ],
    [
      "a branch that git refuses",
      aStack("labels: []").replace("main", "'my branch'"),
      's.yaml:9:21: tracked_branch "my branch" is not the name of a branch: write it without refs/heads/, blanks or any of ~ ^ : ? * [ \\',
    ],
    [
      "a branch as a ref",
      aStack("labels: []").replace("main", "refs/heads/main"),
      's.yaml:9:21: tracked_branch "refs/heads/main" is not the name of a branch: write it without refs/heads/, blanks or any of ~ ^ : ? * [ \\',
    ],
    [
      "a repository as an address",
      aStack("labels: []").replace("acme/infra", "https://bitbucket.org/acme/infra"),
      's.yaml:8:17: repository "https://bitbucket.org/acme/infra" is not the name of a repository: write workspace/slug, as in its address on bitbucket.org',
    ],
    [
      "metadata that is too large",
      aStack(`metadata: { a: ${"x".repeat(17_000)} }`),
      "s.yaml:10:15: metadata is larger than 16384 bytes",
    ],
    [
      "metadata that JSON cannot say",
      aStack("metadata: { a: .nan }"),
      "s.yaml:10:20: a holds something that JSON cannot say",
    ],
    [
      "a deployer by name",
      aStack("deployers: [alice]"),
      's.yaml:10:17: deployers "alice" is not the uuid of a Bitbucket account',
    ],
    [
      "a version of a stack",
      aStack("version_from: tag"),
      "s.yaml:10:5: version_from is a key of modules: a stack has no version",
    ],
    [
      "a version of every stack and module",
      `version: 1${INTEGRATION}\ndefaults: { version_from: tag }`,
      "s.yaml:6:13: version_from is a key of modules: a stack has no version",
    ],
    [
      "a version from nowhere",
      `version: 1${INTEGRATION}
modules:
  - { name: vpc, repository: acme/vpc, tracked_branch: main, version_from: branch }`,
      's.yaml:7:76: version_from "branch" is not one of tag, file',
    ],
    [
      "a stack twice",
      `${aStack("labels: []")}\n  - { name: network, repository: acme/other, tracked_branch: main }`,
      "s.yaml:11:13: stack network is in space root already (s.yaml:7)",
    ],
    [
      "an unknown space",
      aStack("space: platfrom").replace("stacks:", "spaces: [{ name: platform }]\nstacks:"),
      "s.yaml:11:12: there is no space platfrom (did you mean platform?)",
    ],
    [
      "an unknown integration",
      aStack("integration: acne"),
      "s.yaml:10:18: there is no integration acne (did you mean acme?)",
    ],
    [
      "an integration twice",
      `version: 1${INTEGRATION}\n  - { name: acme, space: root, credential: { kind: access_token, token: "\${TOKEN}" } }`,
      "s.yaml:6:13: integration acme is declared already (s.yaml:3)",
    ],
    [
      "a second default",
      `version: 1${INTEGRATION}\n  - { name: other, default: true, credential: { kind: access_token, token: "\${TOKEN}" } }`,
      "s.yaml:6:29: integration other cannot be the default: acme is",
    ],
    [
      "an endpoint that another has",
      `version: 1${INTEGRATION}\n  - { name: Acme!, space: root, credential: { kind: access_token, token: "\${TOKEN}" } }`,
      "s.yaml:6:13: integration Acme! would have the endpoint of acme (acme): choose another name",
    ],
    [
      "an integration of nowhere",
      `version: 1\nintegrations:\n  - { name: acme, credential: { kind: access_token, token: "\${TOKEN}" } }`,
      "s.yaml:3:13: integration acme must have either default: true or a space",
    ],
    [
      "a name without letters",
      `version: 1\nintegrations:\n  - { name: "本", default: true, credential: { kind: access_token, token: "\${TOKEN}" } }`,
      's.yaml:3:13: name "本" has no letter or digit that the endpoint could be named by',
    ],
    [
      "the root declared",
      "version: 1\nspaces:\n  - { name: root }",
      "s.yaml:3:13: space root is always there: do not declare it",
    ],
    [
      "a circle of parents",
      "version: 1\nspaces:\n  - { name: a, parent: b }\n  - { name: b, parent: a }",
      "s.yaml:3:24: space a is its own ancestor: a → b → a",
    ],
    [
      "an unknown parent",
      "version: 1\nspaces:\n  - { name: a, parent: b }",
      "s.yaml:3:24: there is no parent space b",
    ],
    [
      "a literal secret",
      `version: 1${INTEGRATION}\n    webhook_secret: hunter2-hunter2-hunter2`,
      "s.yaml:6:21: webhook_secret must be a reference such as ${NAME} to an environment variable: a secret does not belong in a file",
    ],
    [
      "a literal token",
      `version: 1${INTEGRATION.replace('"${TOKEN}"', "ATATT3xNotReal")}`,
      "s.yaml:5:46: token must be a reference such as ${NAME} to an environment variable: a secret does not belong in a file",
    ],
    [
      "a token that is a number",
      `version: 1${INTEGRATION.replace('"${TOKEN}"', "123456")}`,
      "s.yaml:5:46: token must be text, and is a number",
    ],
    [
      "a missing variable",
      `version: 1${INTEGRATION}\n    webhook_secret: \${ABSENT}`,
      "s.yaml:6:21: the environment variable ABSENT is not set",
    ],
    [
      "a short webhook secret",
      `version: 1${INTEGRATION}\n    webhook_secret: \${SHORT}`,
      "s.yaml:6:21: the environment variable SHORT has 9 characters: a webhook secret has 16 to 128",
    ],
    [
      "a webhook secret with a line end",
      `version: 1${INTEGRATION}\n    webhook_secret: \${PADDED}`,
      "s.yaml:6:21: the environment variable PADDED begins or ends with a blank or a line end",
    ],
    [
      "an app password",
      `version: 1\nintegrations:\n  - name: acme\n    default: true\n    credential: { kind: app_password, token: "\${TOKEN}" }`,
      "s.yaml:5:25: app passwords are refused: Bitbucket has removed them; make an API token and use api_token",
    ],
    [
      "a credential of no kind",
      `version: 1\nintegrations:\n  - name: acme\n    default: true\n    credential: { token: "\${TOKEN}" }`,
      "s.yaml:5:17: kind is missing: write api_token or access_token",
    ],
    [
      "an API token without its account",
      `version: 1\nintegrations:\n  - name: acme\n    default: true\n    credential: { kind: api_token, token: "\${TOKEN}" }`,
      "s.yaml:5:17: email is missing",
    ],
    [
      "a key of the other kind",
      `version: 1\nintegrations:\n  - name: acme\n    default: true\n    credential: { kind: access_token, emal: a@b.c, token: "\${TOKEN}" }`,
      "s.yaml:5:39: unknown key emal (did you mean email?)",
    ],
  ];
  test.each(cases)("%s", (_, text, ...problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });
});

describe("all problems are shown at once", () => {
  test("of every file, in the order of files and lines", () => {
    const one = { file: "one.yaml", text: "version: 1\nstakcs: []\nspaces: [{ name: a, parent: z }]" };
    const two = {
      file: "two.yaml",
      text: "version: 1\nstacks: [{ name: s, space: b, repository: x, tracked_branch: m }]",
    };
    expect(problemsOfFiles([one, two], {})).toEqual([
      "one.yaml:2:1: unknown key stakcs (did you mean stacks?)",
      "one.yaml:3:29: there is no parent space z",
      'two.yaml:2:43: repository "x" is not the name of a repository: write workspace/slug, as in its address on bitbucket.org',
    ]);
  });

  test("and a wrong default once, however many stacks take it", () => {
    expect(
      problemsOf(
        `version: 1${INTEGRATION}\ndefaults: { tracked_branch: a..b, repositroy: x }\nstacks: [{ name: a, repository: x/a }, { name: b, repository: x/b }]`,
      ),
    ).toEqual([
      expect.stringContaining('s.yaml:6:29: tracked_branch "a..b" is not the name of a branch'),
      "s.yaml:6:35: unknown key repositroy (did you mean repository?)",
    ]);
  });

  test("and one wrong entry does not make what refers to it wrong", () => {
    const text = `version: 1
spaces: [{ name: a, inherit: true }]
integrations: [{ name: acme, space: a, credential: { kind: basic } }]
stacks: [{ name: s, space: a, integration: acme, repository: x/y, tracked_branch: m }]`;
    expect(problemsOf(text)).toEqual([
      "s.yaml:2:21: unknown key inherit (there are name, parent, inherit_entities)",
      's.yaml:3:60: kind "basic" is not known: write api_token or access_token',
    ]);
  });
});

test("no problem repeats a secret or what stands where one belongs", () => {
  const text = `version: 1
integrations:
  - name: acme
    default: true
    credential: { kind: api_token, email: a@b.c, token: LEAKED-token, tokne: "\${TOKEN}" }
    webhook_secret: [LEAKED-secret]
    previous_webhook_secret: "\${LEAKED}-\${LEAKED}"
  - { name: b, space: root, credential: { kind: access_token, token: "\${BAD}" }, webhook_secret: "\${SHORT}" }`;
  const problems = problemsOf(text, { ...ENVIRONMENT, BAD: "LEAKED bad", SHORT: "LEAKED" });
  expect(problems.length).toBeGreaterThan(4);
  expect(problems.join("\n")).not.toContain("LEAKED");
});
