import { REQUIRED_BOXES } from "@sluice/domain/webhook-events";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { startBitbucketServer, type BitbucketServer } from "@sluice/simulator/rest-server";
import { afterEach, describe, expect, it } from "vitest";

import { type HookContent, mayHaveBeenDone } from "./hook.ts";
import {
  arrange,
  closeAll,
  page,
  redirect,
  REPOSITORY,
  REPOSITORY_PATH,
  simulatorClient,
} from "./testing/arrange-client.ts";

const OWNER = { kind: "repository", repository: REPOSITORY } as const;
const WORKSPACE = { kind: "workspace", workspace: "northwind" } as const;
const CONTENT: HookContent = {
  url: "https://sluice.example.com/webhooks/bitbucket-cloud/northwind",
  title: "Sluice: northwind",
  events: REQUIRED_BOXES.map(({ key }) => key),
  secret: "never-to-be-seen",
};
const HOOK_PATH = `${REPOSITORY_PATH}/hooks/%7B7c0f2a19-53d4-4c1e-8a6b-0d9e4f1b2c35%7D`;
const ID = "{7c0f2a19-53d4-4c1e-8a6b-0d9e4f1b2c35}";

let server: BitbucketServer | undefined;

afterEach(async () => {
  await closeAll();
  await server?.close();
  server = undefined;
});

async function simulate() {
  const bitbucket = createBitbucket({ seed: "hooks" });
  const repository = bitbucket.createRepository({ workspace: "northwind", slug: "landing-zone" });
  server = await startBitbucketServer({ bitbucket });
  const address = { fullName: repository.fullName, uuid: repository.uuid };
  return { bitbucket, repository, server, client: simulatorClient(server.url), address };
}

const aHookJson = (changes: object = {}) => ({
  uuid: ID,
  url: CONTENT.url,
  description: "Sluice",
  events: ["repo:push"],
  active: true,
  secret_set: true,
  skip_cert_verification: false,
  ...changes,
});

describe("webhooks at Bitbucket", () => {
  it.each(["repository", "workspace"] as const)(
    "of a %s are made, read on all pages, changed and deleted",
    async (kind) => {
      const { bitbucket, repository, client, address } = await simulate();
      const owner = kind === "repository" ? ({ kind, repository: address } as const) : WORKSPACE;
      const made = await client.createHook(owner, CONTENT);
      expect(made).toMatchObject({
        url: CONTENT.url,
        title: CONTENT.title,
        events: CONTENT.events,
        isActive: true,
        isSecretSet: true,
        skipsCertificateCheck: false,
      });
      expect(await client.listHooks(owner)).toEqual([made]);
      const hooks = kind === "repository" ? repository.state.hooks : bitbucket.workspace("northwind").hooks;
      const stored = hooks.get(made.id)!;
      expect(stored.secret).toBe(CONTENT.secret);
      Object.assign(stored, { active: false, secret: null, skipCertVerification: true });
      expect(await client.updateHook(owner, { id: made.id, content: CONTENT })).toEqual(made);
      expect(stored).toMatchObject({ active: true, secret: CONTENT.secret, skipCertVerification: false });
      expect(await client.deleteHook(owner, made.id)).toBe(true);
      expect(await client.deleteHook(owner, made.id)).toBe(false);
      expect(hooks.size).toBe(0);
    },
  );

  it("are read on every page, and none is left out", async () => {
    const { client, api } = await arrange((target, origin) =>
      target.endsWith("page=2")
        ? page([aHookJson({ uuid: "{two}", description: null, secret_set: undefined })])
        : page([aHookJson()], `${origin}/2.0/${REPOSITORY_PATH}/hooks?page=2`),
    );
    expect(await client.listHooks(OWNER)).toMatchObject([
      { id: ID, isSecretSet: true },
      { id: "{two}", title: "", isSecretSet: null },
    ]);
    expect(api.requests[0]!.target).toBe(`/2.0/${REPOSITORY_PATH}/hooks?pagelen=100`);
  });

  it("are not asked for at another host, whatever `next` says", async () => {
    const stranger = await arrange(() => page([]));
    const { client } = await arrange(() => page([], `${stranger.api.url}/hooks`));
    await expect(client.listHooks(OWNER)).rejects.toMatchObject({ code: "bitbucket_redirect_refused" });
    expect(stranger.api.requests).toHaveLength(0);
  });

  it("are addressed with the braces of their ids encoded, by the method that is meant", async () => {
    const { client, api } = await arrange((_, __, request) =>
      request.method === "DELETE" ? new Response(null, { status: 204 }) : Response.json(aHookJson()),
    );
    await client.updateHook(OWNER, { id: ID, content: CONTENT });
    await client.deleteHook(OWNER, ID);
    expect(api.requests.map(({ method, target }) => `${method} ${target}`)).toEqual([
      `PUT /2.0/${HOOK_PATH}`,
      `DELETE /2.0/${HOOK_PATH}`,
    ]);
  });
});

describe("a change", () => {
  it.each([
    ["POST", 301],
    ["PUT", 307],
    ["DELETE", 308],
  ] as const)("by %s does not follow a redirect of status %i", async (method, status) => {
    const { client, api } = await arrange(() => redirect("/2.0/moved", status));
    const sent = {
      POST: () => client.createHook(OWNER, CONTENT),
      PUT: () => client.updateHook(OWNER, { id: ID, content: CONTENT }),
      DELETE: () => client.deleteHook(OWNER, ID),
    }[method];
    await expect(sent()).rejects.toMatchObject({ code: "bitbucket_redirect_refused" });
    expect(api.requests).toHaveLength(1);
  });

  it("that is asked for twice at the same time is sent twice", async () => {
    const { client, api } = await arrange(() => Response.json(aHookJson(), { status: 201 }));
    await Promise.all([client.createHook(OWNER, CONTENT), client.createHook(OWNER, CONTENT)]);
    expect(api.requests).toHaveLength(2);
  });

  it("takes from the budget, and sends nothing when that is used up", async () => {
    const granted = await arrange(() => Response.json(aHookJson(), { status: 201 }));
    await granted.client.createHook(OWNER, CONTENT);
    expect(granted.taken).toEqual(["credential-1"]);
    const { client, api } = await arrange(() => new Response(), {
      budget: { take: async () => ({ granted: false, retryAfterMs: 9 }), learn: async () => undefined },
    });
    await expect(client.createHook(OWNER, CONTENT)).rejects.toMatchObject({
      code: "bitbucket_budget_exhausted",
    });
    expect(api.requests).toHaveLength(0);
  });

  it("that is refused says which call it was and which scope it needs, never the secret", async () => {
    const message = `${CONTENT.secret} is too short`;
    const { client, lessons } = await arrange((_, __, { method }) =>
      method === "POST"
        ? Response.json({ error: { message } }, { status: 400 })
        : new Response("", { status: method === "PUT" ? 403 : 429 }),
    );
    const failure = await client.createHook(OWNER, CONTENT).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "bitbucket_bad_request", retry: "never" });
    expect(String(failure)).toContain(`POST /2.0/${REPOSITORY_PATH}/hooks`);
    expect(String(failure)).not.toContain(CONTENT.secret);
    await expect(client.updateHook(OWNER, { id: ID, content: CONTENT })).rejects.toMatchObject({
      code: "bitbucket_forbidden",
      message: expect.stringContaining("write:webhook:bitbucket"),
    });
    await expect(client.deleteHook(OWNER, ID)).rejects.toMatchObject({ code: "bitbucket_rate_limited" });
    expect(lessons).toEqual([{ kind: "limited", retryAfterMs: null }]);
  });
});

describe("a change that failed", () => {
  it("may have been done when the answer was lost, late, broken or of a 5xx", async () => {
    const { client, server: bitbucket, repository, address } = await simulate();
    const owner = { kind: "repository", repository: address } as const;
    const faults = [
      { kind: "lost_answer" },
      { kind: "reset" },
      { kind: "status", status: 502 },
      { kind: "cut_json" },
    ] as const;
    for (const fault of faults) {
      bitbucket.injectFault("POST *", fault, { times: 1 });
      const failure = await client.createHook(owner, CONTENT).catch((error: unknown) => error);
      expect([fault.kind, mayHaveBeenDone(failure)]).toEqual([fault.kind, true]);
    }
    expect(repository.state.hooks.size).toBe(1);
  });

  it("was not done when Bitbucket said no", async () => {
    const { client, server: bitbucket, address } = await simulate();
    for (const status of [400, 401, 403, 404] as const) {
      bitbucket.injectFault("POST *", { kind: "status", status }, { times: 1 });
      const owner = { kind: "repository", repository: address } as const;
      const failure = await client.createHook(owner, CONTENT).catch((error: unknown) => error);
      expect([status, mayHaveBeenDone(failure)]).toEqual([status, false]);
    }
  });
});
