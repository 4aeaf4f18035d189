import { AppError } from "@sluice/domain/app-error";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeError, isSecretName, redactSecrets, redactText, serializeError } from "./redaction.ts";

const SECRET = "hunter2hunter2";

describe("redactText", () => {
  it.each([
    [`postgres://sluice:${SECRET}@db:5432/sluice`, "postgres://[redacted]@db:5432/sluice"],
    [`redis://:${SECRET}@cache:6379`, "redis://[redacted]@cache:6379"],
    [
      `clone https://x-token:${SECRET}@bitbucket.org/a/b failed`,
      "clone https://[redacted]@bitbucket.org/a/b failed",
    ],
    [`https://${SECRET}@host/`, "https://[redacted]@host/"],
    [`redis+sentinel://:${SECRET}@a:1,b:2/main`, "redis+sentinel://[redacted]@a:1,b:2/main"],
    [`postgres://u:a@${SECRET}@db/x`, "postgres://[redacted]@db/x"],
    [`postgres://u:a/${SECRET}@db/x`, "postgres://[redacted]@db/x"],
    [`postgres://u:a#${SECRET}@db/x`, "postgres://[redacted]@db/x"],
    [`GET /x?access_token=${SECRET}&page=2`, "GET /x?access_token=[redacted]&page=2"],
    [`Authorization: Bearer ${SECRET}`, "Authorization: Bearer [redacted]"],
    [`authorization: basic ${SECRET}==`, "authorization: basic [redacted]"],
    ["got sha256=0123456789abcdef", "got sha256=[redacted]"],
    [`Unexpected token 'h', "${SECRET}" is not valid JSON`, "Unexpected token 'h' is not valid JSON"],
  ])("takes the secret out of %s", (text, expected) => {
    expect(redactText(text)).toBe(expected);
  });

  it.each([
    "https://api.bitbucket.org/2.0/repositories/acme/infra?page=2",
    "https://bitbucket.org/acme/infra/src/main/@scope/package",
    "connect ECONNREFUSED 127.0.0.1:5432",
    "mail dev@example.com about postgres://db:5432/sluice",
    "basic rules",
  ])("leaves %s as it is", (text) => {
    expect(redactText(text)).toBe(text);
  });

  it("never shows the password of a URL, whatever it is made of", () => {
    const password = fc.stringMatching(/^[!-~]{8,40}$/).filter((text) => !text.includes('"'));
    fc.assert(
      fc.property(fc.constantFrom("postgres", "redis", "https"), password, (protocol, secret) => {
        expect(redactText(`cannot reach ${protocol}://user:${secret}@host.example/path`)).not.toContain(
          secret,
        );
      }),
    );
  });
});

describe("isSecretName", () => {
  it.each([
    "authorization",
    "x-hub-signature",
    "Set-Cookie",
    "webhookSecret",
    "apiToken",
    "access_token",
    "PASSWORD",
    "credential",
    "encryptionKeys",
    "SLUICE_ENCRYPTION_KEYS",
    "body",
    "rawBody",
    "DATABASE_URL",
    "queueUrl",
    "connectionString",
  ])("%s is one", (name) => {
    expect(isSecretName(name)).toBe(true);
  });

  it.each([
    "credentialId",
    "tokenExpiresAt",
    "secretKind",
    "secretVersion",
    "bodyBytes",
    "deliveryId",
    "url",
    "key",
  ])("%s is none", (name) => {
    expect(isSecretName(name)).toBe(false);
  });
});

describe("redactSecrets", () => {
  it("cleans secret fields at any depth and leaves the original alone", () => {
    const original = { a: { b: { c: { d: { token: SECRET, kept: 1 } } } }, list: [{ Password: SECRET }] };
    const copy = redactSecrets(original);
    expect(copy).toEqual({
      a: { b: { c: { d: { token: "[redacted]", kept: 1 } } } },
      list: [{ Password: "[redacted]" }],
    });
    expect(original.list[0]?.Password).toBe(SECRET);
  });

  it("keeps numbers, booleans and null under a secret's name", () => {
    expect(redactSecrets({ hasSecret: true, tokens: 3, credential: null })).toEqual({
      hasSecret: true,
      tokens: 3,
      credential: null,
    });
  });

  it("ends circles, shortens bytes, names foreign objects and cleans what toJSON gives", () => {
    const circle: Record<string, unknown> = { bytes: Buffer.from(SECRET), map: new Map([["token", SECRET]]) };
    circle["self"] = circle;
    circle["url"] = new URL(`https://user:${SECRET}@host/`);
    const text = JSON.stringify(redactSecrets(circle));
    expect(text).toContain("[14 bytes]");
    expect(text).toContain("[Map]");
    expect(text).toContain("[too deep]");
    expect(text).not.toContain(SECRET);
  });
});

describe("serializeError", () => {
  it("keeps code, retry advice, facts and causes of an AppError", () => {
    const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    class SlugTaken extends AppError {
      readonly slug = "acme";
      readonly webhookSecret = SECRET;
    }
    const error = new SlugTaken("slug_taken", "the slug is taken", { retry: { afterMs: 500 }, cause });
    expect(serializeError(error)).toMatchObject({
      type: "AppError",
      code: "slug_taken",
      retry: { afterMs: 500 },
      slug: "acme",
      webhookSecret: "[redacted]",
      message: "the slug is taken",
      cause: { code: "ECONNREFUSED", message: "connect ECONNREFUSED" },
    });
  });

  it("drops what other libraries hang on their errors", () => {
    const error = Object.assign(new Error("boom"), {
      detail: SECRET,
      response: { text: SECRET },
      code: "23505",
    });
    expect(serializeError(error)).toEqual({
      type: "Error",
      code: "23505",
      message: "boom",
      stack: expect.stringContaining("boom"),
    });
  });

  it("shows the statement of a failed query without its values", () => {
    const message = `Failed query: insert into integrations values ($1)\nparams: ${SECRET}`;
    const error = Object.assign(new Error(message), { params: [SECRET] });
    const shown = JSON.stringify(serializeError(new Error("write failed", { cause: error })));
    expect(shown).toContain("insert into integrations");
    expect(shown).not.toContain(SECRET);
  });

  it("ends at an error that is its own cause", () => {
    const error = new AppError("loop", "loop");
    Object.assign(error, { cause: error, related: error });
    expect(JSON.stringify(serializeError(error))).toContain("[too deep]");
  });
});

describe("describeError", () => {
  it("joins the messages of the causes in one line, each once, without secrets", () => {
    const refused = new Error("connect ECONNREFUSED 127.0.0.1:5432");
    const middle = new Error(`cannot reach postgres://u:${SECRET}@db/x`, { cause: refused });
    const outer = new AppError("database_unavailable", "the database is away", { cause: middle });
    expect(describeError(outer)).toBe(
      "the database is away: cannot reach postgres://[redacted]@db/x: connect ECONNREFUSED 127.0.0.1:5432",
    );
  });

  it("looks into an AggregateError without a message, as Node throws for a host with two addresses", () => {
    expect(describeError(new AggregateError([new Error("connect ECONNREFUSED ::1:6379")]))).toContain(
      "connect ECONNREFUSED ::1:6379",
    );
  });

  it("says so when what was thrown is no error", () => {
    expect(describeError({ token: SECRET })).not.toContain(SECRET);
    expect(describeError("plain text")).toBe("plain text");
  });
});
