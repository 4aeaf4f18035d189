/** Requests and commands, good and bad: the second half of the story of secrets-stay-secret.e2e.test.ts. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect } from "vitest";

import { FILE } from "./secrets-stay-secret-events.ts";
import { aSecret, type Scene, stringIn } from "./secrets-stay-secret-scene.ts";

/** Makes keys and integrations over the API, looks at and rotates secrets, and reads all that there is. */
export async function useApi(scene: Scene): Promise<void> {
  const { ask, secrets, tokens } = scene;
  const made = await ask("POST", "/v1/api-keys", { name: "reader", role: "read", space: "root" });
  const revoked = await ask("POST", "/v1/api-keys", { name: "revoked", role: "admin", space: "root" });
  secrets
    .set("API key", stringIn(made.body, "key"))
    .set("API key that is revoked", stringIn(revoked.body, "key"));
  expect((await ask("DELETE", `/v1/api-keys/${stringIn(revoked.body, "id")}`)).status).toBeLessThan(300);

  const token = aSecret("token-by-api");
  secrets.set("token that the API was given", token);
  const created = await ask("POST", "/v1/integrations", {
    name: "By API",
    space: "mailed",
    credential: { kind: "access_token", token },
  });
  expect(created.status).toBe(201);
  const id = stringIn(created.body, "id");
  secrets.set("webhook secret that the API made", stringIn(created.body, "webhook_secret"));
  const rotated = await ask("POST", `/v1/integrations/${id}/webhook-secret/rotate`, { overlap_hours: 24 });
  secrets.set("webhook secret that the API rotated to", stringIn(rotated.body, "secret"));
  expect((await ask("GET", `/v1/integrations/${id}/webhook`)).status).toBe(200);
  // Bitbucket does not know the one, and knows the other.
  const check = { against: "acme/infra" };
  const credential = { kind: "access_token", token: tokens.good };
  const answers = [
    await ask("POST", `/v1/integrations/${id}/check`, check),
    await ask("PUT", `/v1/integrations/${id}/credential`, { credential, check_against: "acme/infra" }),
    await ask("POST", `/v1/integrations/${id}/check`, check),
  ];
  const webhooks = `/v1/integrations/${id}/webhooks`;
  const scope = { workspace: "acme" };
  const plan = await ask("POST", `${webhooks}/plan`, { scope });
  const apply = { scope, plan_digest: stringIn(plan.body, "plan_digest") };
  answers.push(plan, await ask("POST", `${webhooks}/apply`, apply));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  for (const path of ["api-keys", "integrations", "spaces", "stacks", "repositories", "audit-log"]) {
    expect((await ask("GET", `/v1/${path}`)).status).toBe(200);
  }
  expect((await ask("GET", `/v1/integrations/${id}`)).status).toBe(200);
  const delivery = scene.bitbucket.webhooks.history()[0]?.requestUuid ?? "";
  expect((await ask("GET", `/v1/deliveries/${delivery}`)).status).toBe(200);
  expect((await ask("GET", "/v1/spaces", undefined, secrets.get("API key"))).status).toBe(200);
  await readDashboard(scene);
}

/** Jobs with their data, and why those that failed did. */
async function readDashboard({ request, secrets, apiUrl }: Scene): Promise<void> {
  const authorization = `Basic ${btoa(`anyone:${secrets.get("bootstrap key") ?? ""}`)}`;
  for (const query of ["", "?activeQueue=events&status=failed", "?activeQueue=events&status=delayed"]) {
    const url = `${apiUrl}/queues/api/queues${query}`;
    const { status, body } = await request("answer of the dashboard", url, { headers: { authorization } });
    expect(status).toBe(200);
    if (query.endsWith("failed")) expect(JSON.stringify(body)).toContain("SLUICE_ENCRYPTION_KEYS");
  }
}

/** Keys where they do not belong, and keys that are none. */
export async function misuseApi(scene: Scene): Promise<void> {
  const { ask, secrets, apiUrl, request } = scene;
  const unknown = `slc_${"u".repeat(8)}_${aSecret("unknown-key")}`;
  const malformed = `${aSecret("token-with")} a-blank`;
  secrets.set("API key that is none", unknown).set("token that is malformed", malformed);
  const keys = [secrets.get("API key"), secrets.get("bootstrap key"), unknown].map((key) => key ?? "");
  const statuses: number[] = [];
  for (const key of keys) {
    const encoded = encodeURIComponent(key);
    const send = async (place: string, path: string, init: RequestInit = {}) => {
      const { status } = await request(`answer with a key in ${place}`, `${apiUrl}${path}`, init);
      statuses.push(status);
    };
    const authorized = { authorization: `Bearer ${secrets.get("bootstrap key") ?? ""}` };
    await send("the query", `/v1/spaces?key=${encoded}&access_token=${encoded}`);
    await send("the query of one who is known", `/v1/spaces?cursor=${encoded}`, { headers: authorized });
    await send("the path", `/v1/spaces/${encoded}`);
    await send("the path of one who is known", `/v1/spaces/${encoded}`, { headers: authorized });
    await send("the path of a trigger", `/v1/triggers/${encoded}/start`, {
      method: "POST",
      headers: authorized,
    });
    await send("a path that is none", `/${encoded}`);
    await send("a path of the dashboard", `/queues/${encoded}`);
    await send("another header", "/v1/spaces", { headers: { "x-api-key": key, cookie: `key=${encoded}` } });
    await send("another scheme", "/v1/spaces", { headers: { authorization: `Token ${key}` } });
    await send("the name of a user", "/queues", {
      headers: { authorization: `Basic ${btoa(`${key}:wrong`)}` },
    });
    await send("a password", "/queues", { headers: { authorization: `Basic ${btoa(`anyone:${key}`)}` } });
    const json = { ...authorized, "content-type": "application/json" };
    for (const body of [JSON.stringify({ key, name: 1, parent: key }), `{"key":"${key}"`]) {
      await send("a body", "/v1/spaces", { method: "POST", headers: json, body });
    }
    const body = JSON.stringify({ name: "other", [key]: true });
    await send("the name of a field", "/v1/spaces", { method: "POST", headers: json, body });
  }
  expect(new Set(statuses)).toEqual(new Set([200, 400, 401, 403, 404]));
  expect((await ask("GET", "/v1/spaces", undefined, unknown)).status).toBe(401);
  expect((await ask("GET", "/v1/spaces", undefined, secrets.get("API key that is revoked"))).status).toBe(
    401,
  );
  const credential = { kind: "access_token", token: malformed };
  expect((await ask("POST", "/v1/integrations", { name: "Malformed", credential })).status).toBe(400);
  const appPassword = { kind: "app_password", username: "robot", password: malformed };
  expect((await ask("POST", "/v1/integrations", { name: "Old", credential: appPassword })).status).toBe(400);
}

/** Commands that speak to the API, with a key that may do all, one that is none, and none that can be reached. */
export async function useCommands(scene: Scene): Promise<void> {
  const { cli, secrets, apiUrl } = scene;
  const token = aSecret("token-by-command");
  secrets.set("token that a command was given", token);
  const here = { SLUICE_URL: apiUrl, COMMAND_TOKEN: token };
  const run = async (place: string, args: readonly string[], more: Readonly<Record<string, string>> = {}) => {
    const { code, out } = await cli(place, [...args, "--json"], { ...here, ...more });
    return { code, made: code === 0 ? parse(out) : null };
  };
  const key = await run("key create", ["key", "create", "made by a command", "--role", "read"]);
  secrets.set("API key that a command made", stringIn(key.made, "key"));
  const credential = ["--token-variable", "COMMAND_TOKEN"];
  const created = await run("integration create", [
    "integration",
    "create",
    "By Command",
    "--space",
    "mailed",
    ...credential,
  ]);
  secrets.set("webhook secret that a command made", stringIn(created.made, "webhook_secret"));
  await run("integration secret", ["integration", "secret", "By Command"]);
  for (const args of [
    ["integration", "list"],
    ["integration", "show", "By Command"],
    ["key", "list"],
    ["audit", "list"],
  ]) {
    expect(await run(args.join(" "), args)).toMatchObject({ code: 0 });
  }
  await run("integration check", ["integration", "check", "By Command", "--against", "acme/infra"]);
  expect((await cli("export", ["export"])).out).toContain("By Command");
  await cli("doctor", ["doctor", "--json"], here);

  const wrong = { SLUICE_API_KEY: secrets.get("API key that is none") ?? "" };
  const away = new URL(apiUrl);
  away.username = "robot";
  away.password = encodeURIComponent(wrong.SLUICE_API_KEY);
  away.port = "1";
  const failures = [
    await run("key list with a wrong key", ["key", "list"], wrong),
    await run("key list with a key of no rights", ["key", "create", "x"], {
      SLUICE_API_KEY: secrets.get("API key") ?? "",
    }),
    await run("key list where nobody is", ["key", "list"], { SLUICE_URL: away.href }),
    await run("key list with a key that is malformed", ["key", "list"], {
      SLUICE_API_KEY: `${token} ${token}`,
    }),
    await run("integration set-credential", ["integration", "set-credential", "By Command", ...credential], {
      COMMAND_TOKEN: `${token} ${token}`,
    }),
  ];
  expect(failures.filter(({ code }) => code === 0)).toEqual([]);
}

/** Commands that fail, each in a way that has to do with a secret. The stack is printed too: LOG_LEVEL is debug. */
export async function misuseCommands(scene: Scene, folder: string): Promise<void> {
  const { cli, secrets, environment } = scene;
  const codes: number[] = [];
  const run = async (place: string, args: readonly string[], more: Readonly<Record<string, string>> = {}) => {
    codes.push((await cli(place, args, more)).code);
  };
  const away = environment.DATABASE_URL.replace(/@[^/]+/, "@127.0.0.1:1");
  const blank = `${aSecret("token-of-a-file")} `;
  secrets.set("token of a file that is wrong", blank.trim());
  const file = join(folder, "sluice.yaml");
  const literal = join(folder, "literal.yaml");
  await writeFile(literal, FILE.replace("${GOOD_TOKEN}", blank.trim()));
  const values = {
    GOOD_TOKEN: blank,
    MAILED_TOKEN: blank,
    WRONG_TOKEN: blank,
    SECRET: `${blank}\n`,
    OTHER_SECRET: " ",
  };
  await run("apply with wrong values", ["apply", "-f", file, "--yes"], values);
  await run("apply with a secret in the file", ["apply", "-f", literal, "--yes"], {
    ...values,
    GOOD_TOKEN: "x",
  });
  await run("apply without the database", ["apply", "-f", literal, "--yes"], { DATABASE_URL: away });
  await run("keys rotate without the database", ["keys", "rotate"], { DATABASE_URL: away });
  await run("keys rotate with a wrong variable", ["keys", "rotate"], {
    SLUICE_ENCRYPTION_KEYS: environment.SLUICE_ENCRYPTION_KEYS.replace(":", "="),
  });
  await run("sweep with a database that is none", ["sweep"], {
    DATABASE_URL: away.replace("postgres", "mysql"),
  });
  await run("serve with a wrong key", ["serve", "api"], {
    SLUICE_BOOTSTRAP_KEY: `${environment.SLUICE_BOOTSTRAP_KEY} é`,
  });
  expect(codes.every((code) => code !== 0)).toBe(true);

  const generated = await cli("keys generate", ["keys", "generate"]);
  const key = generated.out.trim();
  secrets.set("encryption key that was generated", key.split(":")[1] ?? "");
  const rotated = await cli("keys rotate", ["keys", "rotate"], {
    SLUICE_ENCRYPTION_KEYS: `${key},${environment.SLUICE_ENCRYPTION_KEYS}`,
  });
  // What nobody can decrypt stays.
  expect(rotated).toMatchObject({ code: 1, err: "" });
  await cli("explain", ["explain", "--json", scene.bitbucket.webhooks.history()[0]?.requestUuid ?? ""]);
  await cli("sweep", ["sweep", "--status"]);
}

function parse(text: string): unknown {
  return JSON.parse(text);
}
