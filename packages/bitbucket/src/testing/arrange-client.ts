/** A server and a client of it, for one test. */
import type { BudgetLesson } from "../budget.ts";
import { type BitbucketClient, type BitbucketClientOptions, createBitbucketClient } from "../client.ts";
import type { CallObservation } from "../transport.ts";
import { type ScriptedApi, startScriptedApi } from "./scripted-api.ts";

/** In every client of a test: must be found in no message. */
export const TOKEN = "ATATT-very-secret";
/** The commit of the samples. */
export const SHA = "a14c0d9e7b4c0d9e7b4c0d9e7b4c0d9e7b5f3a2e";
/** The repository of the samples. */
export const REPOSITORY = {
  uuid: "{5b0c7d1e-8f41-4a63-9c55-1d2f7ab0e3c4}",
  fullName: "northwind/landing-zone",
};
/** Where that repository is, below the API's base. */
export const REPOSITORY_PATH = "repositories/northwind/%7B5b0c7d1e-8f41-4a63-9c55-1d2f7ab0e3c4%7D";

const running: ScriptedApi[] = [];

/** Closes every server that `arrange` has started. */
export async function closeAll(): Promise<void> {
  await Promise.all(running.splice(0).map((api) => api.close()));
}

/** Starts a server and makes a client of it, whose budget grants everything and keeps what it is told. */
export async function arrange(
  answer: (target: string, origin: string, request: Request) => Response | Promise<Response>,
  options: Partial<BitbucketClientOptions> = {},
) {
  const api = await startScriptedApi(answer);
  running.push(api);
  const taken: string[] = [];
  const lessons: BudgetLesson[] = [];
  const observed: CallObservation[] = [];
  const client = createBitbucketClient({
    baseUrl: api.url,
    credential: { kind: "access_token", token: TOKEN },
    credentialId: "credential-1",
    budget: {
      take: async (credentialId) => {
        taken.push(credentialId);
        return { granted: true };
      },
      learn: async (_, lesson) => void lessons.push(lesson),
    },
    userAgent: "sluice-test",
    onCall: (observation) => void observed.push(observation),
    ...options,
  });
  return { api, client, taken, lessons, observed };
}

/** A client of a simulated Bitbucket. `beforeCall` gets the number of the request, 1 for the first. */
export function simulatorClient(
  baseUrl: string,
  beforeCall: (number: number) => void = () => undefined,
): BitbucketClient {
  let calls = 0;
  return createBitbucketClient({
    baseUrl,
    credential: { kind: "access_token", token: "simulated-access-token" },
    credentialId: "credential-1",
    budget: {
      take: async () => {
        beforeCall((calls += 1));
        return { granted: true };
      },
      learn: async () => undefined,
    },
    userAgent: "sluice-test",
  });
}

/** A page of a list. */
export function page(values: readonly unknown[], next?: string): Response {
  return Response.json({ pagelen: 500, values, ...(next === undefined ? {} : { next }) });
}

/** A redirect; relative locations are of the same server. */
export function redirect(location: string, status = 302): Response {
  return new Response(null, { status, headers: { location } });
}
