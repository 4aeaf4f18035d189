import { createHmac } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { authorizationOf, DEFAULT_CREDENTIALS } from "@sluice/simulator/rest-auth";
import { afterEach, beforeEach, expect, test } from "vitest";

import { runCli } from "./cli.ts";

const SECRET = "a secret of the test";
const UUID = "6f1d2c3b-4a59-4687-9877-0123456789ab";

interface Received {
  readonly eventKey: string;
  readonly requestUuid: string;
  readonly isSigned: boolean;
  readonly body: unknown;
}

let receiver: Server;
let received: Received[];

beforeEach(async () => {
  received = [];
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const bytes = Buffer.concat(chunks);
      const signature = `sha256=${createHmac("sha256", SECRET).update(bytes).digest("hex")}`;
      received.push({
        eventKey: String(request.headers["x-event-key"]),
        requestUuid: String(request.headers["x-request-uuid"]),
        isSigned: request.headers["x-hub-signature"] === signature,
        body: JSON.parse(bytes.toString()),
      });
      response.writeHead(202).end();
    });
  }).listen(0, "127.0.0.1");
  await once(receiver, "listening");
});

afterEach(async () => {
  receiver.closeAllConnections();
  receiver.close();
  await once(receiver, "close");
});

interface Session {
  /** What a line was answered with. A line was played when the next one is asked for. */
  play(line: string): Promise<{ readonly out: string; readonly err: string }>;
  api(path: string): Promise<Response>;
  end(): Promise<{ readonly code: number; readonly out: string }>;
}

/** `sluice simulate`, whose standard input is what the test plays. */
async function startSession(...options: string[]): Promise<Session> {
  const said = { out: "", err: "" };
  const takeSaid = (): typeof said => {
    const taken = { ...said };
    said.out = "";
    said.err = "";
    return taken;
  };
  const input = new EventEmitter();
  const firstAsked = once(input, "asked");
  // A TCP server that listens has an AddressInfo.
  const { port } = receiver.address() as AddressInfo;
  const args = ["simulate", "--endpoint", `http://127.0.0.1:${String(port)}/hook`, "--port", "0", ...options];
  const code = runCli(args, {
    environment: { SECRET },
    print: (text) => void (said.out += text),
    report: (text) => void (said.err += text),
    isInteractive: false,
    confirm: () => Promise.resolve(false),
    readLines: async function* readLines() {
      for (;;) {
        const given = once(input, "line");
        input.emit("asked");
        const [line]: unknown[] = await given;
        if (typeof line !== "string") return;
        yield line;
      }
    },
    workingDirectory: "/",
  });
  await Promise.race([firstAsked, code]);
  const [, url = ""] = /BITBUCKET_API_URL=(\S+)/.exec(takeSaid().err) ?? [];
  const authorization = authorizationOf(DEFAULT_CREDENTIALS[0]!);

  return {
    play: async (line) => {
      const asked = once(input, "asked");
      input.emit("line", line);
      await Promise.race([asked, code]);
      return takeSaid();
    },
    api: (path) => fetch(`${url}/repositories/acme/infra${path}`, { headers: { authorization } }),
    end: async () => {
      input.emit("line", null);
      return { code: await code, out: said.out };
    },
  };
}

/** Keys of what came since the last call. */
function takeKeys(): string[] {
  return received.splice(0).map(({ eventKey }) => eventKey);
}

test("a pull request is reviewed, edited and closed by hand: the receiver and the API agree", async () => {
  const { play, api, end } = await startSession("--uuid", UUID.toUpperCase());
  await play("push feature/x network/x.tf");
  await play("open-draft feature/x A network");
  expect(takeKeys()).toEqual(["repo:push", "pullrequest:created"]);

  const steps = [
    ["ready 1", "updated", "pull request 1 is no draft"],
    ["edit 1 A better network", "updated", "pull request 1 is now called A better network"],
    ["request-changes 1", "changes_request_created", "pull request 1 is to be changed, says Grace Hopper"],
    ["unrequest-changes 1", "changes_request_removed", "need not be changed any more, says Grace Hopper"],
    ["approve 1", "approved", "pull request 1 is approved by Grace Hopper"],
    ["approve 1 Ada Lovelace", "approved", "pull request 1 is approved by Ada Lovelace"],
    ["unapprove 1 ada lovelace", "unapproved", "pull request 1 is no longer approved by Ada Lovelace"],
  ] as const;
  for (const [line, event, answer] of steps) {
    const { out } = await play(line);
    const requestUuid = received.at(-1)?.requestUuid ?? "none";
    expect(out.trimEnd().split("\n")).toEqual([
      expect.stringContaining(answer),
      `  pullrequest:${event} ${requestUuid}: 202`,
    ]);
  }
  expect(received.every(({ isSigned }) => isSigned)).toBe(true);
  expect(received.at(-1)?.body).toMatchObject({
    repository: { uuid: `{${UUID}}` },
    actor: { display_name: "Ada Lovelace" },
  });
  expect((await play("unapprove 1 Ada Lovelace")).err).toMatch(
    /^Ada Lovelace has not approved pull request #1/,
  );

  const q = encodeURIComponent('title="A better network" AND source.branch.name="feature/x"');
  expect(await (await api(`/pullrequests?q=${q}`)).json()).toMatchObject({ size: 1, values: [{ id: 1 }] });
  expect(await (await api("/pullrequests/1")).json()).toMatchObject({
    draft: false,
    author: { display_name: "Acme" },
    participants: [
      { user: { display_name: "Grace Hopper" }, approved: true },
      { user: { display_name: "Ada Lovelace" }, approved: false },
    ],
  });
  // The author approves when that is asked for, and not otherwise.
  await play("approve 1 acme");
  expect(received.at(-1)?.body).toMatchObject({
    actor: { display_name: "Acme" },
    pullrequest: { author: { display_name: "Acme" } },
  });

  expect((await play("decline 1 Not now")).out).toContain("pull request 1 is declined");
  expect(received.at(-1)).toMatchObject({
    eventKey: "pullrequest:rejected",
    body: { pullrequest: { state: "DECLINED", reason: "Not now" } },
  });
  expect(await (await api("/pullrequests/1")).json()).toMatchObject({ state: "DECLINED", reason: "Not now" });
  expect((await play("approve 1 Ada Lovelace")).err).toContain("pull request #1 is DECLINED");
  expect(await end()).toEqual({ code: 0, out: "" });
});

test("webhooks are duplicated, lost, held, let go in another order and delayed on demand", async () => {
  const { play, end } = await startSession();
  expect((await play("fault webhook duplicate 1")).out).toBe("the next webhook is sent twice\n");
  await play("push main a.tf");
  expect(received.map(({ requestUuid }) => requestUuid)).toEqual(
    Array.from({ length: 2 }, () => received[0]?.requestUuid),
  );
  expect(takeKeys()).toHaveLength(2);

  await play("fault webhook lose repo:push");
  expect((await play("push feature/x x.tf")).out).toMatch(/: lost\n$/);
  await play("open feature/x");
  expect(takeKeys()).toEqual(["pullrequest:created"]);

  expect((await play("fault webhook hold 2")).out).toBe(
    "each of the next 2 webhooks is held until release\n",
  );
  expect((await play("approve 1")).out).toMatch(/ {2}pullrequest:approved \S+: held\n$/);
  await play("comment 1 Hello");
  expect((await play("faults off")).out).toBe(
    "nothing goes wrong from now on; 2 webhooks are still held until release\n",
  );
  await play("push main b.tf");
  expect(takeKeys()).toEqual(["repo:push"]);
  expect((await play("release reversed")).out).toMatch(/^2 held webhooks are let go, the latest first\n/);
  expect(takeKeys()).toEqual(["pullrequest:comment_created", "pullrequest:approved"]);

  await play("fault webhook delay=1 1");
  expect((await play("push main c.tf")).out).toMatch(/: delayed\n$/);
  await play("tag v1.0.0");
  expect(takeKeys()).toEqual(["repo:push"]);
  // The end waits for what is late, and tells of it.
  expect(await end()).toMatchObject({ code: 0, out: expect.stringMatching(/^ {2}repo:push \S+: 202\n$/) });
  expect(takeKeys()).toEqual(["repo:push"]);
});

test("API calls go wrong on demand: as often as told, where told, and not after faults off", async () => {
  const { play, api, end } = await startSession();
  const statusOf = async (path: string): Promise<number> => (await api(path)).status;
  expect((await play("fault api 429=7 1 GET */refs/branches")).out).toBe(
    "the next API call that fits GET */refs/branches gets a 429 with Retry-After: 7\n",
  );
  expect(await statusOf("/refs/branches/main")).toBe(200);
  const limited = await api("/refs/branches");
  expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, "7"]);
  expect(await statusOf("/refs/branches")).toBe(200);

  for (const status of [503, 555]) {
    await play(`fault api ${String(status)} 1`);
    expect(await statusOf("/refs/branches")).toBe(status);
  }
  await play("fault api wrong-json 1");
  expect(await (await api("/refs/branches")).json()).toMatchObject({ type: "surprise" });
  await play("fault api cut-json 1");
  await expect((await api("/refs/branches")).json()).rejects.toThrow(SyntaxError);
  await play("fault api html 1");
  expect((await api("/refs/branches")).headers.get("content-type")).toMatch(/^text\/html/);
  await play("fault api slow=0 1");
  expect(await statusOf("/refs/branches")).toBe(200);
  await play("fault api reset");
  await expect(api("/refs/branches")).rejects.toThrow("fetch failed");

  expect((await play("fault api 200")).err).toMatch(/write fault webhook .* \| fault api <429/);
  expect((await play("faults off")).out).toBe("nothing goes wrong from now on\n");
  expect(await statusOf("/refs/branches")).toBe(200);
  await end();
});
