import { createPrivateKey, X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { createSelfSignedCertificate } from "./self-signed-certificate.ts";

test("a certificate is for its names, signed by its own key, and valid now", () => {
  const names = ["localhost", `${"long.".repeat(40)}example`];
  const made = createSelfSignedCertificate([...names, "10.1.2.3"]);
  const certificate = new X509Certificate(made.certificate);
  expect(names.map((name) => certificate.checkHost(name))).toEqual(names);
  expect(certificate.checkHost("elsewhere.example")).toBeUndefined();
  expect([certificate.checkIP("10.1.2.3"), certificate.checkIP("10.1.2.4")]).toEqual(["10.1.2.3", undefined]);
  expect(certificate.ca).toBe(true);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.checkPrivateKey(createPrivateKey(made.privateKey))).toBe(true);
  expect(Date.parse(certificate.validFrom)).toBeLessThan(Date.now());
  expect(Date.parse(certificate.validTo)).toBeGreaterThan(Date.now());
});

test("no two certificates are the same", () => {
  expect(createSelfSignedCertificate(["localhost"])).not.toEqual(createSelfSignedCertificate(["localhost"]));
});
