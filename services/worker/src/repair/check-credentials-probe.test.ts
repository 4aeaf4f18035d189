import { BitbucketError, type BitbucketErrorCode } from "@sluice/bitbucket/bitbucket-error";
import { describe, expect, test } from "vitest";

import { probeCredential } from "./check-credentials-probe.ts";

type Answer = BitbucketErrorCode | "ok";

/** Asks for as many repositories as there are answers. @returns what that showed, and how many calls it took. */
async function probe(...answers: readonly Answer[]): Promise<readonly [string, number]> {
  let calls = 0;
  const repositories = answers.map((_, place) => ({ uuid: null, fullName: `acme/${String(place)}` }));
  const getRepository = async ({ fullName }: { readonly fullName: string }) => {
    const answer = answers[calls]!;
    calls += 1;
    if (answer !== "ok") throw new BitbucketError(answer, `of ${fullName}`, { retry: { afterMs: 7 } });
    return { uuid: "{1}", fullName, mainBranch: null };
  };
  const result = await probeCredential({ getRepository }, repositories);
  return [result.kind === "refused" ? `refused ${String(result.httpStatus)}` : result.kind, calls];
}

describe("whether a credential is refused", () => {
  test.each<[expected: string, calls: number, answers: Answer[]]>([
    ["accepted", 1, ["ok", "bitbucket_unauthorized"]],
    ["accepted", 1, ["bitbucket_not_found", "bitbucket_unauthorized"]],
    ["refused 401", 1, ["bitbucket_unauthorized", "ok"]],
    ["refused 403", 1, ["bitbucket_forbidden"]],
    ["refused 403", 3, ["bitbucket_forbidden", "bitbucket_forbidden", "bitbucket_forbidden"]],
    ["accepted", 2, ["bitbucket_forbidden", "ok"]],
    ["accepted", 2, ["bitbucket_forbidden", "bitbucket_not_found"]],
    ["refused 401", 2, ["bitbucket_forbidden", "bitbucket_unauthorized"]],
    ["unknown", 1, ["bitbucket_unavailable", "ok"]],
    ["unknown", 1, ["bitbucket_rate_limited", "bitbucket_unauthorized"]],
    ["unknown", 2, ["bitbucket_forbidden", "bitbucket_timeout"]],
    ["accepted", 2, ["bitbucket_gone", "ok"]],
    ["unknown", 2, ["bitbucket_gone", "bitbucket_forbidden"]],
    ["unknown", 2, ["bitbucket_forbidden", "bitbucket_gone"]],
    ["unknown", 0, []],
  ])("is %s, in %i calls, when repositories are answered %j", async (expected, calls, answers) => {
    expect(await probe(...answers)).toEqual([expected, calls]);
  });

  test("an answer that says when to ask again is repeated", async () => {
    const limited = new BitbucketError("bitbucket_rate_limited", "wait", { retry: { afterMs: 1_234 } });
    const repositories = [{ uuid: null, fullName: "acme/infra" }];
    const getRepository = () => Promise.reject(limited);
    const expected = { kind: "unknown", because: "wait", retryAfterMs: 1_234 };
    expect(await probeCredential({ getRepository }, repositories)).toEqual(expected);
  });
});
