/** Names and messages are other people's: none of them may end a line, or speak to the terminal. */
export function toOneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, " ");
}
