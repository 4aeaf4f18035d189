import type { StoryTarget } from "@sluice/simulator/story";
import { stringify } from "yaml";

/** What the story's integration is called, and so the end of its webhook endpoint. */
export const DEMO_INTEGRATION = "acme-bitbucket";

/** The file that an operator would write for the story's workspace. */
export function demoDeclaration(repository: string, targets: readonly StoryTarget[]): string {
  const entries = (kind: StoryTarget["kind"]) =>
    targets
      .filter((target) => target.kind === kind)
      .map((target) => ({
        name: target.name,
        space: "root",
        integration: DEMO_INTEGRATION,
        repository,
        tracked_branch: "main",
        project_root: target.projectRoot,
        ...(target.additionalGlobs.length > 0 ? { project_globs: [...target.additionalGlobs] } : {}),
      }));
  return stringify({
    version: 1,
    integrations: [
      {
        name: DEMO_INTEGRATION,
        default: true,
        credential: { kind: "access_token", token: "${SLUICE_DEMO_TOKEN}" },
        webhook_secret: "${SLUICE_DEMO_WEBHOOK_SECRET}",
        description: "The simulated Bitbucket of the demonstration.",
      },
    ],
    stacks: entries("stack"),
    modules: entries("module"),
  });
}
