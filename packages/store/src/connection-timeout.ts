/** Says that Postgres took too long: transient, as is every code of the driver that begins with CONNECTION_. */
export function connectionTimeout(what: string): Error {
  return Object.assign(new Error(`Postgres: ${what}`), { code: "CONNECTION_TIMEOUT" });
}
