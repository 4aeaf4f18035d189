import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createBitbucket, type Bitbucket } from "./bitbucket.ts";
import { authorizationOf, type Credential } from "./rest-auth.ts";
import { startBitbucketServer, type BitbucketServer } from "./rest-server.ts";

const FULL: Credential = { kind: "access_token", token: "full" };
const READER: Credential = {
  kind: "api_token",
  email: "ada@example.com",
  token: "reader",
  readsOnly: true,
};
const WITHOUT: Credential = { kind: "access_token", token: "without", scopes: ["repository"] };
const ONE_REPOSITORY: Credential = { kind: "access_token", token: "one", repositories: ["acme/infra"] };

const HOOK = { url: "https://sluice.example/webhooks", events: ["repo:push"], secret: "s3cret" };

let bitbucket: Bitbucket;
let server: BitbucketServer;

beforeEach(async () => {
  bitbucket = createBitbucket({ seed: "hooks" });
  bitbucket.createRepository({ workspace: "acme", slug: "infra" }).push({ files: { a: "a" } });
  const credentials = [FULL, READER, WITHOUT, ONE_REPOSITORY];
  server = await startBitbucketServer({ bitbucket, credentials });
});

afterEach(() => server.close());

const send = (method: string, path: string, as: Credential, body?: unknown): Promise<Response> =>
  fetch(`${server.url}/${path}`, {
    method,
    headers: { authorization: authorizationOf(as) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

describe("a credential", () => {
  it.each(["repositories/acme/infra/hooks", "workspaces/acme/hooks"])(
    "without the scope for webhooks gets 403 at %s",
    async (path) => {
      expect((await send("GET", path, WITHOUT)).status).toBe(403);
      expect((await send("POST", path, WITHOUT, HOOK)).status).toBe(403);
    },
  );

  it("that only reads is told which scope it lacks to change or delete", async () => {
    const hook = bitbucket.findRepository("acme/infra")?.createHook(HOOK);
    const path = "repositories/acme/infra/hooks";
    const one = `${path}/${encodeURIComponent(hook?.uuid ?? "")}`;
    expect((await send("GET", path, READER)).status).toBe(200);
    const required = async (method: string, at: string, body?: unknown) => {
      const answer = await send(method, at, READER, body);
      expect(answer.status).toBe(403);
      return ((await answer.json()) as { error: { detail: { required: string[] } } }).error.detail.required;
    };
    expect(await required("POST", path, HOOK)).toEqual(["write:webhook:bitbucket"]);
    expect(await required("PUT", one, HOOK)).toEqual(["write:webhook:bitbucket"]);
    expect(await required("DELETE", one)).toEqual(["delete:webhook:bitbucket"]);
  });

  it("of one repository gets at its webhooks, and not at those of the workspace", async () => {
    expect((await send("GET", "repositories/acme/infra/hooks", ONE_REPOSITORY)).status).toBe(200);
    expect((await send("GET", "workspaces/acme/hooks", ONE_REPOSITORY)).status).toBe(403);
  });
});

describe("the webhooks of a workspace", () => {
  it("are made, read, changed and deleted like those of a repository", async () => {
    const path = "workspaces/acme/hooks";
    const made = await send("POST", path, FULL, HOOK);
    expect(made.status).toBe(201);
    const { uuid, subject, secret_set } = (await made.json()) as Record<string, unknown>;
    expect(subject).toMatchObject({ type: "workspace", slug: "acme" });
    expect(secret_set).toBe(true);
    const one = `${path}/${encodeURIComponent(String(uuid))}`;
    expect(await (await send("PUT", one, FULL, { active: false })).json()).toMatchObject({ active: false });
    expect(await (await send("GET", path, FULL)).json()).toMatchObject({ values: [{ uuid }], size: 1 });
    expect((await send("DELETE", one, FULL)).status).toBe(204);
    expect((await send("GET", one, FULL)).status).toBe(404);
  });

  it("of a workspace that is not there are not found", async () => {
    expect((await send("GET", "workspaces/nowhere/hooks", FULL)).status).toBe(404);
  });
});

describe("a lost answer", () => {
  it("is to a request that was done", async () => {
    const path = "repositories/acme/infra/hooks";
    server.injectFault("POST */hooks", { kind: "lost_answer" }, { times: 1 });
    await expect(send("POST", path, FULL, HOOK)).rejects.toThrow("fetch failed");
    expect(bitbucket.findRepository("acme/infra")?.state.hooks.size).toBe(1);
    expect(server.calls).toMatchObject([{ method: "POST", status: null }]);
    expect((await send("GET", path, FULL)).status).toBe(200);
  });
});
