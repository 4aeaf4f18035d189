/**
 * Hears of every trigger when it is committed. A row's `created_at` is when its transaction began, and the commit
 * timestamp is taken before the commit is on disk: neither is when others can see it. A notification is: Postgres
 * delivers it after the commit. It reaches the process that sent the webhook, so that one clock measures both ends.
 *
 * What it costs is part of the measurement: two look-ups by primary key and one notification for each statement that
 * inserts triggers.
 */
import postgres from "postgres";
import { KEY_LENGTH } from "./requests.ts";

const CHANNEL = "bench_triggers";
/** A notification holds less than 8,000 bytes. */
const KEYS_PER_NOTIFICATION = 500;

/** Makes a database tell of the triggers that are inserted. */
export async function announceTriggers(sql: postgres.Sql): Promise<void> {
  await sql.unsafe(`
    CREATE FUNCTION public.announce_triggers() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_notify('${CHANNEL}', string_agg(key, ','))
      FROM (
        SELECT right(deliveries.request_id, ${KEY_LENGTH}) AS key,
               (row_number() OVER () - 1) / ${KEYS_PER_NOTIFICATION} AS part
        FROM inserted
        JOIN sluice.events ON events.id = inserted.event_id
        JOIN sluice.deliveries ON deliveries.id = events.delivery_id
      ) AS keys
      GROUP BY part;
      RETURN NULL;
    END
    $$;
    CREATE TRIGGER announce_triggers AFTER INSERT ON sluice.triggers
      REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION public.announce_triggers()`);
}

/** Calls `onTrigger` with the key of the request behind each committed trigger. @returns what ends it */
export async function listenForTriggers(
  databaseUrl: string,
  onTrigger: (key: string) => void,
): Promise<() => Promise<void>> {
  const sql = postgres(databaseUrl, { max: 1 });
  await sql.listen(CHANNEL, (keys) => {
    for (const key of keys.split(",")) onTrigger(key);
  });
  return () => sql.end();
}
