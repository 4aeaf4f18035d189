/** Reads the code of a system error. */

/** Whether `error` is a system error with this code, such as "EEXIST". */
export function isErrorCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
