import { expect, test } from "vitest";

import { PUBLIC_URL, TOKEN, useCliApi } from "./test-cli-api.ts";

const { run, json, bitbucket } = useCliApi();
const create = ["integration", "create"];
const environment = { ACME_TOKEN: TOKEN, WRONG_TOKEN: "a-token-that-nobody-takes" };

test("an integration is made with a token out of a variable, tried at Bitbucket, and its secret is shown", async () => {
  const { fullName } = bitbucket.createRepository({ workspace: "acme", slug: "infra" });
  const args = [...create, "acme", "--default", "--token-variable", "ACME_TOKEN", "--against", fullName];
  const made = await run(args, { environment });
  expect(made.code).toBe(0);
  expect(made.out).toMatch(/^webhook_secret: \S{20,}$/m);
  expect(made.out).toContain(`url: ${PUBLIC_URL}/webhooks/bitbucket-cloud/acme\n`);
  expect(made.out).toContain(
    `Bitbucket accepts the credential, asked about ${fullName}.\n  read repositories: yes\n`,
  );
  expect(made.out + made.err).not.toContain(TOKEN);

  const { out } = await run(["integration", "list"]);
  expect(out).toMatch(/^acme +\(default\) +yes +ok since \S+Z +https:\S+\/acme +[0-9a-f-]{36}$/m);
  const shown = await run(["integration", "show", "acme"]);
  expect(shown.out).toContain("name: acme\n");
  expect(shown.out).not.toContain("secret");
});

test("the token may come on standard input, and is never on the command line", async () => {
  const place = ["--space", "root", "--token-stdin"];
  expect((await run([...create, "by-stdin", ...place], { lines: [TOKEN] })).code).toBe(0);
  expect(await run([...create, "nothing", ...place])).toMatchObject({
    code: 2,
    err: "error usage_invalid: there is no token on standard input\n",
  });
  expect(await run([...create, "nothing", "--space", "root"])).toMatchObject({
    code: 2,
    err: "error usage_invalid: say where the token is: --token-variable <name> or --token-stdin\n",
  });
  const unset = ["--space", "root", "--token-variable", "NOWHERE"];
  expect(await run([...create, "nothing", ...unset])).toMatchObject({
    code: 2,
    err: "error usage_invalid: the environment variable NOWHERE is not set\n",
  });
  expect((await run([...create, "nothing", "--help"])).out).not.toMatch(/--token /);
});

test("a credential that Bitbucket refuses is saved, told with what mends it, and exit code 1", async () => {
  await run([...create, "tried", "--space", "root", "--token-variable", "ACME_TOKEN"], { environment });
  const against = ["--against", "acme/infra"];
  const wrong = ["--token-variable", "WRONG_TOKEN", ...against];
  const saved = await run(["integration", "set-credential", "tried", ...wrong], { environment });
  expect(saved).toMatchObject({ code: 1, err: "" });
  expect(saved.out).toContain(
    "It is saved. Bitbucket refuses the credential: it is wrong, expired or revoked",
  );
  const checked = await run(["integration", "check", "tried", ...against]);
  expect(checked).toMatchObject({ code: 1, err: "" });
  expect(checked.out).toMatch(/^ {2}read repositories: no\. .+$/m);

  const right = ["--token-variable", "ACME_TOKEN", ...against, "--expires", "30d"];
  expect((await run(["integration", "set-credential", "tried", ...right], { environment })).code).toBe(0);
  expect(await json(["integration", "check", "tried", ...against])).toMatchObject({
    verdict: "ok",
    expires_at: expect.any(String),
  });
});

test("an update changes what is named, and leaves the rest", async () => {
  const settings = [
    "--label",
    "vcs",
    "--label",
    "main",
    "--description",
    "The machine user.",
    "--checks",
    "all",
  ];
  const made = ["changed", "--space", "root", "--token-variable", "ACME_TOKEN", ...settings];
  await run([...create, ...made], { environment });
  expect(
    await json(["integration", "update", "changed", "--disable", "--calls-per-hour", "800"]),
  ).toMatchObject({
    labels: ["vcs", "main"],
    description: "The machine user.",
    details: { enabled: false, calls_per_hour: 800, checks: "all" },
  });
  expect(await json(["integration", "update", "changed", "--label", "other"])).toMatchObject({
    labels: ["other"],
    details: { enabled: false, calls_per_hour: 800 },
  });
  expect(await json(["integration", "update", "changed", "--enable"])).toMatchObject({
    details: { enabled: true },
  });
});

test("who may only look at an integration is refused to change it", async () => {
  await run([...create, "foreign", "--space", "root", "--token-variable", "ACME_TOKEN"], { environment });
  const { key } = (await json(["key", "create", "looker", "--role", "read"])) as { key: string };
  const asLooker = { environment: { SLUICE_API_KEY: key } };
  expect(await run(["integration", "show", "foreign"], asLooker)).toMatchObject({ code: 0 });
  expect(await run(["integration", "update", "foreign", "--disable"], asLooker)).toMatchObject({
    code: 5,
    out: "",
  });
  expect(await run(["integration", "secret", "foreign"], asLooker)).toMatchObject({ code: 5, out: "" });
});

test("a webhook secret is shown, and another one takes its place after a question", async () => {
  await run([...create, "rotated", "--space", "root", "--token-variable", "ACME_TOKEN"], { environment });
  const before = (await json(["integration", "secret", "rotated"])) as { secret: string };
  const rotate = ["integration", "rotate-secret", "rotated", "--overlap-hours", "48"];
  expect(await run(rotate, { answer: false })).toEqual({
    code: 3,
    out: "",
    err: "Make another webhook secret for rotated? The present one still verifies for 48 hours. [y/N] ",
  });
  expect(await json(["integration", "secret", "rotated"])).toMatchObject({ secret: before.secret });
  const rotated = await run([...rotate, "--yes", "--json"]);
  expect(rotated.code).toBe(0);
  const after = JSON.parse(rotated.out) as { secret: string };
  expect(after).toMatchObject({ previous_secret: { secret: before.secret } });
  expect(after.secret).not.toBe(before.secret);
  expect(await json(["audit", "list", "--action", "webhook_secret.seen", "--limit", "1"])).toMatchObject({
    items: [{ subject: { name: "rotated" } }],
  });
});

test("a deleted integration is gone, and what used it is counted", async () => {
  await run([...create, "gone", "--space", "root", "--token-variable", "ACME_TOKEN"], { environment });
  expect(await json(["integration", "delete", "gone", "--yes"])).toMatchObject({
    name: "gone",
    detached_count: 0,
  });
  expect(await run(["integration", "show", "gone"])).toMatchObject({ code: 4, out: "" });
});
