import { createBitbucketClient } from "@sluice/bitbucket/client";
import { createBitbucket } from "@sluice/simulator/bitbucket";
import { startBitbucketServer } from "@sluice/simulator/rest-server";
import { expect, test } from "vitest";

import { readModuleVersions } from "./module-version.ts";

test("a module has the version that its folder says at the commit, over HTTP, and waits while Bitbucket is away (rule 31)", async () => {
  const bitbucket = createBitbucket();
  const server = await startBitbucketServer({ bitbucket });
  try {
    const repository = bitbucket.createRepository({ workspace: "northwind", slug: "modules" });
    const before = repository.push({ files: { "vpc/main.tf": "1\n" } }).hash;
    const after = repository.push({
      files: {
        "vpc/.spacelift/config.yml": "version: 1\nmodule_version: 1.4.0\n",
        "dns/.sluice/config.yml": "module_version: next\n",
      },
    }).hash;
    const client = createBitbucketClient({
      baseUrl: server.url,
      credential: { kind: "access_token", token: "simulated-access-token" },
      credentialId: "credential-1",
      budget: { take: async () => ({ granted: true }), learn: async () => undefined },
      userAgent: "sluice-test",
    });
    const address = { uuid: repository.uuid, fullName: repository.fullName };
    const read = (sha: string) =>
      readModuleVersions(
        ["vpc", "dns"].map((id) => ({ id, projectRoot: id })),
        (path) => client.getFile(address, { sha, path }),
      );
    const first = { kind: "version", version: "0.1.0" };
    expect(Object.fromEntries(await read(before))).toEqual({ vpc: first, dns: first });
    expect(Object.fromEntries(await read(after))).toEqual({
      vpc: { kind: "version", version: "1.4.0" },
      dns: {
        kind: "refused",
        version: "next",
        because: "module_version in dns/.sluice/config.yml is not a semantic version such as 1.2.3",
      },
    });
    server.injectFault("GET *src*", { kind: "status", status: 503 });
    await expect(read(after)).rejects.toMatchObject({ code: "bitbucket_unavailable" });
  } finally {
    await server.close();
  }
});
