import { expect, test } from "vitest";

import { parseEventReference } from "./event-reference.ts";

const PULL_REQUEST = { kind: "pull_request", repository: "acme/infra", number: 12 };
const ID = "0199aaaa-0000-7000-8000-00000000000a";

test.each([
  [ID, { kind: "id", id: ID }],
  [`{${ID.toUpperCase()}}`, { kind: "id", id: ID }],
  ["1C2D3E4", { kind: "commit", sha: "1c2d3e4" }],
  ["a".repeat(40), { kind: "commit", sha: "a".repeat(40) }],
  ["acme/infra@main", { kind: "branch", repository: "acme/infra", branch: "main" }],
  ["acme/infra@feature/a@b", { kind: "branch", repository: "acme/infra", branch: "feature/a@b" }],
  ["acme/infra@refs/heads/main", { kind: "branch", repository: "acme/infra", branch: "main" }],
  ["acme/infra@fix#12", { kind: "branch", repository: "acme/infra", branch: "fix#12" }],
  ["acme/infra#12", PULL_REQUEST],
  ["https://bitbucket.org/acme/infra/pull-requests/12", PULL_REQUEST],
  ["bitbucket.org/acme/infra/pull-requests/12/", PULL_REQUEST],
  ["https://bitbucket.org/acme/infra/pull-requests/12/diff?w=1#chg-network/main.tf", PULL_REQUEST],
])("%s is understood", (text, reference) => {
  expect(parseEventReference(text)).toEqual(reference);
});

test.each([
  "",
  "main",
  "1c2d3e",
  "a".repeat(41),
  "1c2d3eg",
  "acme/infra",
  "infra@main",
  "acme/infra@",
  "a/b/c@main",
  "acme/infra#",
  "acme/infra#0",
  "acme/infra#12x",
  "infra#12",
  "https://bitbucket.org/acme/infra",
  "https://example.org/acme/infra/pull-requests/12",
])("%j names no event, and is told what would", (text) => {
  expect(() => parseEventReference(text)).toThrow(/ names no event: give the id of a delivery/);
});
