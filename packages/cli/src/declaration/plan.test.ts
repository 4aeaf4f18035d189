import type {
  DeclaredState,
  StoredIntegration,
  StoredSpace,
  StoredTarget,
} from "@sluice/store/declared-state";
import { describe, expect, test } from "vitest";

import type {
  Declaration,
  DeclaredIntegration,
  DeclaredSpace,
  DeclaredTarget,
  Section,
} from "./declaration.ts";
import { describePlan, formatPlan } from "./describe-plan.ts";
import { isEmptyPlan, type Plan, planChanges, type PlanInput } from "./plan.ts";
import type { StoredSecrets } from "./plan-secrets.ts";

const locate = () => ({ file: "s.yaml", line: 1, column: 1 });
const TOKEN = "LEAK-token";
const SECRET = "LEAK-secret";
const ROOT: StoredSpace = { id: "root", name: "root", parent: null, inheritEntities: false };
const ALL: readonly Section[] = ["spaces", "integrations", "stacks", "modules"];

function aSpace(over: Partial<DeclaredSpace> = {}): DeclaredSpace {
  return { name: "team", parent: "root", inheritEntities: false, locate, ...over };
}

const INTEGRATION = {
  name: "acme",
  slug: "acme",
  space: null,
  credentialKind: "access_token",
  credentialEmail: null,
  checksMode: "individual",
  labels: [],
  description: "",
  callsPerHour: 1000,
  credentialExpiresAt: null,
  enabled: true,
} as const;

function anIntegration(over: Partial<DeclaredIntegration> = {}): DeclaredIntegration {
  return {
    ...INTEGRATION,
    token: TOKEN,
    webhookSecret: SECRET,
    previousWebhookSecret: null,
    secretOverlapMs: 3_600_000,
    locate,
    ...over,
  };
}

function aStoredIntegration(over: Partial<StoredIntegration> = {}): StoredIntegration {
  return {
    ...INTEGRATION,
    id: "i-acme",
    credentialCiphertext: "c1",
    webhookSecretCiphertext: "c2",
    previousSecretCiphertext: null,
    previousSecretExpiresAt: null,
    ...over,
  };
}

const TARGET = {
  kind: "stack",
  name: "network",
  space: "root",
  integration: "acme",
  repository: "acme/infra",
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
} as const;

function aTarget(over: Partial<DeclaredTarget> = {}): DeclaredTarget {
  return { ...TARGET, locate, ...over };
}

function aStoredTarget(over: Partial<StoredTarget> = {}): StoredTarget {
  return { ...TARGET, id: "t-network", repositoryIsSeen: true, repositoryIsLatest: true, ...over };
}

interface Given {
  readonly declared?: Partial<Omit<Declaration, "sections">>;
  readonly sections?: readonly Section[];
  readonly stored?: Partial<DeclaredState>;
  readonly secrets?: Partial<StoredSecrets>;
  readonly prune?: boolean;
}

function plan({ declared = {}, sections = ALL, stored = {}, secrets = {}, prune = false }: Given): Plan {
  const known = { token: TOKEN, webhookSecret: SECRET, previousSecret: null, ...secrets };
  const input: PlanInput = {
    declaration: { sections: new Set(sections), spaces: [], integrations: [], targets: [], ...declared },
    stored: { spaces: [ROOT], integrations: [], targets: [], ...stored },
    secrets: new Map([["i-acme", known]]),
    prune,
  };
  return planChanges(input);
}

describe("entries", () => {
  test("that are not stored are created, each in one line", () => {
    const made = plan({
      declared: {
        spaces: [aSpace({ inheritEntities: true })],
        integrations: [anIntegration()],
        targets: [aTarget({ space: "team", projectRoot: "net" }), aTarget({ kind: "module", name: "vpc" })],
      },
    });
    expect(formatPlan(made)).toBe(`+ space team: in root, inherits
+ integration acme: the default, /webhooks/bitbucket-cloud/acme
+ stack network in team: acme/infra net on main
+ module vpc in root: acme/infra on main

4 to create, 0 to change, 0 to remove.
`);
  });

  test("that are stored as declared make no change", () => {
    const same = plan({
      declared: { integrations: [anIntegration()], targets: [aTarget()] },
      stored: { integrations: [aStoredIntegration()], targets: [aStoredTarget()] },
      prune: true,
    });
    expect(isEmptyPlan(same)).toBe(true);
    expect(formatPlan(same)).toBe("Nothing to change.\n");
  });

  test("are told apart by space and kind, not by name alone", () => {
    const made = plan({
      declared: {
        integrations: [anIntegration()],
        targets: [aTarget(), aTarget({ kind: "module" }), aTarget({ space: "team" })],
      },
      stored: { integrations: [aStoredIntegration()], targets: [aStoredTarget()] },
    });
    expect(made.targets.create.map(({ kind, space }) => `${kind} ${space}`)).toEqual([
      "module root",
      "stack team",
    ]);
  });

  test("that name no integration use the default", () => {
    const made = plan({
      declared: { integrations: [anIntegration()], targets: [aTarget({ integration: null })] },
      stored: { integrations: [aStoredIntegration()], targets: [aStoredTarget()] },
    });
    expect(isEmptyPlan(made)).toBe(true);
  });
});

describe("a changed key is shown with its old and its new value", () => {
  const cases: [field: string, over: Partial<DeclaredTarget>, shown: string][] = [
    ["tracked_branch", { trackedBranch: "dev" }, '"main" → "dev"'],
    ["project_root", { projectRoot: "net" }, '(none) → "net"'],
    ["project_globs", { projectGlobs: ["a/**"] }, '[] → ["a/**"]'],
    ["labels", { labels: ["a"] }, '[] → ["a"]'],
    ["external_id", { externalId: "n-1" }, '(none) → "n-1"'],
    ["metadata", { metadata: { a: 1 } }, '{} → {"a":1}'],
    ["on_unknown_files", { onUnknownFiles: "hold" }, '(none) → "hold"'],
    ["allowed_fork_workspaces", { allowedForkWorkspaces: ["labs"] }, '[] → ["labs"]'],
    ["deployers", { deployers: ["{1}"] }, '[] → ["{1}"]'],
    ["coalesce", { coalesce: true }, "false → true"],
    ["version_from", { moduleVersionSource: "tag" }, '(none) → "tag"'],
    ["enabled", { enabled: false }, "true → false"],
    ["repository", { repository: "acme/other" }, '"acme/infra" → "acme/other"'],
  ];
  test.each(cases)("%s", (field, over, shown) => {
    const made = plan({
      declared: { integrations: [anIntegration()], targets: [aTarget(over)] },
      stored: { integrations: [aStoredIntegration()], targets: [aStoredTarget()] },
    });
    expect(formatPlan(made)).toContain(`~ stack network in root\n    ${field}: ${shown}\n`);
  });

  test("and the order of the keys of metadata, or the case of a repository, is no change", () => {
    const made = plan({
      declared: {
        integrations: [anIntegration()],
        targets: [aTarget({ metadata: { a: 1, b: 2 }, repository: "Acme/Infra" })],
      },
      stored: {
        integrations: [aStoredIntegration()],
        targets: [aStoredTarget({ metadata: { b: 2, a: 1 } })],
      },
    });
    expect(isEmptyPlan(made)).toBe(true);
  });

  test("and the end of a token is one time, however the store and a file write it", () => {
    const declared = { integrations: [anIntegration({ credentialExpiresAt: "2027-01-31T12:00:00.000Z" })] };
    const of = (credentialExpiresAt: string) =>
      plan({ declared, stored: { integrations: [aStoredIntegration({ credentialExpiresAt })] } });
    expect(isEmptyPlan(of("2027-01-31 12:00:00+00"))).toBe(true);
    expect(formatPlan(of("2027-02-01 12:00:00+00"))).toContain(
      '    credential.expires_at: "2027-02-01T12:00:00.000Z" → "2027-01-31T12:00:00.000Z"\n',
    );
  });

  test("and an integration is switched", () => {
    const made = plan({
      declared: { integrations: [anIntegration({ enabled: false })] },
      stored: { integrations: [aStoredIntegration()] },
    });
    expect(formatPlan(made)).toContain("~ integration acme\n    enabled: true → false\n");
  });

  test("and a detached target gets its integration back", () => {
    const made = plan({
      declared: { integrations: [anIntegration()], targets: [aTarget()] },
      stored: { integrations: [aStoredIntegration()], targets: [aStoredTarget({ integration: null })] },
    });
    expect(formatPlan(made)).toContain('    integration: (none) → "acme"\n');
  });
});

describe("secrets", () => {
  const change = (
    declared: Partial<DeclaredIntegration>,
    stored: Partial<StoredIntegration>,
    secrets: Partial<StoredSecrets>,
  ) => {
    const made = plan({
      declared: { integrations: [anIntegration(declared)] },
      stored: { integrations: [aStoredIntegration(stored)] },
      secrets,
    });
    const text = formatPlan(made) + JSON.stringify(describePlan(made));
    expect(text).not.toContain("LEAK");
    const [update] = made.integrations.update;
    return { secrets: update?.secrets, fields: update?.changes.map(({ field }) => field) ?? [] };
  };

  test("that are the same are kept", () => {
    expect(change({}, {}, {}).fields).toEqual([]);
  });

  test("a new token is set, and shown as changed without its value", () => {
    expect(change({ token: "LEAK-new" }, {}, {})).toMatchObject({
      fields: ["credential.token"],
      secrets: { token: { kind: "set", value: "LEAK-new" }, webhookSecret: { kind: "keep" } },
    });
  });

  test("a new webhook secret makes the old one the previous, for the overlap", () => {
    expect(change({ webhookSecret: "LEAK-new" }, {}, {}).secrets).toEqual({
      token: { kind: "keep" },
      webhookSecret: { kind: "set", value: "LEAK-new" },
      previous: { kind: "set", value: SECRET, expiresInMs: 3_600_000 },
    });
  });

  test("a previous secret that a rotation left ends by itself", () => {
    const left = { previousSecretCiphertext: "c3", previousSecretExpiresAt: "2026-11-24T10:00:00Z" };
    expect(change({}, left, { previousSecret: "LEAK-old" }).fields).toEqual([]);
  });

  test("a previous secret that a file named goes when the file no longer names it", () => {
    const named = { previousSecretCiphertext: "c3" };
    expect(change({}, named, { previousSecret: "LEAK-old" })).toMatchObject({
      fields: ["previous_webhook_secret"],
      secrets: { previous: { kind: "none" } },
    });
  });

  test("a webhook secret that is left out is kept, and generated where there is none", () => {
    expect(change({ webhookSecret: null }, {}, {}).fields).toEqual([]);
    expect(
      change({ webhookSecret: null }, { webhookSecretCiphertext: null }, { webhookSecret: null }),
    ).toMatchObject({
      fields: ["webhook_secret"],
      secrets: { webhookSecret: { kind: "generate" } },
    });
  });
});

describe("removal", () => {
  const stored: Partial<DeclaredState> = {
    spaces: [ROOT, { id: "team", name: "team", parent: "root", inheritEntities: false }],
    integrations: [aStoredIntegration()],
    targets: [aStoredTarget()],
  };

  test("happens only when asked for, and never to the root", () => {
    expect(isEmptyPlan(plan({ stored }))).toBe(true);
    expect(formatPlan(plan({ stored, prune: true }))).toBe(`- stack network in root
- integration acme: its endpoint /webhooks/bitbucket-cloud/acme will refuse deliveries
- space team

0 to create, 0 to change, 3 to remove.
`);
  });

  test("of an integration names the targets that stay without one", () => {
    expect(formatPlan(plan({ stored, sections: ["integrations"], prune: true }))).toBe(
      `! stack network in root: its integration acme is removed, so it ignores events until it has another
- integration acme: its endpoint /webhooks/bitbucket-cloud/acme will refuse deliveries

0 to create, 0 to change, 1 to remove, 1 to detach.
`,
    );
  });

  test("of a space is refused while something stays in it", () => {
    const inTeam = { ...stored, targets: [aStoredTarget({ space: "team" })] };
    expect(() => plan({ stored: inTeam, sections: ["spaces"], prune: true })).toThrow(
      "a space cannot be removed while it is used: stack network is in team",
    );
  });
});
