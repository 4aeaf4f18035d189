/** Every reason that can be reached (rule 25), by the shortest history that leads to it, with its sentence. */
import type { Evidence } from "@sluice/domain/decide";
import { explain, type StoredDecision } from "@sluice/domain/explain";
import { toTriggerDocument } from "@sluice/domain/trigger-document";
import { createTestDatabase } from "@sluice/embedded/test-database";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import type { Repository } from "@sluice/simulator/repository";
import { DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { type BitbucketServer, startBitbucketServer } from "@sluice/simulator/rest-server";
import type { WebhookEvent } from "@sluice/simulator/webhook-delivery";
import { migrateStore } from "@sluice/store/migrate";
import { listTriggerRecords } from "@sluice/store/trigger-records";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { startTestSweep, type TestSweep } from "./repair/test-sweep.ts";
import { resolveHeldEvent } from "./write/resolve-held.ts";

const bitbucket = createBitbucket({ seed: "reasons" });
const bob = bitbucket.createUser("Bob");
let server: BitbucketServer;
let sweeps: TestSweep;
let repository: Repository;
let made = 0;

beforeAll(async () => {
  server = await startBitbucketServer({ bitbucket });
  sweeps = await startTestSweep(
    await createTestDatabase({ serverUrl: inject("postgresUrl"), migrate: migrateStore, key: "store" }),
    { url: server.url, token: DEFAULT_CREDENTIALS[0]!.token },
  );
});

afterAll(async () => {
  await server.close();
  await sweeps.close();
});

beforeEach(async () => {
  await sweeps.begin();
  repository = bitbucket.createRepository({ workspace: "acme", slug: `reasons-${String((made += 1))}` });
});

const tell = (webhooks: readonly WebhookEvent[]) => sweeps.tell(...webhooks);
const push = (file = "network/main.tf", branch = "main") =>
  repository.push({ branch, files: { [file]: String((made += 1)) } });

/** A push of its own branch, and a pull request of it, neither of which is told. */
function aPullRequest() {
  push();
  const pushed = push("network/main.tf", "feature");
  return { pushed, pull: repository.openPullRequest({ title: "Wider", source: "feature" }) };
}

const aStack = (projectRoot = "") =>
  sweeps.worker.aStack("network", { projectRoot, repository: repository.fullName });

async function aModule(from: "tag" | "file"): Promise<string> {
  const id = await aStack("network");
  await sweeps.worker.store.sql`
    UPDATE sluice.targets SET kind = 'module', module_version_source = ${from} WHERE id = ${id}`;
  return id;
}

/** The latest decision, and what a person reads of it. */
async function lastDecision() {
  const [row] = await sweeps.worker.store.sql<(StoredDecision & { eventId: string })[]>`
    SELECT decisions.reason, decisions.evidence, decisions.run_type, decisions.event_id FROM sluice.decisions
    JOIN sluice.events ON events.id = event_id JOIN sluice.deliveries ON deliveries.id = delivery_id
    WHERE integration_id = ${sweeps.worker.integrationId()} ORDER BY events.sequence DESC LIMIT 1`;
  if (row === undefined) throw new Error("nothing is decided");
  return { ...row, sentence: explain(row) };
}

/** The documents that a scheduler is given of a target's triggers. */
async function documentsOf(target: string) {
  const ids = await sweeps.worker.store.sql<{ id: string }[]>`
    SELECT id FROM sluice.triggers WHERE target_id = ${target} ORDER BY position`;
  const records = await listTriggerRecords(
    sweeps.worker.store,
    ids.map(({ id }) => id),
  );
  return records.map((record) => toTriggerDocument(record, { showLeaseToken: false }));
}

const HISTORIES: Record<string, readonly [sentence: RegExp, history: () => Promise<void>]> = {
  triggered: [
    /^A tracked run was triggered: every push on the tracked branch main/,
    async () => {
      await aStack();
      await tell(push().webhooks);
    },
  ],
  no_target: [/^No stack or module uses/, () => tell(push().webhooks)],
  outside_project_root: [
    /^No changed file is under/,
    async () => {
      await aStack("network");
      await tell(push().webhooks);
      await tell(push("README.md").webhooks);
    },
  ],
  tag: [
    /^v1\.0\.0 is a tag/,
    async () => {
      await aStack();
      push();
      await tell(repository.createTag({ tag: "v1.0.0" }).webhooks);
    },
  ],
  branch_deleted: [
    /^The branch feature was deleted/,
    async () => {
      await aStack();
      push();
      await tell(push("a", "feature").webhooks);
      await tell(repository.deleteBranch("feature").webhooks);
    },
  ],
  metadata_only: [
    /^Pull request 1 was edited/,
    async () => {
      await aStack();
      const { pull } = aPullRequest();
      await tell(pull.webhooks);
      await tell(pull.edit({ title: "Wider still" }).webhooks);
    },
  ],
  fork_not_allowed: [
    /^Pull request 1 comes from the fork grace\//,
    async () => {
      await aStack();
      push();
      const from = bitbucket.fork(repository, { workspace: "grace" });
      from.push({ branch: "feature", files: { a: "1" } });
      await tell(repository.openPullRequest({ title: "Wider", source: "feature", from }).webhooks);
    },
  ],
  duplicate: [
    /^This commit already has such a run/,
    async () => {
      await aStack();
      const { pushed, pull } = aPullRequest();
      await tell(pushed.webhooks);
      await tell(pull.webhooks);
    },
  ],
  stale: [
    /^Pull request 1 has come to another commit since/,
    async () => {
      await aStack();
      const { pull } = aPullRequest();
      const approved = pull.approve(bob);
      const moved = push("network/main.tf", "feature").webhooks;
      await tell([...pull.webhooks, ...moved, ...approved.webhooks]);
    },
  ],
  unsupported_event: [
    /^Sluice does not act on repo:commit_status_created/,
    async () => {
      const { hash } = push();
      const text = { name: "CI", description: "", refname: "main", url: "https://ci.example/1" };
      const status = { key: "ci", state: "SUCCESSFUL", ...text } as const;
      await tell(repository.reportStatus(hash, status).webhooks);
    },
  ],
  not_a_command: [
    /^The comment asks for no run/,
    async () => {
      await aStack();
      const { pull } = aPullRequest();
      await tell(pull.webhooks);
      await tell(pull.comment(bob, "Looks good").webhooks);
    },
  ],
  command_refused: [
    /was refused: no target of the repository is named "nowhere"/,
    async () => {
      await aStack();
      const { pull } = aPullRequest();
      await tell(pull.webhooks);
      await tell(pull.comment(bob, "/sluice deploy nowhere").webhooks);
    },
  ],
  integration_detached: [
    /^The target has no integration/,
    async () => {
      const stack = await aStack();
      await sweeps.worker.store.sql`UPDATE sluice.targets SET integration_id = NULL WHERE id = ${stack}`;
      await tell(push().webhooks);
    },
  ],
  target_disabled: [
    /^The target is disabled/,
    async () => {
      const stack = await aStack();
      await sweeps.worker.store.sql`UPDATE sluice.targets SET enabled = false WHERE id = ${stack}`;
      await tell(push().webhooks);
    },
  ],
  run_limit: [
    /^The event would have triggered 2 runs/,
    async () => {
      await aStack();
      await sweeps.worker.aStack("other", { repository: repository.fullName });
      const [webhook] = push().webhooks;
      const delivery = sweeps.worker.aDelivery(JSON.stringify(webhook?.body));
      await sweeps.worker.handle([delivery], sweeps.worker.newPipeline(undefined, undefined, 1));
    },
  ],
  closed: [
    /^Pull request 1 was declined/,
    async () => {
      await aStack();
      const { pull } = aPullRequest();
      await tell(pull.webhooks);
      await tell(pull.decline().webhooks);
    },
  ],
  held: [/^Held for a person: the changed files are not known/, aHeldPush],
  baseline: [
    /^A sweep found main here when it first looked/,
    async () => {
      await aStack();
      await tell(push().webhooks);
      push();
      await sweeps.sweepNow();
    },
  ],
  module_version_refused: [
    /^The module's version 1\.1\.0 is not above its last, 1\.2\.0/,
    async () => {
      await aModule("tag");
      push();
      await tell(repository.createTag({ tag: "v1.2.0" }).webhooks);
      push();
      await tell(repository.createTag({ tag: "v1.1.0" }).webhooks);
    },
  ],
};

/** Bitbucket cannot say what the second push to a target below `network` changed. */
async function aHeldPush(): Promise<void> {
  await aStack("network");
  await holdPush("network/main.tf");
}

async function holdPush(file: string): Promise<void> {
  await tell(push().webhooks);
  const mend = server.injectFault("GET *diffstat*", { kind: "status", status: 555 });
  try {
    await tell(push(file).webhooks);
  } finally {
    mend();
  }
}

test.each(Object.entries(HISTORIES))(
  "%s is reached, and explained (rule 25)",
  async (reason, [sentence, history]) => {
    await history();
    const decision = await lastDecision();
    expect(decision.reason).toBe(reason);
    expect(decision.sentence).toMatch(sentence);
  },
);

describe("the version of a module (rule 31)", () => {
  test("is the tag's, in the document that a scheduler is given", async () => {
    const target = await aModule("tag");
    push();
    await tell(repository.createTag({ tag: "v1.2.3" }).webhooks);
    expect(await documentsOf(target)).toMatchObject([{ run_type: "tracked", module_version: "1.2.3" }]);
  });

  test("is that of its file, or 0.1.0; of a proposed run it is null", async () => {
    const target = await aModule("file");
    await tell(push().webhooks);
    const files = { "network/.sluice/config.yml": "module_version: 1.4.0\n" };
    await tell(repository.push({ files }).webhooks);
    await tell(push("network/main.tf", "feature").webhooks);
    expect(
      (await documentsOf(target)).map(({ run_type: type, module_version: version }) => [type, version]),
    ).toEqual([
      ["tracked", "0.1.0"],
      ["tracked", "1.4.0"],
      ["proposed", null],
    ]);
  });

  test("is kept while its run is held, and is refused where it was given before (rules 17, 31)", async () => {
    const target = await aModule("file");
    const files = { "network/.sluice/config.yml": "module_version: 1.0.0\n" };
    repository.push({ files });
    await holdPush("network/main.tf");
    const { eventId, evidence } = await lastDecision();
    const held: Evidence = { moduleVersion: { version: "1.0.0", last: null } };
    expect(evidence).toMatchObject(held);
    const settled = await resolveHeldEvent(sweeps.worker.store, {
      eventId,
      choice: { kind: "all" },
      by: "ada",
    });
    expect(settled).toMatchObject([{ outcome: "ignore", reason: "module_version_refused" }]);
    expect((await documentsOf(target)).map((document) => document.module_version)).toEqual(["1.0.0"]);
  });

  test("goes with the run that a person releases", async () => {
    const target = await aModule("file");
    await tell(push().webhooks);
    const mend = server.injectFault("GET *diffstat*", { kind: "status", status: 555 });
    const files = { "network/.sluice/config.yml": "module_version: 2.0.0\n" };
    await tell(repository.push({ files }).webhooks);
    mend();
    const { eventId } = await lastDecision();
    await resolveHeldEvent(sweeps.worker.store, { eventId, choice: { kind: "all" }, by: "ada" });
    expect((await documentsOf(target)).map((document) => document.module_version)).toEqual([
      "0.1.0",
      "2.0.0",
    ]);
  });
});
