import type { StoredIntegration, StoredTarget } from "@sluice/store/declared-state";
import { expect, test } from "vitest";

import { exportDeclaration, formatExport } from "./export-declaration.ts";
import { parseDeclaration } from "./parse-declaration.ts";
import { isEmptyPlan, planChanges } from "./plan.ts";

const INTEGRATION: StoredIntegration = {
  id: "i1",
  name: "Acme Infra",
  slug: "acme-infra",
  space: null,
  credentialKind: "api_token",
  credentialEmail: "bot@acme.example",
  credentialCiphertext: "c",
  webhookSecretCiphertext: "w",
  previousSecretCiphertext: null,
  previousSecretExpiresAt: null,
  checksMode: "individual",
  labels: [],
  description: "",
  callsPerHour: 1000,
  credentialExpiresAt: null,
  enabled: true,
};

const STACK: StoredTarget = {
  id: "t1",
  kind: "stack",
  name: "network",
  space: "root",
  integration: "Acme Infra",
  repository: "acme/infra",
  repositoryIsSeen: true,
  repositoryIsLatest: true,
  trackedBranch: "main",
  projectRoot: "",
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
};

const ROOT = { id: "s0", name: "root", parent: null, inheritEntities: false };

interface State {
  readonly integration?: Partial<StoredIntegration>;
  readonly targets?: readonly Partial<StoredTarget>[];
}

function stateOf({ integration = {}, targets = [{}] }: State) {
  return {
    spaces: [ROOT, { id: "s1", name: "Zahlungen ☂", parent: "root", inheritEntities: true }],
    integrations: [{ ...INTEGRATION, ...integration }],
    targets: targets.map((target, index) => ({ ...STACK, id: `t${String(index)}`, ...target })),
  };
}

const SECRETS = {
  token: "the-token-itself",
  webhookSecret: "the-webhook-secret-itself",
  previousSecret: "the-secret-before-it",
};

/** What applying the exported file would do, with the secrets that are stored. */
function applyAgain(state: State, { prune = true } = {}) {
  const stored = stateOf(state);
  const exported = exportDeclaration(stored);
  const text = formatExport(exported);
  const values = {
    _TOKEN: SECRETS.token,
    _WEBHOOK_SECRET: SECRETS.webhookSecret,
    _PREVIOUS_SECRET: SECRETS.previousSecret,
  };
  const environment = Object.fromEntries(
    exported.variables.map(({ name }) => [
      name,
      Object.entries(values).find(([ending]) => name.endsWith(ending))?.[1],
    ]),
  );
  const declaration = parseDeclaration([{ file: "exported.yaml", text }], environment);
  const secrets = new Map(stored.integrations.map(({ id }) => [id, SECRETS]));
  return { text, exported, plan: planChanges({ declaration, stored, secrets, prune }) };
}

const AWKWARD = [
  "null",
  "~",
  "yes",
  "no",
  "on",
  "true",
  "0x10",
  "1e3",
  "0o17",
  ".inf",
  "007",
  "12",
  "2027-01-31",
  "<<",
  "=",
  "-",
  "- a",
  "? b",
  "a: b",
  "a #b",
  "#a",
  "'",
  '"',
  "&a",
  "*a",
  "!a",
  "%a",
  "@a",
  "`a",
  "{a}",
  "[a]",
  "a,b",
  "| a",
  "> a",
  "${HOME}",
  "$(id)",
  "a\\b",
  "ümläut",
  "日本語",
  "👩‍👩‍👧",

  "constructor",
  "---",
  "...",
  "é",
];

test.each(AWKWARD)("whatever it holds, applied again it changes nothing: %j", (text) => {
  const { plan } = applyAgain({
    integration: { description: text, labels: [text] },
    targets: [
      {
        name: text,
        externalId: text,
        labels: [text, text],
        metadata: JSON.parse(JSON.stringify({ [text]: text, list: [text, 1, null, true, { [text]: [] }] })),
      },
    ],
  });
  expect(plan.targets.update).toEqual([]);
  expect(isEmptyPlan(plan)).toBe(true);
});

test("every setting comes back, of stacks and of modules", () => {
  const settings: Partial<StoredTarget> = {
    space: "Zahlungen ☂",
    projectRoot: "infra/network",
    projectGlobs: ["lib/**", "*.{tf,tfvars}", "[a-z]?"],
    onUnknownFiles: "hold",
    allowedForkWorkspaces: ["acme-labs"],
    deployers: ["{aaaaaaaa-0000-4000-8000-000000000001}"],
    coalesce: true,
    enabled: false,
    metadata: { text: "a\nb\u2028c\u0085d\u001be\ufefff", number: 1e21, deep: { list: [[1.5, "1.5"]] } },
  };
  const { plan, exported } = applyAgain({
    integration: {
      space: "Zahlungen ☂",
      credentialKind: "access_token",
      credentialEmail: null,
      checksMode: "all",
      callsPerHour: 7,
      enabled: false,
      credentialExpiresAt: "2027-01-31 12:00:00.5+00",
      description: "# Title\n\n  text  \r\n\u001b[31m\u0085\u2028x\ttab\n\n",
      previousSecretCiphertext: "p",
    },
    targets: [settings, { ...settings, kind: "module", moduleVersionSource: "tag" }],
  });
  expect(exported.notes).toEqual([]);
  expect(isEmptyPlan(plan)).toBe(true);
});

test("no secret is in it, and the variables that it needs are said at its top", () => {
  const { text } = applyAgain({ integration: { previousSecretCiphertext: "p" } });
  for (const secret of Object.values(SECRETS)) expect(text).not.toContain(secret);
  expect(text.split("version: 1")[0]).toBe(
    [
      "# Written by `sluice export`.",
      "# What it refers to, as variables of whoever applies it:",
      "#   ACME_INFRA_TOKEN            token of Acme Infra",
      "#   ACME_INFRA_WEBHOOK_SECRET   webhook secret of Acme Infra; without its line, the stored one is kept",
      "#   ACME_INFRA_PREVIOUS_SECRET  webhook secret of Acme Infra that still verifies",
      "",
    ].join("\n"),
  );
  expect(text).toContain("token: ${ACME_INFRA_TOKEN}\n");
});

test("a secret of a rotation, which ends by itself, is not named and stays", () => {
  const rotated = { previousSecretCiphertext: "p", previousSecretExpiresAt: "2027-01-01 00:00:00+00" };
  const { plan, text } = applyAgain({ integration: rotated });
  expect(text).not.toContain("PREVIOUS");
  expect(isEmptyPlan(plan)).toBe(true);
});

test.each(["3m", "a-b", "a"])(
  "the variables of an integration with the slug %s have names that a shell takes",
  (slug) => {
    const { variables } = exportDeclaration(stateOf({ integration: { slug } }));
    for (const { name } of variables) expect(name).toMatch(/^[A-Z_][A-Z0-9_]*$/);
  },
);

test("what a file cannot say is told: what is detached, gone, or without a source of its version", () => {
  const { exported, plan } = applyAgain(
    {
      targets: [
        { name: "detached", integration: null },
        { name: "gone", repositoryIsLatest: false },
        { name: "old", kind: "module", moduleVersionSource: null },
      ],
    },
    { prune: false },
  );
  expect(exported.notes).toEqual([
    expect.stringContaining("the stack detached of the space root is detached, and left out"),
    expect.stringContaining(
      "the stack gone of the space root is bound to a repository acme/infra that is gone",
    ),
    expect.stringContaining("the module old of the space root does not say where its version comes from"),
  ]);
  expect(plan.targets.update.map(({ stored }) => stored.name)).toEqual(["gone", "old"]);
  expect([...plan.targets.create, ...plan.targets.remove]).toEqual([]);
});
