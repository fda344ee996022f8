import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findProgram } from "./tools.ts";
import type { Certificate } from "./tls.ts";

export interface DockerRegistryOptions {
  readonly tls?: Certificate;
  readonly auth?:
    | { readonly kind: "htpasswd"; /** Lines of `user:bcrypt`. */ readonly users: string }
    | {
        readonly kind: "token";
        readonly realm: string;
        readonly service: string;
        readonly issuer: string;
        /** PEM of the certificates that may sign tokens. */
        readonly rootCertificate: string;
      };
  /** A registry to pull through from. */
  readonly mirrorOf?: string;
  /** More settings, as the environment names them: `REGISTRY_STORAGE_…`. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:<port>` */
  readonly host: string;
  readonly url: string;
  /** Where its files are. */
  readonly directory: string;
}

/** Debian's docker-registry on a free port of this machine, with a directory of its own that goes with it. */
export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const program = findProgram("docker-registry");
  if (program === undefined) throw new Error("docker-registry is not installed.");
  const directory = await mkdtemp(join(tmpdir(), "undocked-registry-"));
  const host = `127.0.0.1:${await freePort()}`;
  const file = async (name: string, content: string): Promise<string> => {
    await writeFile(join(directory, name), content);
    return join(directory, name);
  };
  const environment: Record<string, string> = {
    REGISTRY_HTTP_ADDR: host,
    REGISTRY_LOG_LEVEL: "error",
    OTEL_TRACES_EXPORTER: "none",
    ...options.environment,
  };
  if (options.tls !== undefined) {
    environment["REGISTRY_HTTP_TLS_CERTIFICATE"] = await file("tls.crt", options.tls.cert);
    environment["REGISTRY_HTTP_TLS_KEY"] = await file("tls.key", options.tls.key);
  }
  if (options.auth?.kind === "htpasswd") {
    environment["REGISTRY_AUTH"] = "htpasswd";
    environment["REGISTRY_AUTH_HTPASSWD_REALM"] = "Test";
    environment["REGISTRY_AUTH_HTPASSWD_PATH"] = await file("htpasswd", options.auth.users);
  }
  if (options.auth?.kind === "token") {
    environment["REGISTRY_AUTH"] = "token";
    environment["REGISTRY_AUTH_TOKEN_REALM"] = options.auth.realm;
    environment["REGISTRY_AUTH_TOKEN_SERVICE"] = options.auth.service;
    environment["REGISTRY_AUTH_TOKEN_ISSUER"] = options.auth.issuer;
    environment["REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE"] = await file("root.pem", options.auth.rootCertificate);
  }
  if (options.mirrorOf !== undefined) environment["REGISTRY_PROXY_REMOTEURL"] = options.mirrorOf;
  const configuration = await file(
    "config.yml",
    [
      "version: 0.1",
      "storage:",
      "  filesystem:",
      `    rootdirectory: ${join(directory, "data")}`,
      "  delete:",
      "    enabled: true",
      "",
    ].join("\n"),
  );
  const child = spawn(program, ["serve", configuration], {
    env: { PATH: process.env["PATH"] ?? "", HOME: directory, ...environment },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
  const ended = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await listening(host, () => {
      if (child.exitCode !== null) throw new Error(`docker-registry ended at once: ${said}`);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const url = `${options.tls === undefined ? "http" : "https"}://${host}`;
  return { host, url, directory, [Symbol.asyncDispose]: stop };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function listening(host: string, stillRunning: () => void): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    stillRunning();
    try {
      // Any answer will do, that of a TLS server to plain http too.
      await fetch(`http://${host}/v2/`);
      return;
    } catch {
      await sleep(50);
    }
  }
  throw new Error(`docker-registry does not answer at ${host}.`);
}
