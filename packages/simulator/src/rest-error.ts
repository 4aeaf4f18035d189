/** The API's error answers, as Bitbucket words them. */
import type { Json, JsonObject } from "./json.ts";

/** `{"type":"error","error":{…}}`. */
export function errorResponse(
  status: number,
  message: string,
  extra: JsonObject = {},
  headers: Record<string, string> = {},
): Response {
  return jsonResponse({ type: "error", error: { ...extra, message } }, status, headers);
}

/** JSON with Bitbucket's content type. */
export function jsonResponse(body: Json, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json; charset=utf-8", ...headers },
  });
}

/** 401 as sent without credentials: no body, and the header that asks for them. */
export function unauthorizedResponse(message: string | null): Response {
  const headers = { "www-authenticate": 'Basic realm="Bitbucket.org HTTP"' };
  return message === null
    ? new Response(null, { status: 401, headers })
    : errorResponse(401, message, {}, headers);
}

/** 404 for a commit that the repository does not have. */
export function commitNotFound(): Response {
  return errorResponse(404, "Changeset not found.");
}

/** 404 as plain text: what pull requests answer. */
export function plainNotFound(): Response {
  return new Response("Not Found", { status: 404, headers: { "content-type": "text/plain; charset=utf-8" } });
}

/** 410 of an endpoint that Atlassian has removed. */
export function goneResponse(): Response {
  const data = {
    announcement_url: "https://developer.atlassian.com/cloud/bitbucket/changelog#CHANGE-2770",
  };
  return jsonResponse(
    {
      type: "error",
      error: {
        message: "CHANGE-2770 - Functionality has been deprecated",
        detail: "Please read the changelog entry for more details.",
        data,
      },
      data,
    },
    410,
  );
}

/** 400 that names the fields: `fields` by name, and the first of them as the message. */
export function fieldErrors(fields: Readonly<Record<string, readonly string[]>>): Response {
  const [first] = Object.entries(fields);
  return errorResponse(400, first === undefined ? "Bad request" : `${first[0]}: ${first[1][0] ?? ""}`, {
    fields,
  });
}
