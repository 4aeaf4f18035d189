/** Text with its HTML, as Bitbucket sends titles, descriptions, messages and comments. */
import type { JsonObject } from "./json.ts";

/** `{type: "rendered", raw, markup, html}`. Paragraphs only: nobody should read meaning from the HTML. */
export function renderedJson(raw: string): JsonObject {
  return { type: "rendered", raw, markup: "markdown", html: toHtml(raw) };
}

function toHtml(raw: string): string {
  const escaped = raw.trim().replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  if (escaped === "") return "";
  return escaped
    .split(/\n{2,}/)
    .map((paragraph) => `<p>${paragraph}</p>`)
    .join("\n");
}
