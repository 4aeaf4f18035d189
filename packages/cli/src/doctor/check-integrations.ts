/** Integrations: their credentials, as far as is known without asking, and their webhooks as they were last seen. */
import { credentialContext } from "@sluice/domain/secret-context";
import type { Keyring } from "@sluice/runtime/keyring";
import type { Database } from "@sluice/store/client";
import { type CredentialHealth, listCredentialHealth } from "@sluice/store/credential-health";
import { type IntegrationRecord, listAllIntegrations } from "@sluice/store/integration-records";
import { listRepositoryRecords, type RepositoryRecord } from "@sluice/store/repository-records";

import { toOneLine } from "../one-line.ts";
import { fail, type Finding, nameSome, ok, warn } from "./finding.ts";

const DAY_MS = 86_400_000;
const EXPIRES_SOON_DAYS = 14;
const PAGE = 500;

/** `keyring` null: it could not be read, which is told elsewhere. */
export async function checkIntegrations(
  db: Database,
  keyring: Keyring | null,
  nowMs: number,
): Promise<readonly Finding[]> {
  const integrations = await listAllIntegrations(db);
  if (integrations.length === 0) {
    return [warn("integrations", "there are none", "make one: sluice apply, or sluice integration create")];
  }
  const health = await listCredentialHealth(
    db,
    integrations.map(({ id }) => id),
  );
  return [
    ...integrations.flatMap((each) => [
      ...(keyring === null ? [] : checkDecrypts(each, keyring)),
      checkCredential(each, health.get(each.id) ?? null, nowMs),
    ]),
    ...checkWebhooks(await listUsedRepositories(db)),
  ];
}

function checkDecrypts({ id, name, credentialCiphertext }: IntegrationRecord, keyring: Keyring): Finding[] {
  if (credentialCiphertext === null) return [];
  try {
    keyring.decrypt(credentialCiphertext, credentialContext(id));
    return [];
  } catch {
    const message = `${name}: no key of SLUICE_ENCRYPTION_KEYS decrypts its credential`;
    const remedy = `add the key that it was stored with, or save it again: sluice integration set-credential ${name}`;
    return [fail("credential", message, remedy)];
  }
}

function checkCredential(
  { name, credentialCiphertext, credentialExpiresAt }: IntegrationRecord,
  health: CredentialHealth | null,
  nowMs: number,
): Finding {
  const save = `save another one: sluice integration set-credential ${name}`;
  if (credentialCiphertext === null) return fail("credential", `${name}: none is stored`, save);
  if (health?.state === "refused") {
    const why = `${String(health.httpStatus ?? "")} ${health.message ?? ""}`.trim();
    return fail("credential", toOneLine(`${name}: Bitbucket refuses it since ${health.since}: ${why}`), save);
  }
  const days = daysUntil(credentialExpiresAt, nowMs);
  if (days !== null && days < 0) return fail("credential", `${name}: it has expired`, save);
  if (days !== null && days <= EXPIRES_SOON_DAYS) {
    return warn("credential", `${name}: it expires in ${String(days)} days`, save);
  }
  if (health === null) {
    return warn("credential", `${name}: it was never tried`, `try it: sluice integration check ${name}`);
  }
  return ok("credential", `${name}: Bitbucket accepts it`);
}

/** Null: not known. Negative: passed. */
function daysUntil(time: string | null, nowMs: number): number | null {
  return time === null ? null : Math.floor((Date.parse(time) - nowMs) / DAY_MS);
}

function checkWebhooks(repositories: readonly RepositoryRecord[]): Finding[] {
  const plan = "see what mends it: sluice webhook plan <integration> --targets";
  const unseen = repositories.filter(({ hooks }) => hooks === null);
  const unreadable = repositories.filter(({ hooks }) => hooks !== null && hooks.unreadable !== null);
  const drifted = repositories.filter(({ hooks }) => hooks !== null && hooks.drift.length > 0);
  const well = repositories.length - unseen.length - unreadable.length - drifted.length;
  const namesOf = (some: readonly RepositoryRecord[]) => nameSome(some.map(({ fullName }) => fullName));
  return [
    ...(drifted.length === 0
      ? []
      : [warn("webhooks", `not as they should be: ${nameSome(drifted.map(describeDrift))}`, plan)]),
    ...(unreadable.length === 0
      ? []
      : [warn("webhooks", `the credential may not see those of ${namesOf(unreadable)}`, plan)]),
    ...(unseen.length === 0 ? [] : [warn("webhooks", `nobody looked at those of ${namesOf(unseen)}`, plan)]),
    ...(well === 0
      ? []
      : [
          ok(
            "webhooks",
            `when they were last seen, those of ${countRepositories(well)} were as they should be`,
          ),
        ]),
  ];
}

function countRepositories(count: number): string {
  return count === 1 ? "1 repository" : `${String(count)} repositories`;
}

function describeDrift({ fullName, hooks }: RepositoryRecord): string {
  return `${fullName} (${(hooks?.drift ?? []).map(({ kind }) => kind).join(", ")})`;
}

/** Those that a stack or a module uses. */
async function listUsedRepositories(db: Database): Promise<RepositoryRecord[]> {
  const used: RepositoryRecord[] = [];
  let after: { readonly name: string; readonly id: string } | null = null;
  do {
    const page: RepositoryRecord[] = await listRepositoryRecords(db, {
      reach: { kind: "everywhere" },
      filter: {},
      limit: PAGE,
      after,
    });
    used.push(...page.filter(({ stacks, modules }) => stacks + modules > 0));
    const last = page.at(-1);
    after =
      last === undefined || page.length < PAGE ? null : { name: last.fullName.toLowerCase(), id: last.id };
  } while (after !== null);
  return used;
}
