import { expect, test } from "vitest";

import { useCliApi } from "./test-cli-api.ts";

const { run, json } = useCliApi();

test("a key that is made is all that is printed, opens what its role allows, and nothing once it is revoked", async () => {
  const made = await run(["key", "create", "reader", "--role", "read", "--expires", "90d"]);
  expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^\S+\n$/) });
  expect(made.err).toContain("role: read\n");
  expect(made.err).not.toContain(made.out.trim());
  const environment = { SLUICE_API_KEY: made.out.trim() };

  expect(await run(["space", "list"], { environment })).toMatchObject({ code: 0 });
  const refused = await run(["key", "list"], { environment });
  expect(refused).toMatchObject({ code: 5, out: "" });
  expect(refused.err).toMatch(/^error forbidden: This needs the permission "admin", .*\n$/);

  expect(await run(["key", "revoke", "reader"], { answer: false })).toMatchObject({ code: 3, out: "" });
  expect(await run(["space", "list"], { environment })).toMatchObject({ code: 0 });
  const revoked = await run(["key", "revoke", "reader"], { answer: true });
  expect(revoked.code).toBe(0);
  expect(revoked.err).toBe(
    'Revoke the key "reader" (read on root)? It is refused from the next request on. [y/N] ',
  );
  expect(await run(["space", "list"], { environment })).toMatchObject({
    code: 5,
    out: "",
    err: 'error unauthorized: The key "reader" was revoked.\n',
  });
});

test("keys are listed by name, as a table or as the API answers, and none of them is shown", async () => {
  const made = [];
  for (const name of ["a-key", "b-key", "c-key"]) {
    made.push(await json(["key", "create", name, "--role", "scheduler"]));
  }
  const { out, err } = await run(["key", "list", "--limit", "2"]);
  expect(out.split("\n")[0]).toMatch(/^NAME +KEY +ROLE +SPACE +LAST USED +ENDS +ID$/);
  expect(out).toMatch(/^a-key +\S+… +scheduler +root +- +- +[0-9a-f-]{36}$/m);
  expect(out.trimEnd().split("\n")).toHaveLength(3);
  expect(err).toBe("There are more: --limit or --all shows them.\n");

  const all = await json(["key", "list", "--all"]);
  expect(all).toMatchObject({ next_cursor: null });
  for (const each of made) expect(JSON.stringify(all)).not.toContain((each as { key: string }).key);
});

test("nobody is there to ask: nothing is revoked, exit code 3, unless --yes says so", async () => {
  await json(["key", "create", "lonely", "--role", "read"]);
  expect(await run(["key", "revoke", "lonely"])).toEqual({
    code: 3,
    out: "",
    err: "Nothing was done: there is nobody to ask. Run it with --yes.\n",
  });
  expect(await json(["key", "revoke", "lonely", "--yes"])).toMatchObject({
    name: "lonely",
    revoked_at: expect.any(String),
  });
});

test("a key that is not there is told as such, with exit code 4", async () => {
  expect(await run(["key", "revoke", "nobody", "--yes"])).toEqual({
    code: 4,
    out: "",
    err: 'error not_found: there is no key "nobody" within your reach\n',
  });
  const id = "00000000-0000-4000-8000-000000000000";
  expect(await run(["key", "revoke", id, "--yes"])).toMatchObject({
    code: 4,
    err: "error not_found: There is no key with this id.\n",
  });
});

test("of two keys with one name, which one is meant has to be said", async () => {
  await json(["space", "create", "twins"]);
  await json(["key", "create", "twin", "--role", "read"]);
  const other = await json(["key", "create", "twin", "--role", "read", "--space", "twins"]);
  const { code, err } = await run(["key", "revoke", "twin", "--yes"]);
  expect(code).toBe(2);
  expect(err).toMatch(/^error usage_invalid: 2 have the name "twin": name one by its id/);
  const { prefix, id } = other as { prefix: string; id: string };
  expect(await json(["key", "revoke", prefix, "--yes"])).toMatchObject({ id });
});

test("a key is shown by its name, and a revoked one by its id", async () => {
  const { id } = (await json(["key", "create", "shown", "--role", "write"])) as { id: string };
  expect((await run(["key", "show", "shown"])).out).toContain("role: write\n");
  await json(["key", "revoke", "shown", "--yes"]);
  expect(await run(["key", "show", "shown"])).toMatchObject({ code: 4 });
  expect(await json(["key", "show", id])).toMatchObject({ revoked_at: expect.any(String) });
});

test("whoever changed what is listed, the newest first", async () => {
  await json(["key", "create", "noted", "--role", "read"]);
  expect(await json(["audit", "list", "--limit", "1", "--action", "api_key.created"])).toMatchObject({
    items: [{ action: "api_key.created", subject: { name: "noted" }, actor: { kind: "bootstrap_key" } }],
  });
  const { out } = await run(["audit", "list", "--limit", "1", "--action", "api_key.created"]);
  expect(out).toMatch(
    /^AT +WHO +FROM +DID +TO\n\S+Z +bootstrap key +\S+ +api_key\.created +api_key noted\n$/,
  );
});
