import { listWebhookIntegrations } from "@sluice/store/integrations";
import { lockSeenRepositories } from "@sluice/store/repositories";
import { withTransaction } from "@sluice/store/transaction";
import { expect, test } from "vitest";

import { formatPlan } from "./describe-plan.ts";
import { isEmptyPlan } from "./plan.ts";
import { ACME, STACKS, useScene } from "./test-scene.ts";

const scene = useScene();

test("a target is bound to the repository that deliveries named, whatever the case of its name", async () => {
  await scene.apply(ACME);
  const [integration] = await listWebhookIntegrations(scene.store);
  const uuid = "{11111111-0000-4000-8000-000000000001}";
  const seen = [{ integrationId: integration!.id, uuid, fullName: "acme/infra" }];
  await withTransaction(scene.store, (tx) => lockSeenRepositories(tx, seen));
  await scene.apply(`${ACME}\n${STACKS.replaceAll("acme/infra", "ACME/Infra")}`);
  expect((await scene.targetRows()).map((row) => row.uuid)).toEqual([uuid, uuid]);
});

test("the first delivery tells the uuid of a repository that a target named before", async () => {
  await scene.apply(`${ACME}\n${STACKS}`);
  expect((await scene.targetRows()).map((row) => row.uuid)).toEqual([null, null]);
  const [integration] = await listWebhookIntegrations(scene.store);
  const uuid = "{11111111-0000-4000-8000-000000000001}";
  const seen = [{ integrationId: integration!.id, uuid, fullName: "acme/infra" }];
  await withTransaction(scene.store, (tx) => lockSeenRepositories(tx, seen));
  expect((await scene.targetRows()).map((row) => row.uuid)).toEqual([uuid, uuid]);
});

test("another repository binds the target anew, with a note where it may be the same one renamed", async () => {
  await scene.apply(`${ACME}\n${STACKS}`);
  const [integration] = await listWebhookIntegrations(scene.store);
  const seen = [{ integrationId: integration!.id, uuid: "{1}", fullName: "acme/infra" }];
  await withTransaction(scene.store, (tx) => lockSeenRepositories(tx, seen));
  const { plan } = await scene.apply(`${ACME}\n${STACKS.replace("acme/infra", "acme/other")}`);
  expect(formatPlan(plan)).toContain('repository: "acme/infra" → "acme/other"');
  expect(plan.notes).toEqual([expect.stringContaining("If the repository was renamed, write acme/infra.")]);
  expect((await scene.targetRows()).map((row) => [row.fullName, row.uuid])).toEqual([
    ["acme/other", null],
    ["acme/infra", "{1}"],
  ]);
});

test("a repository that was deleted and made again under its name is bound anew", async () => {
  await scene.apply(`${ACME}\n${STACKS}`);
  const [integration] = await listWebhookIntegrations(scene.store);
  for (const uuid of ["{1}", "{2}"]) {
    const seen = [{ integrationId: integration!.id, uuid, fullName: "acme/infra" }];
    await withTransaction(scene.store, (tx) => lockSeenRepositories(tx, seen));
  }
  expect((await scene.targetRows()).map((row) => row.uuid)).toEqual(["{1}", "{1}"]);
  const { plan } = await scene.apply(`${ACME}\n${STACKS}`);
  expect(formatPlan(plan)).toContain('repository: "acme/infra" → "acme/infra (made again)"');
  expect((await scene.targetRows()).map((row) => row.uuid)).toEqual(["{2}", "{2}"]);
  expect(isEmptyPlan((await scene.apply(`${ACME}\n${STACKS}`)).plan)).toBe(true);
});
