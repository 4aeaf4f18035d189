import { describe, expect, it } from "vitest";
import { ConfigurationError, defineConfiguration, loadConfiguration } from "./configuration.ts";
import { generateKey } from "./keyring.ts";
import {
  databaseVariables,
  drainVariables,
  encryptionVariables,
  loggingVariables,
  queueVariables,
} from "./variables.ts";

const everything = defineConfiguration({
  ...databaseVariables,
  ...queueVariables,
  ...loggingVariables,
  ...encryptionVariables,
  ...drainVariables,
});
const DATABASE_URL = "postgres://sluice:secret@localhost:5432/sluice";
const required = { DATABASE_URL, SLUICE_ENCRYPTION_KEYS: generateKey() };

describe("the shared variables", () => {
  it("need only the database and the encryption keys", () => {
    expect(loadConfiguration(everything, required)).toMatchObject({
      databaseUrl: DATABASE_URL,
      databasePoolSize: 16,
      queueUrl: DATABASE_URL,
      logLevel: "info",
      logFormat: "auto",
      drainTimeoutMs: 10_000,
    });
  });

  it("put the queue where SLUICE_QUEUE_URL says, else in REDIS_URL, else in the database", () => {
    const REDIS_URL = "redis://:secret@localhost:6379";
    expect(loadConfiguration(queueVariables, { DATABASE_URL, REDIS_URL }).queueUrl).toBe(REDIS_URL);
    const SLUICE_QUEUE_URL = "redis+sentinel://a:26379,b:26379/main";
    expect(loadConfiguration(queueVariables, { REDIS_URL, SLUICE_QUEUE_URL }).queueUrl).toBe(
      SLUICE_QUEUE_URL,
    );
  });

  it.each([
    "redis://localhost:6379/1",
    "rediss://user:secret@cache.example:6380",
    "redis+sentinel://:secret@a:26379,b:26379,c:26379/main",
    "rediss+sentinel://:secret@a:26379,b:26379/main/2?sentinel_password=other",
    "redis+cluster://a:7000,b:7001",
    "rediss+cluster://a:7000,b:7001",
    "postgres://db/sluice",
  ])("take %s for a queue", (SLUICE_QUEUE_URL) => {
    expect(loadConfiguration(queueVariables, { SLUICE_QUEUE_URL }).queueUrl).toBe(SLUICE_QUEUE_URL);
  });

  it("tell what is wrong with a key without showing it", () => {
    const key = Buffer.alloc(31, 7).toString("base64");
    expect(() => loadConfiguration(encryptionVariables, { SLUICE_ENCRYPTION_KEYS: `k1:${key}` })).toThrow(
      /SLUICE_ENCRYPTION_KEYS is not valid \(the key of entry 1 has 31 bytes and must have 32\): expected/,
    );
    const error = thrownBy(() =>
      loadConfiguration(encryptionVariables, { SLUICE_ENCRYPTION_KEYS: `${key}:k1` }),
    );
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(String(error)).not.toContain(key);
  });
});

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}
