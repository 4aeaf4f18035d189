import { createStory } from "@sluice/simulator/story";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { startWholePath, testQueues, type WholePath } from "../test-whole-path.ts";
import { tellStory } from "./tell-story.ts";

let path: WholePath;

beforeAll(async () => {
  const [queue] = testQueues(inject("redisUrl"));
  path = await startWholePath(inject("postgresUrl"), queue!);
});

afterAll(() => path.close());

test("the story tells what became of each webhook, what a comment asked for, and what is not to be run any more (rules 22, 24, 27)", async () => {
  const { bitbucket, store } = path;
  const story = createStory(bitbucket);
  const ofKind = (wanted: "stack" | "module") =>
    story.targets
      .filter(({ kind }) => kind === wanted)
      .map(({ name, projectRoot, additionalGlobs }) => {
        return { name, project_root: projectRoot, project_globs: additionalGlobs };
      });
  await path.declare(story.repository, { stacks: ofKind("stack"), modules: ofKind("module") });
  let told = "";
  const print = (text: string) => void (told += text);
  await tellStory({ story, bitbucket, store, print, signal: new AbortController().signal });

  expect(told).not.toMatch(/still being worked on|failed/);
  expect(told.match(/─▶ 202 in \d+ ms/g)).toHaveLength(11);
  // Whether it is the push that makes the runs or the update is nobody's to say: they come at the same time.
  const [, updated = ""] = /\n5\. (.*)\n6\. /s.exec(told) ?? [];
  for (const target of ["web", "worker"]) {
    expect(updated).toMatch(new RegExp(`▶ (?:\\w+, )*${target}(?:, \\w+)*: A proposed run was triggered: `));
  }
  expect(told).toMatch(
    /^ {3}✕ web: its proposed run of \w{12} is superseded: trigger \S+ is of a newer push /m,
  );
  expect(told).toContain(
    "▶ network: A proposed run was triggered: a comment asked for it (/sluice propose network).",
  );
  expect(
    told.match(/✕ (?:web|worker|network): its proposed run of \w{12} is canceled: its branch was /g),
  ).toHaveLength(3);
});
