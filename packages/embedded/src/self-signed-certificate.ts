/** A certificate for the tests of TLS: Node can read and check certificates, but makes none (X.509, RFC 5280). */
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { isIPv4 } from "node:net";

const DAY_MS = 86_400_000;

/** DER tags: https://www.itu.int/rec/T-REC-X.690 */
const TAG = { boolean: 0x01, integer: 0x02, bits: 0x03, octets: 0x04, oid: 0x06, utf8: 0x0c, utcTime: 0x17 };
const SEQUENCE = 0x30;
const SET = 0x31;

/** Object identifiers in DER, without tag and length. */
const ECDSA_WITH_SHA256 = "2a8648ce3d040302";
const COMMON_NAME = "550403";
const SUBJECT_ALTERNATIVE_NAMES = "551d11";
const BASIC_CONSTRAINTS = "551d13";

/** Both in PEM. */
export interface SelfSignedCertificate {
  readonly certificate: string;
  readonly privateKey: string;
}

/** A server's certificate, for these names and IPv4 addresses only, that is its own authority. Valid for one day. */
export function createSelfSignedCertificate(hosts: readonly string[]): SelfSignedCertificate {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = der(SEQUENCE, oid(ECDSA_WITH_SHA256));
  const name = der(
    SEQUENCE,
    der(SET, der(SEQUENCE, oid(COMMON_NAME), der(TAG.utf8, Buffer.from("Sluice tests")))),
  );
  const content = der(
    SEQUENCE,
    der(0xa0, der(TAG.integer, Buffer.from([2]))),
    // Positive, and without a leading zero: the first byte is 0x40 at least and 0x7f at most.
    der(TAG.integer, Buffer.concat([Buffer.from([0x40]), randomBytes(15)])),
    algorithm,
    name,
    der(SEQUENCE, time(Date.now() - DAY_MS), time(Date.now() + DAY_MS)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, der(SEQUENCE, authorityExtension(), namesExtension(hosts))),
  );
  const signature = Buffer.concat([Buffer.from([0]), sign("sha256", content, privateKey)]);
  const certificate = der(SEQUENCE, content, algorithm, der(TAG.bits, signature));
  return {
    certificate: pem("CERTIFICATE", certificate),
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

function authorityExtension(): Buffer {
  const isAuthority = der(TAG.boolean, Buffer.from([0xff]));
  return extension(BASIC_CONSTRAINTS, der(SEQUENCE, isAuthority));
}

function namesExtension(hosts: readonly string[]): Buffer {
  const names = hosts.map((host) =>
    isIPv4(host)
      ? der(0x87, Buffer.from(host.split(".").map(Number)))
      : der(0x82, Buffer.from(host, "latin1")),
  );
  return extension(SUBJECT_ALTERNATIVE_NAMES, der(SEQUENCE, ...names));
}

function extension(id: string, value: Buffer): Buffer {
  return der(SEQUENCE, oid(id), der(TAG.octets, value));
}

function oid(hex: string): Buffer {
  return der(TAG.oid, Buffer.from(hex, "hex"));
}

/** `YYMMDDhhmmssZ` */
function time(at: number): Buffer {
  const digits = new Date(at).toISOString().replaceAll(/\D/g, "").slice(2, 14);
  return der(TAG.utcTime, Buffer.from(`${digits}Z`));
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), length(content.length), content]);
}

/** Short form below 128, else how many bytes follow, and these. */
function length(value: number): Buffer {
  if (value < 0x80) return Buffer.from([value]);
  return value < 0x100 ? Buffer.from([0x81, value]) : Buffer.from([0x82, value >> 8, value & 0xff]);
}

function pem(label: string, content: Buffer): string {
  const lines = content.toString("base64").replaceAll(/(.{64})(?!$)/g, "$1\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
