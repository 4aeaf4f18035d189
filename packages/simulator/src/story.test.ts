import { expect, it } from "vitest";
import { createBitbucket } from "./bitbucket.ts";
import { createStory } from "./story.ts";

it("the story plays from its first to its last step, and every step sends its webhooks", () => {
  const { steps } = createStory(createBitbucket({ seed: "story" }));
  const told = steps.map((step) => step.perform().webhooks.map((webhook) => webhook.eventKey));
  expect(told).toEqual([
    ["repo:push"],
    ["repo:push"],
    ["repo:push"],
    ["pullrequest:created"],
    ["repo:push", "pullrequest:updated"],
    ["pullrequest:comment_created"],
    ["pullrequest:approved"],
    ["repo:push", "repo:push", "pullrequest:fulfilled"],
  ]);
});

it("the targets' folders hold files from the first commit on", () => {
  const { repository, targets } = createStory(createBitbucket({ seed: "story" }));
  const paths = [...(repository.state.branches.get("main")?.tree.keys() ?? [])];
  for (const target of targets) {
    expect(paths.filter((path) => path.startsWith(`${target.projectRoot}/`))).not.toEqual([]);
  }
});
