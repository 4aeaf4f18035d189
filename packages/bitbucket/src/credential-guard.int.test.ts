import { AppError } from "@sluice/domain/app-error";
import { afterEach, describe, expect, test } from "vitest";

import type { CredentialRefusal } from "./credential-guard.ts";
import { arrange, closeAll, page, redirect, REPOSITORY, TOKEN } from "./testing/arrange-client.ts";

afterEach(closeAll);

const refusedError = () => new AppError("credential_refused", "wait", { retry: { afterMs: 1 } });

/** A server that answers so, and a client whose guard notes what it is asked and told. */
async function guarded(
  answer: Parameters<typeof arrange>[0],
  { admits = () => true, throws = false }: { admits?: (call: number) => boolean; throws?: boolean } = {},
) {
  const told: CredentialRefusal[] = [];
  let asked = 0;
  const arranged = await arrange(answer, {
    guard: {
      async admit() {
        asked += 1;
        if (!admits(asked)) throw refusedError();
      },
      async refused(refusal) {
        told.push(refusal);
        if (throws) throw refusedError();
      },
    },
  });
  return { ...arranged, told, asked: () => asked };
}

const answering = (status: number) => () =>
  Response.json({ type: "error", error: { message: `no ${TOKEN}` } }, { status });

describe("a guard", () => {
  test("that does not admit keeps the request from being sent, and takes no call from the budget", async () => {
    const { client, api, taken } = await guarded(answering(200), { admits: () => false });
    await expect(client.getRepository(REPOSITORY)).rejects.toMatchObject({ code: "credential_refused" });
    const hook = { url: "https://example.com", title: "Sluice", events: ["repo:push"], secret: "s" };
    const owner = { kind: "repository", repository: REPOSITORY } as const;
    await expect(client.createHook(owner, hook)).rejects.toMatchObject({ code: "credential_refused" });
    expect([api.requests, taken]).toEqual([[], []]);
  });

  test("is asked before each page and each redirect", async () => {
    let pageNumber = 0;
    const pages = await guarded(
      (_, origin) => page([], `${origin}/2.0/next?page=${String((pageNumber += 1))}`),
      {
        admits: (call) => call < 3,
      },
    );
    await expect(pages.client.listOpenPullRequests(REPOSITORY)).rejects.toMatchObject({
      code: "credential_refused",
    });
    expect(pages.api.requests).toHaveLength(2);
    const moved = await guarded(() => redirect("/2.0/elsewhere"), { admits: (call) => call < 2 });
    await expect(moved.client.getRepository(REPOSITORY)).rejects.toMatchObject({
      code: "credential_refused",
    });
    expect(moved.api.requests).toHaveLength(1);
  });

  test.each([401, 403] as const)("is told of a %i, without secrets", async (status) => {
    const { client, told } = await guarded(answering(status));
    await expect(client.getRepository(REPOSITORY)).rejects.toMatchObject({ status });
    expect(told).toMatchObject([
      { status, message: expect.stringContaining(`answered ${String(status)}`) as string },
    ]);
    expect(JSON.stringify(told)).not.toContain(TOKEN);
  });

  test("has the call fail with what it throws then", async () => {
    const { client } = await guarded(answering(401), { throws: true });
    await expect(client.getRepository(REPOSITORY)).rejects.toMatchObject({ code: "credential_refused" });
  });

  test.each([400, 404, 410, 429, 500, 555])(
    "hears nothing of a %i, which is not about the credential",
    async (status) => {
      const { client, told } = await guarded(answering(status), { throws: true });
      await expect(client.getRepository(REPOSITORY)).rejects.toMatchObject({ status });
      expect(told).toEqual([]);
    },
  );
});
