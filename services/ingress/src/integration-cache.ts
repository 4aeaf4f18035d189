import {
  listWebhookIntegrations,
  subscribeToIntegrations,
  type WebhookIntegration,
} from "@sluice/store/integrations";
import type { Store } from "@sluice/store/client";
import type { Logger } from "@sluice/runtime/logger";

/** The secrets that a delivery of an integration may be signed with (rule 4). */
export interface VerifiableIntegration {
  readonly id: string;
  readonly secrets: { readonly current: string; readonly previous: string | null };
}

/** `unavailable`: nobody can say, because Postgres is away and the slug is not among those known (rule 8). */
export type IntegrationLookup =
  | { readonly kind: "known"; readonly integration: VerifiableIntegration }
  | { readonly kind: "unknown" }
  | { readonly kind: "unavailable" };

export interface IntegrationCache {
  find(slug: string): IntegrationLookup;
  /** Rejects with the reason when what is known may be out of date. */
  check(): Promise<void>;
  close(): Promise<void>;
}

export interface IntegrationCacheOptions {
  readonly store: Store;
  readonly decryptSecrets: (integration: WebhookIntegration) => VerifiableIntegration["secrets"];
  readonly logger: Logger;
}

/** A notification can be missed while a connection is remade; this bounds for how long. */
const REFRESH_INTERVAL_MS = 5_000;
/** What was read longer ago than this no longer proves that a slug does not exist. */
const FRESH_FOR_MS = 15_000;

interface Entry extends VerifiableIntegration {
  readonly previousExpiresAtMs: number | null;
}

/**
 * Every integration by slug, read at the start and again at each notification of a change. It keeps what it knows while
 * Postgres is away. All of them are held, not just those asked for: so an unknown slug is known to be unknown without a
 * query, in the time that a known one takes.
 */
export async function startIntegrationCache(options: IntegrationCacheOptions): Promise<IntegrationCache> {
  const { store, logger } = options;
  let entries: ReadonlyMap<string, Entry> = new Map();
  let loadedAtMs: number | null = null;
  let lastError: unknown = null;
  let subscription: { unsubscribe(): Promise<void> } | null = null;
  let refreshing: Promise<void> | null = null;
  let refreshAgain = false;

  async function load(): Promise<void> {
    try {
      const startedAtMs = Date.now();
      const integrations = await listWebhookIntegrations(store);
      entries = new Map(integrations.flatMap((integration) => readEntry(integration, options)));
      if (lastError !== null) logger.info({ integrations: entries.size }, "integrations.available");
      loadedAtMs = startedAtMs;
      lastError = null;
    } catch (error) {
      if (lastError === null) logger.warn({ err: error, known: entries.size }, "integrations.unavailable");
      lastError = error;
    }
  }

  /** One load at a time; a change that comes during one is followed by another. */
  function refresh(): Promise<void> {
    if (refreshing !== null) {
      refreshAgain = true;
      return refreshing;
    }
    refreshing = load().finally(() => {
      refreshing = null;
      if (refreshAgain) {
        refreshAgain = false;
        void refresh();
      }
    });
    return refreshing;
  }

  /** The driver subscribes again after a lost connection only while Postgres answers, so this is done after an outage. */
  async function subscribe(): Promise<void> {
    try {
      await subscription?.unsubscribe();
      const onChange = () => void refresh();
      subscription = await subscribeToIntegrations(store, { onChange, onListening: onChange });
    } catch (error) {
      subscription = null;
      lastError ??= error;
    }
  }

  async function poll(): Promise<void> {
    const wasAway = lastError !== null || subscription === null;
    await refresh();
    if (wasAway && lastError === null) await subscribe();
  }

  await subscribe();
  await refresh();
  const timer = setInterval(() => void poll(), REFRESH_INTERVAL_MS);
  timer.unref();

  const isFresh = () => loadedAtMs !== null && Date.now() - loadedAtMs < FRESH_FOR_MS;
  return {
    find(slug) {
      const entry = entries.get(slug);
      if (entry !== undefined) return { kind: "known", integration: withoutExpiredSecret(entry) };
      return isFresh() ? { kind: "unknown" } : { kind: "unavailable" };
    },
    check: () =>
      isFresh()
        ? Promise.resolve()
        : Promise.reject(new Error("integrations could not be read from Postgres", { cause: lastError })),
    async close() {
      clearInterval(timer);
      await subscription?.unsubscribe().catch(() => undefined);
    },
  };
}

/** An integration whose secret cannot be decrypted (a key was taken away) is left out, and does not hide the others. */
function readEntry(integration: WebhookIntegration, options: IntegrationCacheOptions): [string, Entry][] {
  try {
    const secrets = options.decryptSecrets(integration);
    const expiresAt = integration.previousSecretExpiresAt;
    const previousExpiresAtMs = expiresAt === null ? null : Date.parse(expiresAt);
    return [[integration.slug, { id: integration.id, secrets, previousExpiresAtMs }]];
  } catch (error) {
    options.logger.error({ err: error, slug: integration.slug }, "integration.secret_unreadable");
    return [];
  }
}

function withoutExpiredSecret({ id, secrets, previousExpiresAtMs }: Entry): VerifiableIntegration {
  const expired = previousExpiresAtMs !== null && previousExpiresAtMs <= Date.now();
  return { id, secrets: expired ? { ...secrets, previous: null } : secrets };
}
