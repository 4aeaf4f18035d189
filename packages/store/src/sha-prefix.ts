import type postgres from "postgres";

import type { Database } from "./client.ts";

/** Sorts behind every hexadecimal digit. */
const AFTER_HEX = "g";

/**
 * That `new_sha` begins with these digits: compared bytewise, as `events_new_sha_idx` has it (`text_pattern_ops`), so that all
 * hashes that begin alike stand together in any locale.
 */
export function newShaBeginsWith(db: Database, sha: string): postgres.Fragment {
  return db.sql`(new_sha ~>=~ ${sha} AND new_sha ~<~ ${sha + AFTER_HEX})`;
}
