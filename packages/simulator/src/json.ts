/** What can be written as JSON: no undefined, so that a key is there or is not. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: Json;
}
