/** What a credential may do (rule 3), as Bitbucket answers it now. */
import { z } from "zod";

import { getValue } from "./answer-json.ts";
import { pathSegment, type RepositoryAddress, repositoryPath } from "./api-url.ts";
import { BitbucketError } from "./bitbucket-error.ts";
import { repositorySchema } from "./bitbucket-schema.ts";
import type { BitbucketCredential } from "./credential.ts";
import { remedyFor } from "./credential-remedy.ts";
import { type Endpoint, ENDPOINTS } from "./endpoint.ts";
import { getRepository } from "./repository.ts";
import type { Transport } from "./transport.ts";

/** Where a credential is tried: one repository, or the first one of a workspace that it can read. */
export type CheckPlace =
  | { readonly kind: "repository"; readonly fullName: string }
  | { readonly kind: "workspace"; readonly workspace: string };

/** Whether a credential may do one thing. */
export interface AbilityCheck {
  /** `unknown`: nobody said, as in an outage; or Bitbucket does not tell "not there" from "not for you". */
  readonly answer: "yes" | "no" | "unknown";
  /** The status of Bitbucket's answer; null: there was none. */
  readonly httpStatus: number | null;
  /** What Bitbucket answered, for people. */
  readonly said: string;
  /** What to do about it; null: nothing is to be done. */
  readonly remedy: string | null;
}

/** What a credential may do. */
export interface CredentialCheck {
  /**
   * `refused`: Bitbucket says that the credential is wrong, expired or revoked. `unknown`: this check does not tell, because
   * of an outage, or because the repository may not be for this credential while others are.
   */
  readonly verdict: "ok" | "refused" | "unknown";
  /** `workspace/slug` of the repository that was asked about; null: none could be. */
  readonly repository: string | null;
  readonly readRepository: AbilityCheck;
  readonly readPullRequest: AbilityCheck;
  /** Whether it may read webhooks; whether it may change them only doing it shows. */
  readonly webhooks: AbilityCheck;
}

const listSchema = z.object({ values: z.array(z.unknown()) });
const repositoriesSchema = z.object({ values: z.array(repositorySchema) });

/** Reads `workspace/slug` or `workspace`; null for what is neither. */
export function parseCheckPlace(text: string): CheckPlace | null {
  const parts = text.split("/");
  if (parts.length > 2 || !parts.every(isName)) return null;
  const [workspace = "", slug] = parts;
  return slug === undefined ? { kind: "workspace", workspace } : { kind: "repository", fullName: text };
}

/**
 * Tries what Sluice needs: three calls for a repository, one more for a workspace. What Bitbucket refuses, or does not answer,
 * is part of the result. @throws what the budget throws, such as that its database is away.
 */
export async function checkCredential(
  transport: Transport,
  { kind, place }: { readonly kind: BitbucketCredential["kind"]; readonly place: CheckPlace },
): Promise<CredentialCheck> {
  const found = await findRepository(transport, { kind, place });
  if (found.repository === null) return allTheSame(found.because);
  const { repository } = found;
  const path = repositoryPath(repository);
  const ask = (endpoint: Endpoint, request: () => Promise<unknown>) => tryOut({ kind, endpoint, request });
  const list = (endpoint: Endpoint, url: URL) =>
    ask(endpoint, () => getValue(transport, endpoint, url, listSchema));
  const [readRepository, readPullRequest, webhooks] = await Promise.all([
    ask(ENDPOINTS.repository, () => getRepository(transport, repository)),
    list(ENDPOINTS.pullRequests, transport.url(`${path}/pullrequests`, { state: "OPEN", pagelen: "1" })),
    list(ENDPOINTS.hooks, transport.url(`${path}/hooks`, { pagelen: "1" })),
  ]);
  return {
    verdict: verdictOf(readRepository),
    repository: repository.fullName,
    readRepository,
    readPullRequest,
    webhooks,
  };
}

/** A check that could not be made, for one reason. */
function allTheSame(ability: AbilityCheck): CredentialCheck {
  const abilities = { readRepository: ability, readPullRequest: ability, webhooks: ability };
  return { verdict: verdictOf(ability), repository: null, ...abilities };
}

/** A credential that nobody tried. */
export function notTried(said: string, remedy: string | null): CredentialCheck {
  return allTheSame({ answer: "unknown", httpStatus: null, said, remedy });
}

type Found =
  { readonly repository: RepositoryAddress } | { readonly repository: null; readonly because: AbilityCheck };

async function findRepository(
  transport: Transport,
  { kind, place }: { readonly kind: BitbucketCredential["kind"]; readonly place: CheckPlace },
): Promise<Found> {
  if (place.kind === "repository") return { repository: { fullName: place.fullName, uuid: null } };
  const endpoint = ENDPOINTS.repositories;
  const url = transport.url(`repositories/${pathSegment(place.workspace)}`, { pagelen: "1" });
  let first: RepositoryAddress | undefined;
  const because = await tryOut({
    kind,
    endpoint,
    request: async () => {
      [first] = (await getValue(transport, endpoint, url, repositoriesSchema)).values;
    },
  });
  if (first !== undefined) return { repository: first };
  if (because.answer !== "yes") return { repository: null, because };
  const said = `Bitbucket lists no repository of the workspace "${place.workspace}" for this credential.`;
  const remedy = "Name a repository of it, or give the credential's owner access to one.";
  return { repository: null, because: { ...because, answer: "unknown", said, remedy } };
}

async function tryOut(input: {
  readonly kind: BitbucketCredential["kind"];
  readonly endpoint: Endpoint;
  readonly request: () => Promise<unknown>;
}): Promise<AbilityCheck> {
  const { kind, endpoint, request } = input;
  try {
    await request();
    return { answer: "yes", httpStatus: 200, said: "Bitbucket answered it.", remedy: null };
  } catch (error) {
    if (!(error instanceof BitbucketError)) throw error;
    return {
      answer: isRefusal(error) ? "no" : "unknown",
      httpStatus: error.status,
      said: `${error.message}.`,
      remedy: remedyFor(error, { kind, endpoint }),
    };
  }
}

/** A 404 is none: it also says that the name is wrong. */
function isRefusal({ code }: BitbucketError): boolean {
  return code === "bitbucket_unauthorized" || code === "bitbucket_forbidden";
}

/** A 403 is about this repository: others may be open to the credential, and its integration goes on with those. */
function verdictOf({ answer, httpStatus }: AbilityCheck): CredentialCheck["verdict"] {
  if (answer === "yes") return "ok";
  return answer === "no" && httpStatus === 401 ? "refused" : "unknown";
}

/** A segment of a path that leads nowhere else. */
function isName(part: string): boolean {
  return /^[A-Za-z0-9_.-]+$/.test(part) && part !== "." && part !== "..";
}
