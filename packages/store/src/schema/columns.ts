import { sql } from "drizzle-orm";
import { customType, pgSchema, text, timestamp, uuid } from "drizzle-orm/pg-core";

/** Everything of ours is in one schema of its own, so that Sluice can live in a database with others. */
export const sluice = pgSchema("sluice");

/** A UUIDv7 made by the database (PostgreSQL 18), so that ids sort by the time of their making. */
export const id = () =>
  uuid()
    .primaryKey()
    .default(sql`uuidv7()`);

/** A time of the database's clock. */
export const time = () => timestamp({ withTimezone: true, mode: "string" });

export const createdAt = () => time().notNull().defaultNow();

/** A value encrypted with the keyring before it came here; see `@sluice/runtime/keyring`. */
export const ciphertext = () => text();

export const bytes = customType<{ data: Uint8Array; driverData: Buffer }>({
  dataType: () => "bytea",
});
