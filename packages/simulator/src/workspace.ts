/** A workspace: it owns repositories under a slug, and may have webhooks that fire for all of them. */
import type { Account } from "./account.ts";
import type { Hook } from "./hook.ts";
import type { JsonObject } from "./json.ts";
import { API, href, SITE } from "./links.ts";
import type { SeededSource } from "./seeded-source.ts";

export interface Workspace {
  readonly uuid: string;
  /** What stands in addresses; `name` is for people. */
  readonly slug: string;
  readonly name: string;
  readonly owner: Account;
  readonly project: Project;
  readonly hooks: Map<string, Hook>;
}

/** Every repository is in a project; one for each workspace is enough here. */
export interface Project {
  readonly uuid: string;
  readonly key: string;
  readonly name: string;
}

/** A workspace with one project. Without an owner in person, it is a team that owns it. */
export function createWorkspace(
  source: SeededSource,
  input: { readonly slug: string; readonly name: string; readonly owner?: Account },
): Workspace {
  const { slug, name } = input;
  const uuid = source.bracedUuid();
  const project = { uuid: source.bracedUuid(), key: slug.slice(0, 4).toUpperCase(), name: "Platform" };
  const owner = input.owner ?? { type: "team", uuid, displayName: name, username: slug };
  return { uuid, slug, name, owner, project, hooks: new Map() };
}

/** The workspace as a top-level `repository` holds it. */
export function workspaceJson(workspace: Workspace): JsonObject {
  return {
    type: "workspace",
    uuid: workspace.uuid,
    name: workspace.name,
    slug: workspace.slug,
    links: {
      avatar: href(`${SITE}/workspaces/${workspace.slug}/avatar/?ts=1767603600`),
      html: href(`${SITE}/${workspace.slug}/`),
      self: href(`${API}/workspaces/${workspace.slug}`),
    },
  };
}

/** The project as a top-level `repository` holds it. */
export function projectJson(workspace: Workspace): JsonObject {
  const { project, slug } = workspace;
  const html = `${SITE}/${slug}/workspace/projects/${project.key}`;
  return {
    type: "project",
    key: project.key,
    uuid: project.uuid,
    name: project.name,
    links: {
      self: href(`${API}/workspaces/${slug}/projects/${project.key}`),
      html: href(html),
      avatar: href(`${html}/avatar/32?ts=1767603600`),
    },
  };
}
