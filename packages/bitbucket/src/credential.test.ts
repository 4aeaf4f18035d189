import { expect, it } from "vitest";

import { authorizationHeader } from "./credential.ts";

it("sends an API token with its e-mail address as Basic, an access token as Bearer", () => {
  expect(authorizationHeader({ kind: "api_token", email: "ada@northwind.example", token: "t0ken" })).toBe(
    "Basic YWRhQG5vcnRod2luZC5leGFtcGxlOnQwa2Vu",
  );
  expect(authorizationHeader({ kind: "access_token", token: "t0ken" })).toBe("Bearer t0ken");
});

it.each([
  ["", "ada@northwind.example"],
  ["secret\nvalue", "ada@northwind.example"],
  ["secret value", "ada@northwind.example"],
  ["secret", "ada"],
  ["secret", "ada:x@northwind.example"],
])("refuses what no header can carry, without repeating it (%j, %j)", (token, email) => {
  const attempt = () => authorizationHeader({ kind: "api_token", email, token });
  expect(attempt).toThrow(expect.objectContaining({ code: "bitbucket_invalid_credential", retry: "never" }));
  expect(attempt).not.toThrow("secret");
});
