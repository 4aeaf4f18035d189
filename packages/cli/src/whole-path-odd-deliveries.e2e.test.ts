/** Deliveries over HTTP that concern no stack, or that are not what they say; and tags. */
import type { Repository } from "@sluice/simulator/repository";
import type { WebhookEvent } from "@sluice/simulator/webhook-delivery";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { decisionOn, decisionsIn } from "./test-api-reader.ts";
import { startWholePath, testQueues, type WholePath } from "./test-whole-path.ts";

const queues = testQueues(inject("redisUrl"));

describe.each(queues)("what is signed and concerns nothing, on $name", (queue) => {
  let path: WholePath;
  let repository: Repository;

  beforeAll(async () => {
    path = await startWholePath(inject("postgresUrl"), queue);
  });

  afterAll(() => path.close());

  beforeEach(() => {
    repository = path.aRepository({ "network/main.tf": "1" });
  });

  const push = () => repository.push({ branch: "feature", files: { "network/main.tf": "2" } });
  const open = () => repository.openPullRequest({ title: "Wider", source: "feature" });

  test("a repository without a target has its events kept, and Bitbucket is asked nothing (rules 16, 25)", async () => {
    path.server.clearCalls();
    const told = [
      ...(await path.tell(push)),
      ...(await path.tell(open)),
      ...(await path.tell(push)),
      ...(await path.tell(() =>
        repository.pullRequest(1).comment(path.bitbucket.createUser("Alan"), "/sluice propose"),
      )),
      ...(await path.tell(() => repository.pullRequest(1).merge({ closeSourceBranch: true }))),
    ];
    expect(told).toHaveLength(8);
    for (const delivery of told) expect(decisionsIn(delivery)).toEqual({ "*": "no_target" });
    expect(path.server.calls).toEqual([]);
    expect(await path.triggersOf(repository)).toEqual([]);
  });

  test.each([
    "repo:commit_status_created",
    "pullrequest:comment_deleted",
    "issue:created",
    "repo:a_key_of_the_future",
  ])("%s is kept, and said to be unsupported, whatever its body (rule 10)", async (eventKey) => {
    const told = await path.send(eventKey, { anything: ["at", "all"] });
    expect(told).toMatchObject({ event_key: eventKey, outcome: "unsupported", failure: null });
    expect(decisionsIn(told)).toEqual({ "*": "unsupported_event" });
    expect(told.events[0]?.decisions[0]?.sentence).toBe(`Sluice does not act on ${eventKey}.`);
  });

  test.each<[eventKey: string, told: string, path: string, act: () => readonly WebhookEvent[]]>([
    ["pullrequest:created", "a push", "pullrequest", () => push().webhooks],
    ["repo:push", "an opening", "push", () => open().webhooks],
    ["pullrequest:approved", "an opening", "approval", () => open().webhooks],
    ["pullrequest:changes_request_created", "an opening", "changes_request", () => open().webhooks],
    ["pullrequest:comment_created", "an opening", "comment", () => open().webhooks],
    ["pullrequest:fulfilled", "an opening", "pullrequest.state", () => open().webhooks],
    ["pullrequest:rejected", "an opening", "pullrequest.state", () => open().webhooks],
  ])(
    "%s with the body of %s is failed at %s, and the next is decided (rule 9)",
    async (eventKey, _, where, act) => {
      const mend = path.bitbucket.webhooks.injectFault({ kind: "lose" });
      push();
      const [webhook] = act();
      mend();
      await path.declare(repository, { stacks: [{ name: "network", project_root: "network" }] });
      const told = await path.send(eventKey, webhook!.body);
      expect(told).toMatchObject({
        event_key: eventKey,
        outcome: "failed",
        failure: { code: "invalid_payload", path: where },
        events: [],
      });
      expect(await path.triggersOf(repository)).toEqual([]);
      const [next] = await path.tell(() => repository.push({ files: { "network/main.tf": "3" } }));
      expect(decisionsIn(next)).toEqual({ network: "tracked run" });
    },
  );
});

describe.each(queues)("a tag, on $name", (queue) => {
  let path: WholePath;
  let repository: Repository;

  beforeAll(async () => {
    path = await startWholePath(inject("postgresUrl"), queue);
    repository = path.aRepository({ "modules/vpc/main.tf": "1" });
    await path.declare(repository, {
      stacks: [{ name: "network" }],
      modules: [{ name: "vpc", project_root: "modules/vpc", version_from: "tag" }],
    });
  });

  afterAll(() => path.close());

  const releases = async () =>
    (await path.triggersOf(repository))
      .filter((trigger) => trigger.target.kind === "module" && trigger.run_type === "tracked")
      .map((trigger) => [trigger.module_version, trigger.checkout.sha]);

  test("releases a module at its version, once, and runs no stack (rules 20, 31)", async () => {
    const [pushed] = await path.tell(() => repository.push({ files: { "modules/vpc/main.tf": "2" } }));
    expect(decisionsIn(pushed)).toEqual({ network: "tracked run", vpc: "proposed run" });
    const released = [["1.2.0", repository.head()]];
    const [told] = await path.tell(() => repository.createTag({ tag: "v1.2.0" }));
    expect(decisionsIn(told)).toEqual({ network: "tag", vpc: "tracked run" });
    expect(await releases()).toEqual(released);
    const [older] = await path.tell(() => repository.createTag({ tag: "v1.1.0" }));
    expect(decisionsIn(older)).toEqual({ network: "tag", vpc: "module_version_refused" });
    expect(decisionOn(older, "vpc")?.evidence).toMatchObject({
      module_version: { version: "1.1.0", last: "1.2.0" },
    });
    for (const act of [
      () => repository.createTag({ tag: "nightly", annotation: "not a version" }),
      () => repository.deleteTag("v1.2.0"),
    ]) {
      const [ignored] = await path.tell(act);
      expect(decisionsIn(ignored)).toEqual({ network: "tag", vpc: "tag" });
    }
    expect(await releases()).toEqual(released);
  });
});
