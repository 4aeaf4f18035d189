import { expect, test } from "vitest";

import { useCliApi } from "./test-cli-api.ts";

const { run, json } = useCliApi();

test("spaces are made, listed below their parents, and deleted once they are empty", async () => {
  expect(await json(["space", "create", "teams"])).toMatchObject({ name: "teams", inherit_entities: false });
  await json(["space", "create", "payments", "--parent", "teams", "--inherit"]);
  const { out } = await run(["space", "list"]);
  const lines = out.split("\n").map((line) => line.replace(/ +[0-9a-f-]{36}$/, "").trimEnd());
  expect(lines).toEqual([
    expect.stringMatching(/^SPACE +INHERITS +ID$/),
    expect.stringMatching(/^root +no$/),
    expect.stringMatching(/^root \/ teams +no$/),
    expect.stringMatching(/^root \/ teams \/ payments +yes$/),
    "",
  ]);

  const used = await run(["space", "delete", "teams", "--yes"]);
  expect(used).toMatchObject({ code: 1, out: "" });
  expect(used.err).toMatch(/^error in_use: /);
  expect(await json(["space", "delete", "payments", "--yes"])).toMatchObject({ name: "payments" });
  const asked = await run(["space", "delete", "teams"], { answer: true });
  expect(asked).toMatchObject({ code: 0, err: "Delete the space root / teams? [y/N] " });
  expect(await json(["space", "list"])).toMatchObject({ items: [{ name: "root" }], next_cursor: null });
});

test("a space is moved, and what is not named stays", async () => {
  for (const name of ["north", "south"]) await json(["space", "create", name]);
  await json(["space", "create", "moved", "--parent", "north", "--inherit"]);
  expect(await json(["space", "update", "moved", "--parent", "south"])).toMatchObject({
    path: ["root", "south", "moved"],
    inherit_entities: true,
  });
  expect(await json(["space", "update", "moved", "--no-inherit"])).toMatchObject({
    parent: "south",
    inherit_entities: false,
  });
  expect((await run(["space", "show", "moved"])).out).toContain("parent: south\n");
  expect(await run(["space", "update", "root", "--inherit"])).toMatchObject({ code: 5, out: "" });
});

test("what the API refuses is told in one line, with the field that is wrong", async () => {
  const { code, out, err } = await run(["space", "create", " blank"]);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toMatch(/^error invalid_request: name: .+\n$/);
});
