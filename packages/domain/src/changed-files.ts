/**
 * What is known of the files that a push changed (rules 15 to 17).
 * - `listed`: every path, both names of a renamed file.
 * - `all`: there is nothing to compare with, because the tracked branch itself is new: every file is new.
 * - `unknown`: Bitbucket could not say, also not when asked a second way.
 */
export type ChangedFiles =
  | { readonly kind: "listed"; readonly paths: readonly string[]; readonly spec: string }
  | { readonly kind: "all"; readonly because: string }
  | { readonly kind: "unknown"; readonly because: string };
