import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";

import { createApiClient } from "./api-client.ts";

const KEY = "the-key-that-is-never-shown";
const thing = z.object({ id: z.int() });

let answers: ((request: IncomingMessage, response: ServerResponse) => void)[];
let asked: string[];
let url: string;
let close: () => Promise<void>;

beforeEach(async () => {
  answers = [];
  asked = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method ?? ""} ${request.url ?? ""} ${request.headers.authorization ?? "-"}`);
    const answer = answers.shift() ?? (() => response.writeHead(500).end());
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  close = () => new Promise((resolve) => void server.close(() => resolve()));
});

afterEach(async () => {
  expect(answers).toEqual([]);
  await close();
});

const reply =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  (_: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(status, headers).end(typeof body === "string" ? body : JSON.stringify(body));
  };
const problem = (status: number, code: string, detail: string, headers: Record<string, string> = {}) =>
  reply(status, { type: `urn:sluice:problem:${code}`, title: "No", status, detail }, headers);

const client = () => createApiClient({ url, key: KEY });

test("the key goes along with each request, and the query as it was meant", async () => {
  answers = [reply(200, { items: [], next_cursor: null })];
  const query = { name: "a b&c", state: ["queued", "lost"], none: undefined };
  expect(await client().list("/v1/things", thing, { query, limit: 5 })).toEqual({
    items: [],
    nextCursor: null,
  });
  expect(asked).toEqual([`GET /v1/things?name=a+b%26c&state=queued&state=lost&limit=5 Bearer ${KEY}`]);
});

test("a change is sent as JSON, with its headers", async () => {
  answers = [
    (request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      request.on("end", () => {
        const { "content-type": type, "if-match": version } = request.headers;
        expect({ body, type, version }).toEqual({
          body: '{"a":"ü"}',
          type: "application/json",
          version: '"v1"',
        });
        reply(200, { id: 3 })(request, response);
      });
    },
  ];
  const change = { method: "PUT", body: { a: "ü" }, headers: { "if-match": '"v1"' } } as const;
  expect(await client().change("/v1/things/3", change, thing)).toEqual({ id: 3 });
});

test("a look that is answered 503 is repeated once, a change never", async () => {
  const away = problem(503, "unavailable", "The database cannot be reached.", { "retry-after": "0" });
  answers = [away, reply(200, { id: 2 })];
  expect(await client().get("/v1/things/2", thing)).toEqual({ id: 2 });
  answers = [away, away];
  await expect(client().get("/v1/things/2", thing)).rejects.toMatchObject({
    code: "unavailable",
    status: 503,
  });
  answers = [away];
  const change = client().change("/v1/things", { method: "POST", body: {} }, thing);
  await expect(change).rejects.toMatchObject({ code: "unavailable", status: 503 });
  expect(asked).toHaveLength(5);
});

test("what the API refuses is its own code and one line", async () => {
  answers = [problem(409, "name_taken", "There is one\nalready.\u001b[2J")];
  await expect(client().get("/v1/things", thing)).rejects.toMatchObject({
    code: "name_taken",
    status: 409,
    message: "There is one already. [2J",
  });
});

test("a redirect is not followed: the key goes nowhere else", async () => {
  answers = [reply(302, "", { location: `${url}/elsewhere` })];
  await expect(client().get("/v1/things", thing)).rejects.toThrow(
    `${url} answered 302 to go to another place (${url}/elsewhere): see that this is the address of Sluice's API`,
  );
  expect(asked).toHaveLength(1);
});

test("what answers instead of Sluice is told as such, and what it repeats of the key is not", async () => {
  answers = [
    reply(502, "<html>Bad gateway</html>"),
    reply(200, "<html>Welcome</html>"),
    reply(200, { id: "seven" }),
    problem(401, "unauthorized", `${KEY} is no key.`),
  ];
  await expect(client().get("/v1/things", thing)).rejects.toMatchObject({
    code: "api_answer_unknown",
    status: 502,
  });
  await expect(client().get("/v1/things", thing)).rejects.toMatchObject({ code: "api_answer_unknown" });
  await expect(client().get("/v1/things", thing)).rejects.toMatchObject({ code: "api_answer_unknown" });
  await expect(client().get("/v1/things", thing)).rejects.toThrow("[key] is no key.");
});

test("an address where nothing listens is told with what to see to", async () => {
  const gone = createApiClient({ url: "http://127.0.0.1:1", key: KEY });
  await expect(gone.get("/v1/things", thing)).rejects.toMatchObject({
    code: "api_unreachable",
    message: expect.stringMatching(
      /^http:\/\/127\.0\.0\.1:1 cannot be reached \(.+\): see that Sluice's API runs there$/,
    ),
  });
});

test("of a change whose answer is lost it is not known whether it was done, and that is said", async () => {
  answers = [(_, response) => void response.destroy()];
  const change = client().change("/v1/things", { method: "POST", body: {} }, thing);
  await expect(change).rejects.toMatchObject({
    code: "api_unreachable",
    message: expect.stringMatching(/: before you repeat it, see whether it was done$/),
  });
});

test("a list is read page by page, up to a limit or to its end", async () => {
  const page = (ids: number[], next: string | null) =>
    reply(200, { items: ids.map((id) => ({ id })), next_cursor: next });
  answers = [page([1, 2], "c1"), page([3], null)];
  expect(await client().list("/v1/things", thing, { limit: null })).toEqual({
    items: [{ id: 1 }, { id: 2 }, { id: 3 }],
    nextCursor: null,
  });
  answers = [page([1, 2], "c1"), page([3], "c2")];
  expect(await client().list("/v1/things", thing, { limit: 3, query: { q: "x" } })).toMatchObject({
    nextCursor: "c2",
  });
  expect(asked.map((line) => line.split(" ")[1])).toEqual([
    "/v1/things?limit=200",
    "/v1/things?limit=200&cursor=c1",
    "/v1/things?q=x&limit=3",
    "/v1/things?q=x&limit=1&cursor=c1",
  ]);
});

test("a version goes along with what is read, and its absence is told", async () => {
  answers = [reply(200, { id: 1 }, { etag: '"v1"' }), reply(200, { id: 1 })];
  expect(await client().getVersion("/v1/things/1", thing)).toEqual({ value: { id: 1 }, etag: '"v1"' });
  await expect(client().getVersion("/v1/things/1", thing)).rejects.toThrow(
    "names no version of /v1/things/1",
  );
});
