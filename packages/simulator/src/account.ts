/** Who acts on Bitbucket: people, teams (what workspaces act as) and access tokens. */
import type { JsonObject } from "./json.ts";
import { API, href, SITE } from "./links.ts";
import type { SeededSource } from "./seeded-source.ts";

/** A person. `email` ties commits to the account and is never sent. */
export interface User {
  readonly type: "user";
  readonly uuid: string;
  readonly accountId: string;
  readonly displayName: string;
  readonly nickname: string;
  readonly email: string;
}

/** What a workspace is when it owns or acts: the only kind that still has a `username`. */
export interface Team {
  readonly type: "team";
  readonly uuid: string;
  readonly displayName: string;
  readonly username: string;
}

/** A repository access token: no nickname, and a `kind` of its own. */
export interface AppUser {
  readonly type: "app_user";
  readonly uuid: string;
  readonly accountId: string;
  readonly displayName: string;
}

export type Account = User | Team | AppUser;

/** A person, whose commits are known by `first.last@example.com`. */
export function createUser(source: SeededSource, displayName: string): User {
  const email = `${displayName.toLowerCase().replaceAll(/[^a-z0-9]+/g, ".")}@example.com`;
  const identity = { uuid: source.bracedUuid(), accountId: source.accountId() };
  return { type: "user", ...identity, displayName, nickname: displayName, email };
}

/** The account of an access token. */
export function createAccessTokenUser(source: SeededSource, displayName: string): AppUser {
  return { type: "app_user", uuid: source.bracedUuid(), accountId: source.accountId(), displayName };
}

/** The account as every body holds it (`actor`, `author`, `owner`, `user` …). */
export function accountJson(account: Account): JsonObject {
  const encoded = encodeURIComponent(account.uuid);
  const kind = account.type === "team" ? "workspaces" : "users";
  return {
    display_name: account.displayName,
    links: {
      self: href(`${API}/${kind}/${encoded}`),
      avatar: href(avatarUrl(account)),
      html: href(`${SITE}/${encoded}/`),
    },
    type: account.type,
    uuid: account.uuid,
    ...identityJson(account),
  };
}

/** `Name <mail>`, the way git writes an author. */
export function rawAuthor(account: Account): string {
  const email = account.type === "user" ? account.email : `${account.uuid.slice(1, 9)}@bots.bitbucket.org`;
  return `${account.displayName} <${email}>`;
}

function identityJson(account: Account): JsonObject {
  if (account.type === "team") return { username: account.username };
  if (account.type === "user") return { account_id: account.accountId, nickname: account.nickname };
  return { account_id: account.accountId, account_status: "active", kind: "repository_access_token" };
}

function avatarUrl(account: Account): string {
  if (account.type === "team") return `${SITE}/account/${account.username}/avatar/`;
  const initials = account.displayName
    .split(" ")
    .map((word) => word.slice(0, 1).toUpperCase())
    .join("");
  const fallback = `https://avatar-management--avatars.us-west-2.prod.public.atl-paas.net/initials/${initials}-3.png`;
  const digest = account.uuid.replaceAll(/[{}-]/g, "");
  return `https://secure.gravatar.com/avatar/${digest}?d=${encodeURIComponent(fallback)}`;
}
