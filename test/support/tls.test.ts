import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get, createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { certificateAuthority } from "./tls.ts";
import { lacks } from "./tools.ts";

const authority = certificateAuthority();
const server = authority.issue("127.0.0.1", "localhost", "registry.example");

test("Node trusts a server of the authority, and no other", async () => {
  const listener = createServer({ cert: server.cert, key: server.key }, (_, response) =>
    response.end("hello"),
  );
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  const status = (ca: string) =>
    new Promise((resolve, reject) => {
      get({ host: "127.0.0.1", port, ca, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).once("error", reject);
    });
  try {
    await expect(status(authority.cert)).resolves.toBe(200);
    await expect(status(certificateAuthority().cert)).rejects.toThrow(/certificate|signature/);
  } finally {
    listener.closeAllConnections();
    listener.close();
  }
});

test.skipIf(lacks("openssl"))("openssl finds nothing wrong with a certificate in its strict mode", () => {
  const directory = mkdtempSync(join(tmpdir(), "undocked-tls-"));
  try {
    const [ca, cert] = [join(directory, "ca.pem"), join(directory, "cert.pem")];
    writeFileSync(ca, authority.cert);
    writeFileSync(cert, server.cert);
    const verify = (name: string) =>
      execFileSync(
        "openssl",
        ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", ca, "-verify_hostname", name, cert],
        { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
      );
    expect(verify("registry.example")).toContain("OK");
    expect(() => verify("other.example")).toThrow();
  } finally {
    rmSync(directory, { recursive: true });
  }
});
