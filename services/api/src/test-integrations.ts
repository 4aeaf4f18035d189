/** An API beside a simulated Bitbucket, for tests of integrations. Not for anything else. */
import { generateKey, parseKeyring, type Keyring } from "@sluice/runtime/keyring";
import { createLogger } from "@sluice/runtime/logger";
import { openStore } from "@sluice/store/client";
import { z } from "zod";

import { call, startTestApi, type Answer, type TestApi } from "./test-api.ts";

/** Where the ingress of the tests is said to be. */
export const PUBLIC_URL = "https://sluice.example.com";
/** May do everything at the simulated Bitbucket. */
export const TOKEN = { kind: "access_token", token: "a-token-of-the-tests" } as const;
/** May read repositories, and nothing else. */
export const POOR_TOKEN = {
  kind: "api_token",
  email: "ada@example.com",
  token: "a-poor-token-of-the-tests",
} as const;
/** A repository of the simulated Bitbucket. */
export const REPOSITORY = "acme/infrastructure";

/** The credentials that the simulated Bitbucket takes. */
export const CREDENTIALS = [TOKEN, { ...POOR_TOKEN, scopes: ["repository"] as const }];

/** A Bitbucket that may be closed. */
interface ClosableServer {
  readonly url: string;
  close(): Promise<void>;
}

/** An API, and what it can be asked about behind its back. */
export interface IntegrationScene<Server> extends TestApi {
  readonly server: Server;
  readonly keyring: Keyring;
  /** Every line that the API has logged. */
  readonly lines: readonly string[];
}

/** An API on a database that `migrateForApi` has made; both it and the server go with the API. */
export async function arrangeIntegrations<Server extends ClosableServer>(input: {
  readonly database: { readonly url: string; drop(): Promise<void> };
  readonly server: Server;
}): Promise<IntegrationScene<Server>> {
  const { database, server } = input;
  const store = openStore({ url: database.url, maxConnections: 5, applicationName: "test" });
  const keyring = parseKeyring(generateKey());
  const lines: string[] = [];
  const api = await startTestApi(
    { databaseUrl: database.url, queueUrl: database.url },
    {
      configuration: { keyring, bitbucketApiUrl: server.url, publicUrl: PUBLIC_URL },
      logger: createLogger({
        service: "api",
        level: "trace",
        format: "json",
        destination: { write: (line) => void lines.push(line) },
      }),
    },
  );
  return {
    url: api.url,
    databaseUrl: database.url,
    store,
    server,
    keyring,
    lines,
    call: (method, path, body, headers) => call(`${api.url}${path}`, { method, body, headers }),
    async close() {
      await api.close(1_000);
      await server.close();
      await store.close();
      await database.drop();
    },
  };
}

/** The header of a key. */
export const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

const madeSchema = z.object({ id: z.string(), webhook_secret: z.string() });

/** Makes an integration through the API; in the root space, unless `body` says another place. */
export async function makeIntegration(
  api: Pick<TestApi, "call">,
  body: { readonly name: string } & Readonly<Record<string, unknown>>,
  headers?: Readonly<Record<string, string>>,
): Promise<z.infer<typeof madeSchema> & { readonly answer: Answer }> {
  const place = body["default"] === true ? {} : { space: "root" };
  const answer = await api.call(
    "POST",
    "/v1/integrations",
    { ...place, credential: TOKEN, ...body },
    headers,
  );
  if (answer.status !== 201) throw new Error(`it could not be made: ${JSON.stringify(answer.body)}`);
  return { ...madeSchema.parse(answer.body), answer };
}
