import type postgres from "postgres";

import type { Database } from "./client.ts";

/** Sorts behind every hexadecimal digit. */
const AFTER_HEX = "g";

/**
 * That `new_sha` begins with these digits: compared bytewise, as `events_new_sha_idx` has it (`text_pattern_ops`), so that all
 * hashes that begin alike stand together in any locale.
 */
export function newShaBeginsWith(db: Database, sha: string): postgres.Fragment {
  return shaBeginsWith(db, db.sql`new_sha`, sha);
}

/** The same of any column that has such an index. */
export function shaBeginsWith(db: Database, column: postgres.Fragment, sha: string): postgres.Fragment {
  return db.sql`(${column} ~>=~ ${sha} AND ${column} ~<~ ${sha + AFTER_HEX})`;
}
