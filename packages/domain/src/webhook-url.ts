/** The address that Bitbucket sends an integration's webhooks to, and whose an address is. */

const ENDPOINT_PATH = "/webhooks/bitbucket-cloud/";

/** The endpoint of an integration below the address of the ingress, such as `https://sluice.example.com`. */
export function webhookUrl(publicUrl: string, slug: string): string {
  return `${publicUrl.replace(/\/+$/, "")}${ENDPOINT_PATH}${slug}`;
}

/**
 * What a webhook's address is to an integration: `same` is its endpoint; `elsewhere` ends in the path of its endpoint on
 * another host or below another path, as after a move of the ingress; null is somebody else's.
 */
export function recogniseWebhookUrl(
  url: string,
  ours: { readonly url: string; readonly slug: string },
): "same" | "elsewhere" | null {
  if (!URL.canParse(url) || !URL.canParse(ours.url)) return url === ours.url ? "same" : null;
  const parsed = new URL(url);
  if (parsed.href === new URL(ours.url).href) return "same";
  return parsed.pathname.replace(/\/+$/, "").endsWith(`${ENDPOINT_PATH}${ours.slug}`) ? "elsewhere" : null;
}

/** An address without what may be secret in it: user, password, query and fragment. */
export function shownUrl(url: string): string {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) return "an address that is none";
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}
