import { expect, test } from "vitest";

import { readTargetEntry } from "./target-entry.ts";

test("what an entry leaves out has its default", () => {
  expect(
    readTargetEntry({ name: "network", repository: "acme/infrastructure", tracked_branch: "main" }),
  ).toEqual({
    name: "network",
    repository: "acme/infrastructure",
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
    enabled: true,
  });
});

test("one thing is spelt in one way, however it was written", () => {
  const entry = { name: "network", repository: "acme/infrastructure", tracked_branch: "main" };
  const deployer = "0F3B0A52-7D1C-4E8E-9A68-52C0B7D1E3F4";
  expect(
    readTargetEntry({
      ...entry,
      project_root: "/infra/",
      project_globs: ["/modules/**/"],
      allowed_fork_workspaces: ["Partners"],
      deployers: [deployer, `{${deployer}}`],
    }),
  ).toMatchObject({
    projectRoot: "infra",
    projectGlobs: ["modules/**"],
    allowedForkWorkspaces: ["partners"],
    deployers: [`{${deployer.toLowerCase()}}`, `{${deployer.toLowerCase()}}`],
  });
});
