/** What a database holds before a run, and what it has to hold after it. */
import { randomUUID } from "node:crypto";
import { credentialContext, webhookSecretContext } from "@sluice/domain/secret-context";
import { generateKey, parseKeyring } from "@sluice/runtime/keyring";
import { openStore } from "@sluice/store/client";
import { insertIntegration, insertStack } from "@sluice/store/test-fixtures";
import postgres from "postgres";
import type { WebhookTemplate } from "./webhooks.ts";

/** The integration that every webhook belongs to. */
export interface Seed {
  readonly integrationId: string;
  /** Signs webhooks. */
  readonly secret: string;
  /** The value of SLUICE_ENCRYPTION_KEYS. */
  readonly encryptionKeys: string;
}

/** Part of the webhook endpoint's path. */
export const SLUG = "bench";
const SECRET = "the-secret-of-the-benchmark";
/** Of the simulated Bitbucket, so that no budget holds calls back. */
const CALLS_PER_HOUR = 1_000_000_000;

/**
 * One integration, and for each template its repository with one stack. `projectRoot` "" = every push runs the stack;
 * otherwise Bitbucket has to be asked what each push changed.
 */
export async function seedDatabase(
  url: string,
  input: { readonly templates: readonly WebhookTemplate[]; readonly projectRoot: string },
): Promise<Seed> {
  const integrationId = randomUUID();
  const encryptionKeys = generateKey();
  const keyring = parseKeyring(encryptionKeys);
  const store = openStore({ url, maxConnections: 2, applicationName: "sluice-bench" });
  try {
    await insertIntegration(store, {
      id: integrationId,
      slug: SLUG,
      webhookSecretCiphertext: keyring.encrypt(SECRET, webhookSecretContext(integrationId)),
      credentialCiphertext: keyring.encrypt("a-token", credentialContext(integrationId)),
    });
    await store.sql`
      INSERT INTO sluice.call_budgets (integration_id, calls_per_hour) VALUES (${integrationId}, ${CALLS_PER_HOUR})`;
    for (const { repository } of input.templates) {
      await insertStack(store, {
        integrationId,
        repository: repository.fullName,
        name: repository.fullName,
        projectRoot: input.projectRoot,
      });
      await store.sql`
        UPDATE sluice.repositories SET uuid = ${repository.uuid} WHERE full_name = ${repository.fullName}`;
    }
  } finally {
    await store.close();
  }
  return { integrationId, secret: SECRET, encryptionKeys };
}

/**
 * What has to be there: of every delivery its body, of every event its decision and trigger, of every trigger a line of
 * history. It has more when a newer commit has superseded it meanwhile.
 */
export interface ExpectedRows {
  readonly deliveries: number;
  readonly events: number;
}

/** @throws Error that says what is missing: the run is void. */
export async function assertRows(url: string, expected: ExpectedRows): Promise<void> {
  const { deliveries, events } = expected;
  const wanted: Readonly<Record<string, number>> = {
    deliveries,
    delivery_bodies: deliveries,
    events,
    undecided: 0,
    decisions: events,
    triggers: events,
    with_history: events,
  };
  const found = await withDatabase(url, countRows);
  const wrong = Object.entries(wanted).filter(([name, count]) => found[name] !== count);
  if (wrong.length === 0) return;
  const list = wrong.map(([name, count]) => `${name}: ${found[name] ?? 0} instead of ${count}`).join(", ");
  throw new Error(`the run is void, Postgres does not hold what was accepted: ${list}`);
}

/** When each trigger was committed, in ms since 1970, ascending: by the server's clock, as the commit was logged. */
export function listCommitTimes(url: string): Promise<number[]> {
  return withDatabase(url, async (sql) => {
    const rows = await sql<{ at: number }[]>`
      SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 * 1000 AS at
      FROM sluice.triggers ORDER BY 1`;
    return rows.map(({ at }) => at);
  });
}

/** Triggers that are committed now. */
export async function countTriggers(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`SELECT count(*)::int AS count FROM sluice.triggers`;
  return row?.count ?? 0;
}

/** A connection for one question. */
export async function withDatabase<R>(url: string, ask: (sql: postgres.Sql) => Promise<R>): Promise<R> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    return await ask(sql);
  } finally {
    await sql.end();
  }
}

async function countRows(sql: postgres.Sql): Promise<Record<string, number>> {
  const [row] = await sql<Record<string, number>[]>`
    SELECT (SELECT count(*)::int FROM sluice.deliveries) AS deliveries,
           (SELECT count(*)::int FROM sluice.delivery_bodies) AS delivery_bodies,
           (SELECT count(*)::int FROM sluice.events) AS events,
           (SELECT count(*)::int FROM sluice.events WHERE decided_at IS NULL) AS undecided,
           (SELECT count(*)::int FROM sluice.decisions WHERE outcome = 'trigger') AS decisions,
           (SELECT count(*)::int FROM sluice.triggers) AS triggers,
           (SELECT count(DISTINCT trigger_id)::int FROM sluice.trigger_history) AS with_history`;
  return row ?? {};
}
