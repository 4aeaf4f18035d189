/**
 * Drives everything that has to do with secrets, well and badly, and then searches all that was written for each of them:
 * logs at their most talkative, every column of every table, the queue, metrics, answers, what commands print.
 * docs/security.md says what this proves and what not.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import { applyFiles, awaitOutcomes, sendWebhooks, WORKER_EVENTS } from "./secrets-stay-secret-events.ts";
import { misuseApi, misuseCommands, useApi, useCommands } from "./secrets-stay-secret-requests.ts";
import { type Scene, startScene } from "./secrets-stay-secret-scene.ts";
import { findLeaks, type Leak } from "./secrets-stay-secret-search.ts";
import { testQueues } from "./test-whole-path.ts";

/** Where a secret may be: once, in the answer to whoever made it or may see it. Everywhere else is a leak. */
const ALLOWED: readonly Omit<Leak, "forms">[] = [
  { place: "sluice apply that makes a secret", secret: "webhook secret that apply made" },
  { place: "answer to POST /v1/integrations", secret: "webhook secret that the API made" },
  { place: "answer to GET /v1/integrations/{id}/webhook", secret: "webhook secret that the API made" },
  { place: "answer to GET /v1/integrations/{id}/webhook", secret: "webhook secret that the API rotated to" },
  {
    place: "answer to POST /v1/integrations/{id}/webhook-secret/rotate",
    secret: "webhook secret that the API rotated to",
  },
  {
    place: "answer to POST /v1/integrations/{id}/webhook-secret/rotate",
    secret: "webhook secret that the API made",
  },
  { place: "answer to POST /v1/api-keys", secret: "API key" },
  { place: "answer to POST /v1/api-keys", secret: "API key that is revoked" },
  { place: "sluice keys generate", secret: "encryption key that was generated" },
  { place: "sluice key create", secret: "API key that a command made" },
  { place: "sluice integration create", secret: "webhook secret that a command made" },
  { place: "sluice integration secret", secret: "webhook secret that a command made" },
  // A field that is not known is named, to whoever has sent it.
  ...["API key", "bootstrap key", "API key that is none"].map((secret) => ({
    place: "answer with a key in the name of a field",
    secret,
  })),
];

describe.each(testQueues(inject("redisUrl")))("with the queue in $name", (queue) => {
  let scene: Scene;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "sluice-secrets-"));
    scene = await startScene(inject("postgresUrl"), queue);
    await applyFiles(scene, folder);
    await sendWebhooks(scene);
    await scene.dump("before the worker");
    await scene.startWorker();
    await awaitOutcomes(scene);
    await useApi(scene);
    await misuseApi(scene);
    await useCommands(scene);
    await misuseCommands(scene, folder);
    await scene.readOperations();
    await scene.dump("at the end");
    await scene.close();
  }, 120_000);

  afterAll(async () => {
    await scene.drop();
    await rm(folder, { recursive: true, force: true });
  });

  test("nothing that is written holds a secret, in any form, but the answer to whoever may see it", () => {
    const leaks = findLeaks(scene.written, scene.secrets);
    const isAllowed = ({ place, secret }: Leak) =>
      ALLOWED.some((one) => one.place === place && one.secret === secret);
    expect(leaks.filter((leak) => !isAllowed(leak))).toEqual([]);
    // Each of the exceptions is one: a secret that is nowhere was not looked for.
    for (const one of ALLOWED)
      expect(leaks).toContainEqual({ ...one, forms: expect.arrayContaining(["plain"]) });
  });

  test("what was searched is what was written", () => {
    const places = scene.written.map(({ place }) => place);
    expect(places.filter((place) => place.startsWith("table sluice.")).length).toBeGreaterThan(40);
    for (const place of [
      "table sluice.audit_log, at the end",
      "log of ingress",
      "log of worker",
      "log of api",
    ]) {
      expect(scene.written.find((one) => one.place === place)?.text).not.toBe("");
    }
    for (const [service, events] of Object.entries(EXPECTED_EVENTS)) {
      const log = scene.lines[service]?.join("") ?? "";
      for (const event of events) expect(log).toContain(event);
    }
    const stored = scene.written.filter(({ place }) => place.endsWith("before the worker"));
    expect(stored.some(({ text }) => text.includes("deliveries"))).toBe(true);
    expect(scene.secrets.size).toBe(22);
  });
});

/** Lines that prove that what was to go wrong did. */
const EXPECTED_EVENTS: Readonly<Record<string, readonly string[]>> = {
  ingress: ['"status":401', '"status":202', '"secretVersion":"previous"'],
  worker: WORKER_EVENTS,
  api: ['"status":401', '"status":400', '"status":404', '"status":201'],
};
