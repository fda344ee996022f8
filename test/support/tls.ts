import {
  createHash,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
  type KeyPairKeyObjectResult,
} from "node:crypto";
import { isIPv4 } from "node:net";

/** A certificate and its key, as PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** An authority that nobody trusts who is not told to. */
export interface CertificateAuthority {
  /** PEM: what clients are told to trust. */
  readonly cert: string;
  /** A certificate for DNS names and IPv4 addresses, for servers and for clients. */
  issue(...names: readonly string[]): Certificate;
}

// X.509 v3 (RFC 5280) in DER, written here because Node reads certificates but makes none. P-256, ECDSA with SHA-256.
const oid = {
  commonName: [0x55, 0x04, 0x03],
  subjectKeyIdentifier: [0x55, 0x1d, 0x0e],
  keyUsage: [0x55, 0x1d, 0x0f],
  subjectAltName: [0x55, 0x1d, 0x11],
  basicConstraints: [0x55, 0x1d, 0x13],
  authorityKeyIdentifier: [0x55, 0x1d, 0x23],
  extendedKeyUsage: [0x55, 0x1d, 0x25],
  serverAuth: [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
  clientAuth: [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02],
  ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
} as const;

const signatureAlgorithm = sequence(objectId(oid.ecdsaWithSha256));

export function certificateAuthority(name = "Undocked test authority"): CertificateAuthority {
  const pair = keyPair();
  const issuer = { name, key: pair.privateKey, id: keyId(pair.publicKey) };
  const cert = certificate(name, pair.publicKey, issuer, [
    extension(oid.basicConstraints, sequence(boolean(true)), "critical"),
    extension(oid.keyUsage, der(0x03, Buffer.from([1, 0b0000_0110])), "critical"), // keyCertSign, cRLSign
    extension(oid.subjectKeyIdentifier, der(0x04, issuer.id)),
  ]);
  return {
    cert,
    issue(...names) {
      const own = keyPair();
      return {
        cert: certificate(names[0] ?? "localhost", own.publicKey, issuer, [
          extension(oid.basicConstraints, sequence(), "critical"),
          extension(oid.keyUsage, der(0x03, Buffer.from([7, 0b1000_0000])), "critical"), // digitalSignature
          extension(oid.extendedKeyUsage, sequence(objectId(oid.serverAuth), objectId(oid.clientAuth))),
          extension(oid.subjectKeyIdentifier, der(0x04, keyId(own.publicKey))),
          extension(oid.authorityKeyIdentifier, sequence(der(0x80, issuer.id))),
          extension(oid.subjectAltName, sequence(...names.map(alternativeName))),
        ]),
        key: String(own.privateKey.export({ type: "pkcs8", format: "pem" })),
      };
    },
  };
}

interface Issuer {
  readonly name: string;
  readonly key: KeyObject;
  readonly id: Buffer;
}

function keyPair(): KeyPairKeyObjectResult {
  return generateKeyPairSync("ec", { namedCurve: "prime256v1" });
}

function keyId(key: KeyObject): Buffer {
  return createHash("sha1").update(publicKeyInfo(key)).digest();
}

function publicKeyInfo(key: KeyObject): Buffer {
  return key.export({ type: "spki", format: "der" });
}

function certificate(name: string, key: KeyObject, issuer: Issuer, extensions: readonly Buffer[]): string {
  const toBeSigned = sequence(
    der(0xa0, integer(Buffer.from([2]))), // v3
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    signatureAlgorithm,
    distinguishedName(issuer.name),
    // UTCTime up to 2049, GeneralizedTime after it.
    sequence(der(0x17, Buffer.from("200101000000Z")), der(0x18, Buffer.from("20991231235959Z"))),
    distinguishedName(name),
    publicKeyInfo(key),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign("sha256", toBeSigned, issuer.key);
  const whole = sequence(toBeSigned, signatureAlgorithm, der(0x03, Buffer.from([0]), signature));
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function alternativeName(name: string): Buffer {
  return isIPv4(name)
    ? der(0x87, Buffer.from(name.split(".").map(Number)))
    : der(0x82, Buffer.from(name, "ascii"));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(der(0x31, sequence(objectId(oid.commonName), der(0x0c, Buffer.from(commonName)))));
}

function extension(id: readonly number[], value: Buffer, criticality?: "critical"): Buffer {
  const critical = criticality === undefined ? [] : [boolean(true)];
  return sequence(objectId(id), ...critical, der(0x04, value));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

function objectId(bytes: readonly number[]): Buffer {
  return der(0x06, Buffer.from(bytes));
}

function integer(bytes: Buffer): Buffer {
  return der(0x02, bytes);
}

function boolean(value: boolean): Buffer {
  return der(0x01, Buffer.from([value ? 0xff : 0]));
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const bytes = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...bytes]), content]);
}
