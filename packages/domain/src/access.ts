/** Who may do what, and where: the roles of API keys, each held on one space. */

export const ROLES = ["read", "write", "admin", "scheduler"] as const;

/** What a key may be. */
export type Role = (typeof ROLES)[number];

/**
 * What a route asks for. `any`: any valid key. `read`: look. `write`: change targets, intervene in what runs. `admin`:
 * integrations, secrets, keys, spaces, the audit log. `claim`: take triggers and report on them.
 */
export type Permission = "any" | "read" | "write" | "admin" | "claim";

const PERMISSIONS: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  read: new Set(["any", "read"]),
  write: new Set(["any", "read", "write"]),
  admin: new Set(["any", "read", "write", "admin", "claim"]),
  scheduler: new Set(["any", "read", "claim"]),
};

/**
 * The spaces that a key's role holds in: its own and those below it, through an unbroken chain of spaces that inherit.
 * `everywhere` is an admin of the root, who is the account's administrator, and sees also what belongs to no space.
 */
export type Reach =
  { readonly kind: "everywhere" } | { readonly kind: "spaces"; readonly spaceIds: readonly string[] };

/** The grant behind a request. */
export interface Access {
  /** Null for the key of the configuration. */
  readonly keyId: string | null;
  /** For people and for the audit log. */
  readonly keyName: string;
  readonly role: Role;
  readonly reach: Reach;
}

/** Whether a role has a permission, somewhere. */
export function mayDo(role: Role, permission: Permission): boolean {
  return PERMISSIONS[role].has(permission);
}

/** Whether what belongs to a space can be seen at all; `spaceId` null: it belongs to the account as a whole. */
export function isWithinReach(reach: Reach, spaceId: string | null): boolean {
  return reach.kind === "everywhere" || (spaceId !== null && reach.spaceIds.includes(spaceId));
}

/** An admin of the root: the only one who sees the default integration's details, and who may make one (rule 2). */
export function isRootAdmin(access: Pick<Access, "reach">): boolean {
  return access.reach.kind === "everywhere";
}

/** Whether a key may hand a role on a space to another key: no key gives away more than it has. */
export function mayGrant(access: Access, grant: { readonly role: Role; readonly spaceId: string }): boolean {
  return mayDo(access.role, "admin") && isWithinReach(access.reach, grant.spaceId);
}
