/** Looks for the secrets of the tests in what a test has written to its database. */
import postgres from "postgres";

/**
 * How a secret of the tests is known, as a POSIX expression: a key of the API, and tokens and keys that are named
 * `…-of-the-tests`.
 */
const SECRETS_OF_TESTS = "slc_[A-Za-z0-9_-]{8}_[A-Za-z0-9_-]{43}|-of-the-tests";

/** https://www.postgresql.org/docs/18/errcodes-appendix.html */
const UNKNOWN_DATABASE = "3D000";

/**
 * The tables that hold a secret of the tests where people read it: our own and those of a queue, every column but
 * compressed bodies. Encrypted columns hold none.
 */
export async function listLeaks(url: string): Promise<string[]> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    const tables = await sql<{ name: string; isLeaky: boolean }[]>`
      SELECT format('%I.%I', schemaname, tablename) AS name,
             (xpath('//is_leaky/text()', query_to_xml(format(
               'SELECT EXISTS (SELECT FROM %I.%I AS held WHERE held::text ~ %L) AS is_leaky',
               schemaname, tablename, ${SECRETS_OF_TESTS}::text), false, false, '')))[1]::text = 'true' AS "isLeaky"
      FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
      ORDER BY 1`;
    return tables.filter(({ isLeaky }) => isLeaky).map(({ name }) => name);
  } catch (error) {
    // Dropped before.
    if (error instanceof postgres.PostgresError && error.code === UNKNOWN_DATABASE) return [];
    throw error;
  } finally {
    await sql.end();
  }
}
