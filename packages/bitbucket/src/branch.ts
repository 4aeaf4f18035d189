/** Where a branch is now (rule 14). */
import { z } from "zod";

import { parseJson, parseValue } from "./answer-json.ts";
import { pathSegment, type RepositoryAddress, repositoryPath } from "./api-url.ts";
import { hashSchema } from "./bitbucket-schema.ts";
import { ENDPOINTS } from "./endpoint.ts";
import { getRepository } from "./repository.ts";
import type { Transport } from "./transport.ts";

const branchSchema = z.object({ target: z.object({ hash: hashSchema }) });

/**
 * The head of a branch; null when there is no such branch. A 404 is also what a hidden or deleted repository gives, so
 * the repository is asked for before a branch is called gone: null cancels what is queued for it (rule 23).
 */
export async function getBranch(
  transport: Transport,
  repository: RepositoryAddress,
  name: string,
): Promise<string | null> {
  const url = transport.url(`${repositoryPath(repository)}/refs/branches/${pathSegment(name)}`);
  const answer = await transport.get(ENDPOINTS.branch, url);
  if (answer.status === 404) {
    await getRepository(transport, repository);
    return null;
  }
  return parseValue(branchSchema, parseJson(transport, ENDPOINTS.branch, url, answer), url).target.hash;
}
