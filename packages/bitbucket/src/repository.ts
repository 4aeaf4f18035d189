/** What a repository is called now, and whether a credential can read it. */
import { z } from "zod";

import { getValue } from "./answer-json.ts";
import { type RepositoryAddress, repositoryPath } from "./api-url.ts";
import { nameSchema, repositorySchema } from "./bitbucket-schema.ts";
import { ENDPOINTS } from "./endpoint.ts";
import type { Transport } from "./transport.ts";

/** A repository as Bitbucket knows it now. */
export interface Repository {
  /** With braces. */
  readonly uuid: string;
  /** `workspace/slug`. */
  readonly fullName: string;
  /** Null for a repository without commits. */
  readonly mainBranch: string | null;
}

const mainBranchSchema = z.object({ mainbranch: z.object({ name: nameSchema }).nullish() });
const answerSchema = z.intersection(repositorySchema, mainBranchSchema);

/** The repository behind an address. */
export async function getRepository(
  transport: Transport,
  repository: RepositoryAddress,
): Promise<Repository> {
  const url = transport.url(repositoryPath(repository));
  const { uuid, fullName, mainbranch } = await getValue(transport, ENDPOINTS.repository, url, answerSchema);
  return { uuid, fullName, mainBranch: mainbranch?.name ?? null };
}
