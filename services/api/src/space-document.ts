/** Spaces as the API shows them: those within reach, each after its parent. */
import { z } from "@hono/zod-openapi";
import { isWithinReach, type Reach } from "@sluice/domain/access";
import type { SpaceRecord } from "@sluice/store/space-records";

export const spaceSchema = z
  .object({
    id: z.guid(),
    name: z.string(),
    parent: z
      .string()
      .nullable()
      .openapi({ description: "Name of the space that it is in; null: the root, or one out of your reach." }),
    parent_id: z.guid().nullable(),
    path: z
      .array(z.string())
      .openapi({ description: "Names from the topmost space within your reach down to this one." }),
    inherit_entities: z.boolean().openapi({
      description: "Whether integrations of its parent can be used in it too, and keys reach it.",
    }),
    created_at: z.iso.datetime(),
  })
  .openapi("Space");

export type SpaceDocument = z.infer<typeof spaceSchema>;

/** The spaces within reach, each after its parent, those of one parent by name. */
export function arrangeSpaces(spaces: readonly SpaceRecord[], reach: Reach): SpaceDocument[] {
  return showSpaces(spaces.filter(({ id }) => isWithinReach(reach, id))).toSorted((a, b) =>
    comparePaths(a.path, b.path),
  );
}

/** Negative when the space with the path `a` comes before the one with `b`; 0: it is the same one. */
export function comparePaths(a: readonly string[], b: readonly string[]): number {
  for (const [index, name] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    if (name !== other) return name < other ? -1 : 1;
  }
  return a.length - b.length;
}

/** In any order; a parent that is not among them is not shown. */
function showSpaces(visible: readonly SpaceRecord[]): SpaceDocument[] {
  const byId = new Map(visible.map((space) => [space.id, space]));
  return visible.map((space) => {
    const parent = byId.get(space.parentId ?? "");
    return {
      id: space.id,
      name: space.name,
      parent: parent?.name ?? null,
      parent_id: parent?.id ?? null,
      path: pathTo(space, byId),
      inherit_entities: space.inheritEntities,
      created_at: space.createdAt,
    };
  });
}

function pathTo(space: SpaceRecord, byId: ReadonlyMap<string, SpaceRecord>): string[] {
  const path: string[] = [];
  for (let at: SpaceRecord | undefined = space; at !== undefined; at = byId.get(at.parentId ?? "")) {
    path.unshift(at.name);
  }
  return path;
}
