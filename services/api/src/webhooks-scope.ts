/** Which repositories, or which workspace, a request for webhooks is about. */
import type { Database } from "@sluice/store/client";
import {
  findHookedRepository,
  listHookedRepositories,
  type HookedRepository,
} from "@sluice/store/repository-hooks";

import type { HookedThing } from "./webhooks-look.ts";
import type { Scope } from "./webhooks-schema.ts";

/** A part of a scope; only `targets` has more than one. */
export interface ScopePage {
  readonly scope: Scope;
  /** The id of the last repository of the page before; null: the first page. */
  readonly after: string | null;
  /** The id of the last one; null: as many as `limit` allows. */
  readonly through: string | null;
  /** Null: all up to `through`. */
  readonly limit: number | null;
}

/** More than a page has: where `through` says where it ends. */
const NO_LIMIT = 1_000;

/** What a page is about; `total` counts also what comes after it. */
export async function listThings(
  db: Database,
  integrationId: string,
  { scope, after, through, limit }: ScopePage,
): Promise<{ readonly things: readonly HookedThing[]; readonly total: number }> {
  if (scope === "targets") {
    const page = { integrationId, after, through, limit: limit ?? NO_LIMIT };
    const { repositories, total } = await listHookedRepositories(db, page);
    return { things: repositories.map(ofRepository), total };
  }
  if ("workspace" in scope) {
    const { workspace } = scope;
    const owner = { kind: "workspace", workspace } as const;
    return { things: [{ name: workspace, repositoryId: null, subject: owner, owner }], total: 1 };
  }
  const fullName = scope.repository;
  const known = await findHookedRepository(db, { integrationId, fullName });
  return { things: [ofRepository(known ?? { id: null, uuid: null, fullName })], total: 1 };
}

function ofRepository({
  id,
  uuid,
  fullName,
}: Omit<HookedRepository, "id"> & { readonly id: string | null }): HookedThing {
  return {
    name: fullName,
    repositoryId: id,
    subject: { kind: "repository", fullName },
    owner: { kind: "repository", repository: { fullName, uuid } },
  };
}
