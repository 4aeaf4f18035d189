/** Text from outside, made such that Postgres holds it and a log line stays a line's length. */

/** Half a surrogate pair, which UTF-8 cannot encode: with the `u` flag a whole pair is one code point. */
const LONE_SURROGATE = /\p{Surrogate}/gu;
/** JSON can spell it, a Postgres `text` refuses it. */
const NUL = "\0";
const REPLACEMENT = "\u{FFFD}";

/** The same text, with every character that Postgres cannot hold replaced by U+FFFD. */
export function storableText(text: string): string {
  return text.replaceAll(NUL, REPLACEMENT).replaceAll(LONE_SURROGATE, REPLACEMENT);
}

/** `storableText` of the first `maxLength` UTF-16 units, never half a character. For evidence, not for identities. */
export function clippedText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return storableText(text);
  const last = text.charCodeAt(maxLength - 1);
  const splitsPair = last >= 0xd800 && last <= 0xdbff;
  return storableText(text.slice(0, splitsPair ? maxLength - 1 : maxLength));
}
