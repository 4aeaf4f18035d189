import { insertTrigger, insertPush } from "@sluice/store/test-trigger-fixtures";
import { beforeAll, expect, test } from "vitest";

import { TOKEN, useCliApi } from "./test-cli-api.ts";

const cli = useCliApi();
const { run, json } = cli;
let triggerId: string;
let eventId: string;

beforeAll(async () => {
  const credential = ["--default", "--token-variable", "T"];
  await run(["integration", "create", "acme", ...credential], { environment: { T: TOKEN } });
  const items = ["network", "ledger"].map((name) => ({
    name,
    repository: "acme/infra",
    tracked_branch: "main",
  }));
  await run(["stack", "import", "-"], { lines: [JSON.stringify(items)] });
  const { id: targetId } = (await json(["stack", "show", "network"])) as { id: string };
  triggerId = await insertTrigger(cli.store, { targetId, position: 1 });
  await insertTrigger(cli.store, { targetId, position: 2, state: "failed" });
  eventId = await insertPush(cli.store, { targetId, sequence: 3, isDecided: false });
});

test("triggers are listed as they are asked for, and shown with their history", async () => {
  expect(await json(["trigger", "list"])).toMatchObject({
    items: [{ state: "failed" }, { state: "queued" }],
  });
  const queued = await run(["trigger", "list", "--state", "queued", "blocked", "--stack", "network"]);
  expect(queued.out).toMatch(/^CREATED +STATE +TYPE +TARGET +SPACE +REF +COMMIT +HELD BY +ID$/m);
  expect(queued.out).toMatch(/^\S+Z +queued +tracked +stack network +root +main +[0-9a-f]{12} +- +\S+$/m);
  expect(queued.out).not.toContain("failed");
  expect(await json(["trigger", "list", "--stack", "ledger"])).toMatchObject({ items: [] });
  expect((await run(["trigger", "show", triggerId])).out).toContain("state: queued\n");

  await run(["trigger", "cancel", triggerId, "--by", "ada"], {
    environment: { DATABASE_URL: cli.databaseUrl },
  });
  const { out } = await run(["trigger", "history", triggerId]);
  expect(out).toMatch(/^AT +STATE +BY +NOTE\n\S+Z +canceled +ada +-\n/);
});

test("events are listed with what they are about, and one that waits says so", async () => {
  const { out } = await run(["event", "list", "--repository", "acme/infra", "--undecided"]);
  expect(out).toMatch(/^RECEIVED +EVENT +REPOSITORY +OF +WHAT +COMMIT +DECIDED +ID$/m);
  expect(out).toMatch(/^\S+Z +repo:push +acme\/infra +main +updated +[0-9a-f]{12} +waits +\S+$/m);
  expect(out.trimEnd().split("\n")).toHaveLength(2);
  const shown = await run(["event", "show", eventId]);
  expect(shown.out).toMatch(/^waits:\n {2}for:/m);
  expect(await run(["event", "list", "--pull-request", "7"])).toMatchObject({ code: 2 });
});

test("deliveries are listed and shown, by their ids and by Bitbucket's", async () => {
  const { items } = (await json(["delivery", "list", "--integration", "acme", "--since", "1h"])) as {
    items: { id: string; request_id: string }[];
  };
  expect(items).toHaveLength(3);
  const [{ id, request_id: requestId } = { id: "", request_id: "" }] = items;
  expect(await json(["delivery", "show", requestId])).toMatchObject({ id, events: [{ ref_name: "main" }] });
  expect(await run(["delivery", "list", "--outcome", "failed"])).toEqual({
    code: 0,
    out: "",
    err: "There are no such deliveries.\n",
  });
  expect(await run(["delivery", "body", id])).toMatchObject({ code: 4, out: "" });
});

test("decisions say why, in words", async () => {
  const { out } = await run(["decision", "list", "--outcome", "trigger"]);
  expect(out).toMatch(/^DECIDED +TARGET +OUTCOME +WHY +ID$/m);
  expect(out).toMatch(/^\S+Z +stack network +trigger +\S.+$/m);
  const { items } = (await json(["decision", "list", "--limit", "1"])) as { items: { id: string }[] };
  expect(await json(["decision", "show", items[0]!.id])).toMatchObject({ target: { name: "network" } });
});

test("pull requests are named as people name them", async () => {
  expect(await json(["pull-request", "list", "--repository", "acme/infra"])).toMatchObject({ items: [] });
  expect(await run(["pull-request", "show", "acme/infra#7"])).toMatchObject({ code: 4, out: "" });
  expect(await run(["pull-request", "show", "7"])).toMatchObject({
    code: 2,
    err: "error usage_invalid: 7 names no pull request: write workspace/repository#12\n",
  });
});
